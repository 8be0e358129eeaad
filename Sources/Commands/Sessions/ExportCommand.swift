internal import Conversation
internal import ConvoClient
internal import Crypto
internal import JSON
internal import Posix
internal import Protocol
internal import Transcripts

extension Option {
    fileprivate static let all = Option(long: "all", help: "every session, archived ones too")
    fileprivate static let after = Option(
        long: "after", value: "MESSAGE",
        help: "of one session only what follows this message: its number or ID")
    fileprivate static let force = Option(
        long: "force", help: "with -o: overwrite a file that is there, unasked")
    fileprivate static let format = Option(
        short: "f", long: "format", value: "FORMAT",
        help: "jsonl (lossless, default), json, markdown, html, openai, anthropic, gemini")
    fileprivate static let noPaths = Option(
        long: "no-paths", help: "in jsonl and json without the directory and the tool servers of the session")
    fileprivate static let output = Option(
        short: "o", long: "output", value: "FILE", help: "write to a file, whole or not at all")
}

extension Command {
    static let export = Command(
        name: "export", summary: "write sessions down", arguments: "[ID…]", count: 0...Int.max,
        options: [.after, .all, .continue, .force, .format, .noPaths, .output, .session, .since],
        details: """
            Without an ID the session that convo used last; with --all every one, the oldest first, or with --since those
            that changed from then on. The formats are jsonl (Session Trace Simple Format, a record a line, with every
            branch, turn and summary; 'convo import' reads it back, several sessions of one file too), markdown (the active
            path), json (the records of jsonl in one array), openai, anthropic and gemini (the active path as they take it,
            a session a line), and html (one page that loads nothing, with search and folded branches; with --all a folder of pages and
            a list). The result is checked against the daemon's count and checksum. A file that is there is not
            overwritten unasked: on a terminal it asks, elsewhere --force is needed.
            """
    ) { invocation throws(CommandError) in
        let format = invocation.value(.format) ?? "jsonl"
        guard format == "html" || ExportShape.names.contains(format) else {
            throw .usage("--format is \(ExportShape.names.joined(separator: ", ")) or html, not '\(format)'")
        }
        if invocation.has(.since) && !invocation.has(.all) { throw .usage("--since goes with --all") }
        let isPlain = ["jsonl", "json", "markdown"].contains(format)
        if invocation.has(.after), invocation.has(.all) || invocation.positionals.count > 1 || !isPlain {
            throw .usage("--after is for one session, as jsonl, json or markdown")
        }
        let since = try invocation.since()
        let client = try invocation.connect()
        let console = invocation.console
        let after = try invocation.value(.after).map { name throws(CommandError) in
            let session = try SessionChoice(client: client, console: invocation.console).session(
                named: invocation.sessionName())
            return try MessageChoice(client, session).id(of: name)
        }
        if format == "html" { return try exportPages(invocation, client, since) }
        var shape = ExportShape(format, after: after, hasPaths: !invocation.has(.noPaths))
        if let path = invocation.value(.output), path != "-" {
            if !invocation.has(.force) {
                var input = StandardInput()
                try SessionExport.mayOverwrite(path, console) { (question) throws(CommandError) in
                    try input.answer(to: question)
                }
            }
            var sums = (records: 0, sessions: 0)
            try ExportFile(path).write { (write) throws(CommandError) in
                try exported(invocation, client, since) { session throws(CommandError) in
                    sums.records += try shape.export(session, client, into: path, write)
                    sums.sessions += 1
                    console.progress(
                        "\(Times.count(sums.sessions, "session")), \(Times.count(sums.records, "record"))")
                }
                try shape.finish(into: path, write)
            }
            console.progress(nil)
            let sessions = sums.sessions == 1 ? "" : " of \(Times.count(sums.sessions, "session"))"
            console.note("\(Times.count(sums.records, "record"))\(sessions) in '\(path)'")
        } else {
            func write(_ bytes: [UInt8]) throws(PosixError) {
                if !console.isOutputTerminal { return try Console.write(bytes, to: 1) }
                if format == "markdown" {
                    console.write(verbatim: String(decoding: bytes, as: UTF8.self))
                } else {
                    console.write(json: bytes)
                }
            }
            try exported(invocation, client, since) { session throws(CommandError) in
                _ = try shape.export(session, client, into: nil, write)
            }
            try shape.finish(into: nil, write)
        }
        if let words = BranchTree.words(ofLeftOut: shape.leftOut) { console.note(words) }
        return .success
    }

    /// One page to a file or to standard output, or a folder of pages with a list.
    private static func exportPages(_ invocation: Invocation, _ client: Client, _ since: Int64?)
        throws(CommandError) -> ExitCode
    {
        let console = invocation.console, isMany = invocation.has(.all) || invocation.positionals.count > 1
        let path = invocation.value(.output).flatMap { $0 == "-" ? nil : $0 }
        func page(_ session: String) throws(CommandError) -> HTMLPage {
            var page = HTMLPage()
            _ = try SessionExport(client: client, session: session, format: "jsonl")
                .read(into: path) { page.add($0) }
            return page
        }
        guard isMany else {
            try exported(invocation, client, since) { session throws(CommandError) in
                let html = try page(session).page
                guard let path else { return console.write(Array(html.utf8)) }
                if !invocation.has(.force) {
                    var input = StandardInput()
                    try SessionExport.mayOverwrite(path, console) { (question) throws(CommandError) in
                        try input.answer(to: question)
                    }
                }
                try ExportFile(path).write(html)
                console.note("written to '\(path)'")
            }
            return .success
        }
        guard let folder = path else {
            throw .usage("several pages need a folder: give -o DIRECTORY")
        }
        if let status = try? Files.status(folder), status.kind != .directory || !invocation.has(.force) {
            throw CommandError(
                .failure, "'\(folder)' is there already; --force writes into a directory that is there")
        }
        do throws(PosixError) { try Files.makeDirectories(folder) } catch {
            throw ExportFile.failed(folder, error)
        }
        var rows: [HTMLPage.Row] = []
        try exported(invocation, client, since) { session throws(CommandError) in
            let made = try page(session), listed = made.listed,
                file = (session == "index" ? "_index" : session) + ".html"
            try ExportFile(folder + "/" + file).write(made.page)
            rows.append(
                HTMLPage.Row(
                    file: file, title: listed.title, count: listed.count, words: listed.words,
                    updatedAt: made.session?.updatedAt ?? 0))
            console.progress(Times.count(rows.count, "session"))
        }
        console.progress(nil)
        try ExportFile(folder + "/index.html").write(HTMLPage.index(rows.reversed()))
        console.note("\(Times.count(rows.count, "session")) in '\(folder)'; open '\(folder)/index.html'")
        return .success
    }

    /// Hands out the sessions that are meant.
    private static func exported(
        _ invocation: Invocation, _ client: Client, _ since: Int64?,
        _ body: (String) throws(CommandError) -> Void
    ) throws(CommandError) {
        guard invocation.has(.all) else {
            let choice = SessionChoice(client: client)
            if invocation.positionals.count <= 1 {
                return try body(choice.session(named: invocation.sessionName()).id)
            }
            for name in invocation.positionals { try body(choice.session(named: name).id) }
            return
        }
        guard invocation.positionals.isEmpty, !invocation.has(.session) else {
            throw .usage("--all exports every session: name none")
        }
        // Those that were made first come first, archived ones too.
        for isArchived in [false, true] {
            var cursor: String?
            repeat {
                let page = try client.ask(Method.SessionFind.self) {
                    $0.member("order", "asc")
                    $0.member("limit", 500)
                    if isArchived { $0.member("archived", true) }
                    if let since { $0.member("since", Timestamp.text(since)) }
                    $0.optional("cursor", cursor)
                }
                for session in page.sessions where session.ephemeral == nil { try body(session.id) }
                cursor = page.nextCursor
            } while cursor != nil
        }
    }
}

/// One export, from the first record to the check at the end.
struct SessionExport {
    let client: Client
    let session: String
    let format: String
    /// Only what follows this message; nil for all.
    var after: String?
    /// Whether what names places of this machine is told.
    var hasPaths = true

    /// Asks before a file is overwritten, and refuses where nobody can be asked; devices and the like are written into.
    static func mayOverwrite(
        _ path: String, _ console: Console, answer: (String) throws(CommandError) -> String?
    ) throws(CommandError) {
        let status: FileStatus?
        do { status = try Files.status(path, follows: true) } catch {
            throw CommandError(.failure, "cannot look at '\(path)': \(error.reason)")
        }
        guard let status, status.kind == .regular else { return }
        guard StandardInput.isTerminal, console.isErrorTerminal else {
            throw CommandError(.failure, "'\(path)' is there already; --force overwrites it")
        }
        let said = try answer("'\(path)' is there already; overwrite it? [y/N] ")
        guard let said, ["y", "yes"].contains(said.lowercased()) else {
            throw CommandError(.failure, "nothing was written")
        }
    }

    /// Writes it to a file, whole or not at all; returns the number of records.
    func write(to path: String) throws(CommandError) -> Int {
        var count = 0
        try ExportFile(path).write { (write) throws(CommandError) in count = try run(into: path, write) }
        return count
    }

    /// Hands each record to `take`, and checks as `run` does; the format must be jsonl.
    func read(into path: String?, _ take: (TranscriptRecord) -> Void) throws(CommandError) -> Int {
        var decoder = TranscriptFormat.jsonl.decoder?(), problem: TranscriptError?
        let count = try run(into: path) { bytes throws(PosixError) in
            do throws(TranscriptError) {
                for record in try decoder?.feed(bytes) ?? [] { take(record) }
            } catch { problem = error }
        }
        if let problem {
            throw CommandError(.failure, "the export cannot be read: \(problem.description)")
        }
        return count
    }

    /// Hands each record with its LF to `write` and checks count and checksum; returns the number of records.
    ///
    /// `path` is where they go, nil for standard output.
    func run(into path: String?, _ write: ([UInt8]) throws(PosixError) -> Void) throws(CommandError) -> Int {
        var digest = SHA256Digest()
        var count = 0
        var failure: PosixError?
        let params = JSONWriter.object {
            $0.member("sessionId", session)
            $0.member("format", format)
            $0.optional("after", after)
            if !hasPaths { $0.member("paths", false) }
        }
        let result: Method.Export.Result
        do throws(ClientError) {
            result = try client.call(Method.Export.self, params) { event in
                guard failure == nil, let record = SessionExport.record(in: event) else { return }
                let line = record + [0x0A]
                digest.update(line)
                count += 1
                do throws(PosixError) { try write(line) } catch { failure = error }
            }
        } catch { throw CommandError(error) }
        if let failure {
            guard let path else {
                throw CommandError(.failure, "cannot write to standard output: \(failure.reason)")
            }
            throw ExportFile.failed(path, failure)
        }
        let sum = digest.finish().hexadecimal
        guard result.count == count, result.sha256 == sum else {
            let expected = "\(result.count) records, sha256 \(result.sha256)"
            throw CommandError(
                .failure,
                "the export is not whole: got \(count) records, sha256 \(sum), expected \(expected); try again"
            )
        }
        return count
    }

    private static func record(in event: Client.Event) -> [UInt8]? {
        guard case .notification("_convod/export/item", let params) = event, let record = params?["record"]
        else { return nil }
        return record.utf8 ?? Array(record.raw)
    }
}

/// A file that is written whole or not at all.
struct ExportFile {
    private let path: String
    /// Of a new file; one that is there keeps its own.
    private let mode: UInt32

    init(_ path: String, mode: UInt32 = 0o600) {
        self.path = path
        self.mode = mode
    }

    /// Writes to a neighbour of the file and renames it when everything is there.
    ///
    /// A rename would put a plain file in the place of a device or a symlink, so these are written into.
    func write(_ body: (([UInt8]) throws(PosixError) -> Void) throws(CommandError) -> Void)
        throws(CommandError)
    {
        // One that cannot be looked at cannot be written either, and that is said then.
        let status = (try? Files.status(path)) ?? nil
        if let status, status.kind != .regular {
            let file = try open()
            return try body { bytes throws(PosixError) in try Console.write(bytes, to: file.raw) }
        }
        let side = Files.side(of: path, "part"), file = try openNew(side)
        do throws(CommandError) {
            try body { bytes throws(PosixError) in try Console.write(bytes, to: file.raw) }
            do throws(PosixError) {
                // Whom somebody lets read it may read what takes its place; another group than the one that was let gets nothing.
                if status == nil, mode != 0o600 { try Files.setMode(file, mode, path: side) }
                if let status {
                    let group = try Files.status(side)?.group
                    let mode = status.mode & (group == status.group ? 0o777 : 0o707)
                    try Files.setMode(file, mode, path: side)
                }
                try Files.rename(side, to: path)
            } catch {
                throw ExportFile.failed(path, error)
            }
        } catch {
            try? Files.remove(side)
            throw error
        }
    }

    /// Writes a whole text.
    func write(_ text: String) throws(CommandError) {
        try write { (write) throws(CommandError) in
            do throws(PosixError) { try write(Array(text.utf8)) } catch {
                throw ExportFile.failed(path, error)
            }
        }
    }

    private func openNew(_ side: String) throws(CommandError) -> Descriptor {
        do { return try Files.openNew(side) } catch { throw ExportFile.failed(path, error) }
    }

    private func open() throws(CommandError) -> Descriptor {
        do { return try Files.open(path, .replacing) } catch { throw ExportFile.failed(path, error) }
    }

    static func failed(_ path: String, _ error: PosixError) -> CommandError {
        CommandError(.failure, "cannot write '\(path)': \(error.reason)")
    }
}
