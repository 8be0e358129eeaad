internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

extension Option {
    fileprivate static let damaged = Option(
        long: "damaged", help: "with --restore: put it in place though it is damaged")
    fileprivate static let restore = Option(
        long: "restore", help: "put FILE in the database's place; no daemon may run")
}

extension Command {
    static let backup = Command(
        name: "backup", summary: "copy the database while the daemon runs, or put a copy back",
        arguments: "FILE", count: 1...1, options: [.damaged, .restore],
        details: """
            The copy is whole and on the disk when the command ends, and nothing waits for it. --restore puts one in the
            database's place, once it was looked at from one end to the other: what was there stays beside it, its log
            with it, so that nothing of the old is played into the new; the name is said.
            """
    ) { invocation throws(CommandError) in
        if invocation.positionals[0] == "-" {
            throw .usage("a copy is a file, no stream; give its name, './-' for one that is called '-'")
        }
        let path = Files.absolute(invocation.positionals[0])
        if invocation.has(.restore) {
            if let running = try invocation.running() {
                throw CommandError(
                    .failure,
                    "a daemon runs on '\(running.identity.database ?? invocation.locator.database)'; 'convo stop' ends it"
                )
            }
            let place = invocation.locator.database
            if let owner = invocation.locator.lockOwner() {
                throw CommandError(.failure, "process \(owner.pid) has '\(place)' open; end it first")
            }
            let starter = DaemonStarter(invocation.locator, environment: invocation.environment)
            let old = try Restoring(path, to: place).run { () throws(CommandError) in
                if invocation.has(.damaged) { return }
                let problem: String?
                do throws(ClientError) { problem = try starter.problem(ofCopy: path) } catch {
                    throw CommandError(error)
                }
                if let problem {
                    // What a newer build made is whole, and no repair of this one's makes it older.
                    let advice =
                        problem.contains("start a newer build")
                        ? ""
                        : "; --damaged puts it in place all the same, and 'convo check --repair' may mend it"
                    throw CommandError(
                        .failure,
                        "'\(path)' is not restored: \(problem)\(advice)"
                    )
                }
            }
            invocation.console.note(
                "'\(place)' is the copy now, and 'convo check' looks at it"
                    + (old.map { "; what was there is '\($0)'" } ?? ""))
            return .success
        }
        let client = try invocation.connect()
        let made = try client.ask(Method.StoreBackup.self) { $0.member("path", path) }
        invocation.console.note("\(Times.bytes(made.bytes)) in '\(made.path)'")
        return .success
    }
}

/// A copy on its way into the database's place.
private struct Restoring {
    private let copy: String
    private let place: String

    init(_ copy: String, to place: String) {
        self.copy = copy
        self.place = place
    }

    /// Gives the name of what was there; nil where nothing was.
    ///
    /// `look` goes through the whole copy, and throws where something is wrong with it.
    func run(_ look: () throws(CommandError) -> Void) throws(CommandError) -> String? {
        let bytes = try check()
        try look()
        do throws(PosixError) {
            let side = place + ".restoring"
            try Files.makeDirectories(Files.directory(of: place))
            // As a daemon has it: none begins on what is half in place.
            let lock = try Files.open(place + ".lock", .readingAndCreating)
            try Files.lock(lock.raw)
            try Files.remove(side)
            let file = try Files.openOwn(side, .creatingNew)
            try copyAll(to: file.raw, bytes)
            try Files.sync(side)
            let old = try setAside()
            try Files.rename(side, to: place)
            try Files.syncDirectory(of: place)
            return old
        } catch {
            throw CommandError(.failure, "cannot restore '\(copy)' to '\(place)': \(error.description)")
        }
    }

    /// Whether it is a whole database of convod's, by its head (https://sqlite.org/fileformat2.html, 1.3); gives its bytes.
    private func check() throws(CommandError) -> Int {
        func refuse(_ why: String) -> CommandError {
            CommandError(.failure, "'\(copy)' is not restored: \(why)")
        }
        let status: FileStatus?
        do { status = try Files.status(copy, follows: true) } catch { throw refuse(error.reason) }
        guard let status else { throw CommandError(.failure, "there is no file '\(copy)'") }
        // One that cannot be resolved is not there, or is told of below.
        if let a = try? Files.resolved(copy), let b = try? Files.resolved(place), a == b {
            throw refuse("it is the database itself")
        }
        guard status.kind == .regular, status.size >= 512 else { throw refuse("it is no database") }
        // One that cannot be looked at cannot be copied either, and that is said then.
        if let log = try? Files.status(copy + "-wal"), log.size > 0 {
            throw refuse(
                "there is '\(copy)-wal' beside it, so it is in use, or no finished copy; 'convo backup' makes those"
            )
        }
        var head: [UInt8] = []
        do throws(PosixError) {
            let file = try Files.open(copy, .reading)
            while head.count < 100, try System.read(file.raw, into: &head, most: 100 - head.count) != 0 {}
        } catch { throw refuse(error.reason) }
        func number(_ at: Int) -> UInt32 { head[at..<(at + 4)].reduce(0) { $0 << 8 | UInt32($1) } }
        guard head.count == 100, head.starts(with: Array("SQLite format 3\0".utf8)), number(68) == 0x436E_7664
        else {
            throw refuse("it is no database of convod's")
        }
        let page = UInt32(head[16]) << 8 | UInt32(head[17]), pages = number(28)
        let expected = Int(page == 1 ? 65_536 : page) * Int(pages)
        guard pages == 0 || Int(status.size) >= expected else {
            throw refuse("it has \(status.size) bytes and should have \(expected): it was cut")
        }
        return Int(status.size)
    }

    private func copyAll(to target: Int32, _ bytes: Int) throws(PosixError) {
        let source = try Files.open(copy, .reading)
        var buffer: [UInt8] = []
        while true {
            buffer.removeAll(keepingCapacity: true)
            if try System.read(source.raw, into: &buffer, most: 1 << 20) == 0 { return }
            try Console.write(buffer, to: target)
        }
    }

    private func isTaken(_ name: String) throws(PosixError) -> Bool {
        for end in ["", "-wal", "-journal", "-shm"] where try Files.status(name + end) != nil { return true }
        return false
    }

    /// Moves what is there away: the log first, so that it never lies beside another database.
    private func setAside() throws(PosixError) -> String? {
        guard try Files.status(place) != nil else { return nil }
        let time = Machine.milliseconds() / 1_000
        var old = "\(place).before-\(time)", number = 1
        // What was set aside before is never written over.
        while try isTaken(old) {
            number += 1
            old = "\(place).before-\(time).\(number)"
        }
        for end in ["-wal", "-journal", "-shm"] where try Files.status(place + end) != nil {
            try Files.rename(place + end, to: old + end)
        }
        try Files.rename(place, to: old)
        return old
    }
}
