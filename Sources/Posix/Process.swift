internal import CLinux

/// This process and those it starts.
package enum Process {
    package static var id: Int32 { getpid() }
    /// The real one, not that of a set-uid program.
    package static var userID: UInt32 { getuid() }

    /// The working directory, `/` when it is gone.
    package static var workingDirectory: String {
        let raw = unsafe getcwd(nil, 0)
        defer { unsafe free(raw) }
        return unsafe raw.map { unsafe String(cString: $0) } ?? "/"
    }

    /// The path of the running program.
    package static var executable: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let n: Int = unsafe buffer.withUnsafeMutableBytes {
            guard let base = $0.baseAddress else { return 0 }
            return unsafe readlink("/proc/self/exe", base.assumingMemoryBound(to: CChar.self), $0.count)
        }
        return n > 0 ? String(decoding: buffer.prefix(n), as: UTF8.self) : ""
    }

    /// The environment as it stands.
    package static var environment: [String: String] {
        var all: [String: String] = [:]
        var next = unsafe clinux_environ()
        while let entry = unsafe next?.pointee {
            let text = unsafe String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                all[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            unsafe next = unsafe next?.advanced(by: 1)
        }
        return all
    }

    /// Takes a variable out of this process's environment; only while no other thread reads it.
    package static func unsetEnvironment(_ name: String) { _ = unsafe unsetenv(name) }

    /// Closes what this process makes from here on to other users and opens it to its own, whatever the mask it was given.
    package static func closeToOthers() { _ = umask(0o077) }

    /// Opens what this process makes to its own user, whatever the mask it was given; others get what that says.
    package static func keepOpenToItself() { _ = umask(umask(0o077) & 0o077) }

    /// What a service manager tells the process that it starts, and that no other may take for itself (sd_listen_fds(3),
    /// sd_notify(3), systemd.exec(5)).
    package static let managerVariables: Set = [
        "JOURNAL_STREAM", "LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "NOTIFY_SOCKET",
        "WATCHDOG_PID", "WATCHDOG_USEC",
    ]

    /// The number that the kernel gives for every user that has none in this process's user namespace; nil where all have one
    /// (user_namespaces(7)).
    package static var unmappedUser: UInt32? {
        func read(_ path: String) -> String {
            (try? Files.read(path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let overflow =
            read("/proc/sys/kernel/overflowuid").split(separator: "\n").first.flatMap { UInt32($0) } ?? 65_534
        // Where not all have a number here, those without one come as this one, also where a user of its own has it.
        let mapped = read("/proc/self/uid_map").split(separator: "\n").reduce(UInt64(0)) { sum, line in
            sum + (line.split(separator: " ").last.flatMap { UInt64($0) } ?? 0)
        }
        return mapped >= UInt64(UInt32.max) ? nil : overflow
    }

    /// Whether a process with this ID exists.
    package static func exists(_ pid: Int32) -> Bool { kill(pid, 0) == 0 || errno == EPERM }

    /// Sends a signal to a process.
    package static func signal(_ pid: Int32, _ number: Int32) throws(PosixError) {
        guard kill(pid, number) == 0 else { throw .last("kill", "\(pid)") }
    }

    /// The home directory of a user from the password file, nil for an unknown one.
    package static func home(of uid: UInt32) -> String? { account(of: uid)?.home }

    /// The name of a user, nil for an unknown one.
    package static func userName(_ uid: UInt32) -> String? { account(of: uid)?.name }

    private static func account(of uid: UInt32) -> (name: String, home: String)? {
        guard let entry = unsafe getpwuid(uid)?.pointee, let name = unsafe entry.pw_name,
            let home = unsafe entry.pw_dir
        else { return nil }
        return unsafe (String(cString: name), String(cString: home))
    }

    /// The number of a user by name, nil for an unknown one.
    package static func userID(named name: String) -> UInt32? { unsafe getpwnam(name)?.pointee.pw_uid }

    /// The number of a group by name, nil for an unknown one.
    package static func groupID(named name: String) -> UInt32? { unsafe getgrnam(name)?.pointee.gr_gid }

    /// Raises the soft limit of open files to the hard one and returns it.
    package static func raiseFileLimit() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = unsafe setrlimit(__rlimit_resource_t(7), &limit)
            _ = unsafe getrlimit(__rlimit_resource_t(7), &limit)
        }
        return Int(min(limit.rlim_cur, 1 << 30))
    }

    /// Has blocks from 256 KiB on given back to the kernel as soon as they are freed.
    ///
    /// Left to itself glibc learns from the first big block that is freed to keep blocks of up to 32 MiB in its heap,
    /// and one long line from an upstream then leaves 40 MiB resident for good.
    /// Smaller ones stay until `giveBackFreeMemory`, up to 4 MiB at the heap's end: else each page of an export would
    /// shrink the heap and grow it again.
    package static func giveBackLargeBlocks() {
        mallopt(M_MMAP_THRESHOLD, 256 << 10)
        mallopt(M_TRIM_THRESHOLD, 4 << 20)
    }

    /// Gives back what many small blocks left behind when they were freed; costs about a millisecond.
    package static func giveBackFreeMemory() { malloc_trim(0) }

    /// Opens `/dev/null` in place of descriptors 0, 1 and 2 that are closed: else what is opened first would be written to as
    /// if it were standard error.
    package static func fillStandardStreams() {
        for fd: Int32 in 0...2 where clinux_fcntl(fd, F_GETFD, 0) < 0 {
            _ = unsafe clinux_open("/dev/null", O_RDWR, 0)
        }
    }

    /// Unmaps what was mapped of the program and its libraries; what is used again comes back from the system's cache, so that
    /// only that counts as this process's memory.
    package static func giveBackCode() { clinux_drop_code() }

    /// Keeps this process out of core files and of other processes of its user: it holds keys and what people said.
    package static func forbidDumps() { clinux_forbid_dumps() }

    /// Has this process told to end by `terminate` once the one that started it has ended, however; false where that has already.
    package static func endsWithParent(_ parent: Int32) -> Bool {
        clinux_end_with_parent(Signals.terminate) == parent
    }

    /// What became of a child: it exited with a code, or a signal ended it.
    package enum Ending: Sendable, Equatable { case exited(Int32), signalled(Int32) }

    /// Where a started program's descriptors 0, 1 and 2 come from.
    package struct Streams: Sendable {
        /// Descriptor numbers of this process, which stay open here; nil means `/dev/null`.
        package var input: Int32?
        package var output: Int32?
        package var error: Int32?

        /// Each nil means `/dev/null`.
        package init(input: Int32? = nil, output: Int32? = nil, error: Int32? = nil) {
            self.input = input
            self.output = output
            self.error = error
        }
    }

    /// Starts a program; `isDetached` puts it into a session of its own, with nothing but its streams open: a lock of a shell
    /// that it inherits would be held for as long as it runs.
    ///
    /// Returns its process ID.
    package static func start(
        _ path: String, _ arguments: [String], environment: [String: String], streams: Streams = Streams(),
        directory: String? = nil, isDetached: Bool = false
    ) throws(PosixError) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in [(Int32(0), streams.input), (1, streams.output), (2, streams.error)] {
            if let source {
                unsafe posix_spawn_file_actions_adddup2(&actions, source, target)
            } else {
                unsafe posix_spawn_file_actions_addopen(
                    &actions, target, "/dev/null", target == 0 ? O_RDONLY : O_WRONLY, 0)
            }
        }
        if let directory { _ = unsafe clinux_spawn_directory(&actions, directory) }
        if isDetached { _ = unsafe clinux_spawn_close_from(&actions, 3) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        // It is ignored here, and what writes into a pipe that nobody reads must end.
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        unsafe sigaddset(&defaults, SIGPIPE)
        unsafe sigaddset(&defaults, SIGXFSZ)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        let flags =
            Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
            | (isDetached ? 0x80 /* POSIX_SPAWN_SETSID */ : 0)
        unsafe posix_spawnattr_setflags(&attributes, flags)

        var argv: [UnsafeMutablePointer<CChar>?] = unsafe ([path] + arguments).map { unsafe strdup($0) }
        var envp: [UnsafeMutablePointer<CChar>?] = unsafe environment.map { unsafe strdup("\($0)=\($1)") }
        unsafe argv.append(nil)
        unsafe envp.append(nil)
        defer { unsafe (argv + envp).forEach { unsafe free($0) } }
        var pid: Int32 = 0
        let code = unsafe posix_spawn(&pid, path, &actions, &attributes, argv, envp)
        guard code == 0 else { throw PosixError("posix_spawn", path, errno: code) }
        return pid
    }

    /// Waits for a child; with `isWaiting` false returns nil when it still runs.
    package static func reap(_ pid: Int32, isWaiting: Bool = true) throws(PosixError) -> Ending? {
        var status: Int32 = 0
        while true {
            let got = unsafe waitpid(pid, &status, isWaiting ? 0 : Int32(WNOHANG))
            if got == 0 { return nil }
            if got > 0 { break }
            guard errno == EINTR else { throw .last("waitpid", "\(pid)") }
        }
        return clinux_exited(status) != 0
            ? .exited(clinux_exit_code(status)) : .signalled(clinux_term_signal(status))
    }

    /// A pipe: the reading end, the writing end; both close on exec.
    package static func pipe() throws(PosixError) -> (reading: Int32, writing: Int32) {
        var fds: [Int32] = [0, 0]
        guard unsafe fds.withUnsafeMutableBufferPointer({ unsafe clinux_pipe($0.baseAddress) }) == 0 else {
            throw .last("pipe2")
        }
        return (fds[0], fds[1])
    }

    /// Whether a descriptor is a terminal.
    package static func isTerminal(_ fd: Int32) -> Bool { isatty(fd) == 1 }

    /// The lines of a terminal; nil for what is none.
    package static func terminalRows(_ fd: Int32) -> Int? {
        let n = clinux_winsize_rows(fd)
        return n > 0 ? Int(n) : nil
    }

    /// The terminal's width in columns, nil when it is none.
    package static func terminalColumns(_ fd: Int32) -> Int? {
        let n = clinux_winsize_columns(fd)
        return n > 0 ? Int(n) : nil
    }
}
