import Glibc
import Posix
import TestSupport
import Testing

/// Runs a shell line and gives what it printed and how it ended.
private func shell(_ line: String, environment: [String: String] = [:], directory: String? = nil) throws -> (
    text: String, ending: Process.Ending?
) {
    let ends = try Process.pipe()
    let reading = Descriptor(owning: ends.reading), writing = Descriptor(owning: ends.writing)
    let pid = try Process.start(
        "/bin/sh", ["-c", line], environment: environment, streams: Process.Streams(output: writing.raw),
        directory: directory)
    _ = consume writing
    var bytes: [UInt8] = []
    while let n = try System.read(reading.raw, into: &bytes, most: 4_096), n > 0 {}
    return (text(bytes), try Process.reap(pid))
}

@Suite struct `A process` {
    @Test(arguments: [
        ("exit 0", Process.Ending.exited(0)), ("exit 7", .exited(7)), ("kill -9 $$", .signalled(9)),
        ("kill -15 $$", .signalled(15)),
    ])
    func `is reaped with how it ended`(_ line: String, _ ending: Process.Ending) throws {
        #expect(try shell(line).ending == ending)
    }

    @Test func `gets its arguments, its environment and its directory, and nothing else`() throws {
        let ran = try shell(
            "echo \"$A|$PATH|$HOME\"; pwd; echo 'two  words'", environment: ["A": "a=b c", "PATH": "/bin"],
            directory: "/")
        #expect(ran.text == "a=b c|/bin|\n/\ntwo  words\n")
    }

    @Test func `reads nothing and prints nowhere unless told`() throws {
        #expect(try shell("cat; echo done; echo lost >&2").text == "done\n")
    }

    @Test func `inherits no descriptor of ours but the three`() throws {
        try TemporaryDirectory.with { directory in
            let file = try Files.open(directory.file("secret"), .creatingNew),
                listener = try UnixSocket.listen(at: directory.file("s"), mode: 0o600)
            let path = ["PATH": "/bin:/usr/bin"]
            let open = try shell("ls -l /proc/self/fd", environment: path).text
            for fd in [file.raw, listener.raw] {
                let name = try shell("readlink /proc/\(Process.id)/fd/\(fd)", environment: path).text
                    .dropLast()
                #expect(!name.isEmpty && open.contains(" -> ") && !open.contains(name))
            }
            _ = consume file
            _ = consume listener
        }
    }

    @Test(arguments: [true, false])
    func `in a session of its own inherits nothing, not even what we were given ourselves`(_ isDetached: Bool)
        throws
    {
        try TemporaryDirectory.with { directory in
            // As a shell's `exec 9>lock` leaves it: open across an exec.
            let lock = try Files.open(directory.file("lock"), .creatingNew)
            let given = dup(lock.raw)
            defer { close(given) }
            let out = try Files.open(directory.file("out"), .creatingNew)
            let pid = try Process.start(
                "/bin/ls", ["-l", "/proc/self/fd"], environment: [:],
                streams: Process.Streams(output: out.raw, error: out.raw), isDetached: isDetached)
            #expect(try Process.reap(pid) == .exited(0))
            let open = text(try Files.read(directory.file("out")))
            #expect(open.contains(directory.file("lock")) == !isDetached, "\(open)")
            _ = consume lock
            _ = consume out
        }
    }

    @Test func `is ended by a pipe that nobody reads, as any program expects`() throws {
        #expect(
            try shell("yes | head -n 1 >/dev/null; yes >&- 2>/dev/null; sh -c 'kill -PIPE $$'; echo $?").text
                == "141\n")
    }

    @Test func `runs with no signal blocked`() throws {
        let pipe = try Signals.descriptor(for: [])
        #expect(
            try shell(
                "while read name value; do test \"$name\" = SigBlk: && echo $value; done < /proc/self/status"
            ).text == "0000000000000000\n")
        _ = consume pipe
    }

    @Test func `that still runs is not waited for when that is not wanted`() throws {
        let ends = try Process.pipe()
        let reading = Descriptor(owning: ends.reading), writing = Descriptor(owning: ends.writing)
        let pid = try Process.start(
            "/bin/cat", [], environment: [:], streams: Process.Streams(input: reading.raw))
        #expect(try Process.reap(pid, isWaiting: false) == nil)
        #expect(Process.exists(pid))
        try Process.signal(pid, Signals.kill)
        #expect(try Process.reap(pid) == .signalled(9))
        #expect(!Process.exists(pid))
        _ = consume writing
    }

    @Test func `that cannot be started is an error with its path`() {
        let error = #expect(throws: PosixError.self) {
            try Process.start("/no/such/program", [], environment: [:])
        }
        #expect(error == PosixError("posix_spawn", "/no/such/program", errno: ENOENT))
    }

    @Test func `detached has a session of its own`() throws {
        let pid = try Process.start("/bin/sleep", ["60"], environment: [:], isDetached: true)
        #expect(getsid(pid) == pid)
        try Process.signal(pid, Signals.kill)
        #expect(try Process.reap(pid) == .signalled(9))
    }
}

@Suite struct `A descriptor` {
    @Test func `closes itself, unless it was given away`() throws {
        // The other end tells; the number itself may belong to another test by then.
        let ends = try Process.pipe()
        do { _ = Descriptor(owning: ends.writing) }
        var bytes: [UInt8] = []
        #expect(try System.read(ends.reading, into: &bytes, most: 1) == 0)
        let number = Descriptor(owning: ends.reading).release()
        #expect(fcntl(number, F_GETFD) != -1)
        _ = Descriptor(owning: number)
    }
}

@Suite struct `The machine` {
    @Test func `has a clock that never goes back`() {
        var last = Machine.monotonic()
        for _ in 0..<10_000 {
            let now = Machine.monotonic()
            #expect(now >= last)
            last = now
        }
    }

    @Test func `gives other random bytes each time`() {
        #expect(Machine.random(16).count == 16)
        #expect(Machine.random(16) != Machine.random(16))
        #expect(Machine.random(0) == [])
        let numbers = RandomNumbers()
        #expect(Set((0..<1_000).map { _ in numbers.next() }).count == 1_000)
    }
}
