internal import ConvoClient
internal import Crypto
internal import JSON
internal import Posix
internal import Protocol

extension Option {
    fileprivate static let changed = Option(
        long: "changed", help: "sessions whose records are not those that were exported, too")
    fileprivate static let dryRun = Option(long: "dry-run", help: "only say what would be read in")
}

extension Command {
    static let importing = Command(
        name: "import", summary: "read sessions in that 'convo export' wrote", arguments: "FILE…",
        count: 1...Int.max, options: [.changed, .dryRun, .json],
        details: """
            Reads jsonl, of one session or of many; '-' is standard input. A session is there whole or not at all. IDs that
            are free are kept; a session that is there already is left as it is, so that reading a file twice changes
            nothing. Turns, receipts and usage come back as history and count in no quota. A session that cannot be read, or
            whose checksum shows that it was cut or changed, is reported, the others go on, and the exit code is 1.
            --changed takes such a one as it is: of a file that was cut the lines that are whole.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        var reading = ImportReading(
            client, invocation.console, isDryRun: invocation.has(.dryRun),
            takesChanged: invocation.has(.changed))
        for path in invocation.positionals { try reading.tryToRead(path) }
        reading.finish(isJSON: invocation.has(.json))
        return reading.problems == 0 ? .success : .failure
    }
}

/// How many records there are, and the checksum over them, as they come.
private final class RunningSeal {
    private var digest: SHA256Digest? = SHA256Digest()
    private(set) var count = 0

    func add(_ line: [UInt8]) {
        count += 1
        digest?.update(line + [0x0A])
    }

    /// In hexadecimal, over what was added so far.
    var sum: String { digest?.soFar().hexadecimal ?? "" }
}

/// Reads files of sessions and passes them on, some records at a time.
private struct ImportReading {
    /// Records and bytes of one call.
    private static let few = 500, fewBytes = 1 << 20

    private let client: Client
    private let console: Console
    private let isDryRun: Bool
    /// Whether a session is read in though its checksum is another one.
    private let takesChanged: Bool
    private(set) var problems = 0
    /// Whether the file that is read was told to be of another kind, and its lines so far.
    private var isForeign = false
    private var lines = 0
    private var sums = Sums()

    /// What was read in.
    private struct Sums {
        var sessions = 0, existing = 0, trashed = 0, older = 0, messages = 0, shared = 0, renamed = 0,
            turns = 0,
            summaries = 0
    }

    /// A session whose records are on their way.
    private struct Open {
        let place: String
        var id: String?
        var name: String
        var records: [[UInt8]] = []
        var bytes = 0
        /// Whether what follows of it is passed over.
        var isSkipped = false
        /// What the daemon said of one of which it needs no more.
        var told: Method.Import.Result?
        /// What its checksum is made of.
        let seal = RunningSeal()
        /// Whether its header says that a checksum follows, and whether it has come.
        var hasSeal = false, isSealed = false
        /// Whether its checksum is another one.
        var isBroken = false
    }
    private var open: Open?

    init(_ client: Client, _ console: Console, isDryRun: Bool, takesChanged: Bool) {
        self.client = client
        self.console = console
        self.takesChanged = takesChanged
        self.isDryRun = isDryRun
    }

    /// Reads a file; one that cannot be read is reported, and the others go on.
    mutating func tryToRead(_ path: String) throws(CommandError) {
        (isForeign, lines) = (false, 0)
        do throws(CommandError) { try read(path) } catch {
            if error.code == .noDaemon { throw error }
            open = nil
            complain(error.message)
            return
        }
        if lines == 0 { complain("'\(path)' is empty: there is nothing to read in") }
    }

    private mutating func read(_ path: String) throws(CommandError) {
        if path == "-" { return try read(descriptor: 0, path) }
        let file: Descriptor
        do { file = try Files.open(path, .reading) } catch {
            throw CommandError(.failure, "cannot read '\(path)': \(error.reason)")
        }
        try read(descriptor: file.raw, path)
        _ = file.raw  // open until here
    }

    private mutating func read(descriptor: Int32, _ path: String) throws(CommandError) {
        var rest: [UInt8] = [], line = 0, isAtEnd = false
        while !isAtEnd {
            let before = rest.count
            do throws(PosixError) {
                isAtEnd = try System.read(descriptor, into: &rest, most: 256 << 10) == 0
            } catch { throw CommandError(.failure, "cannot read '\(path)': \(error.reason)") }
            var start = 0, from = before
            while let end = rest[from...].firstIndex(of: 0x0A) {
                line += 1
                // A line may end as other systems end it; the CR is none of its bytes.
                let last = end > start && rest[end - 1] == 0x0D ? end - 1 : end
                try take(Array(rest[start..<last]), "'\(path)', line \(line)")
                start = end + 1
                from = start
            }
            if isAtEnd && start < rest.count {
                try take(Array(rest[start...]), "'\(path)', line \(line + 1)", isTorn: true)
                start = rest.count
            }
            rest.removeFirst(start)
            guard rest.count <= Limits().line else {
                throw CommandError(
                    .failure,
                    "'\(path)', line \(line + 1) has more than \(Limits().line >> 20) MiB: no record is so long"
                )
            }
        }
        try end()
    }

    /// Takes one line; `isTorn` is said of a last one without its LF.
    private mutating func take(_ bytes: [UInt8], _ place: String, isTorn: Bool = false) throws(CommandError) {
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
        lines += 1
        let view: JSONView
        do { view = try JSONDocument(bytes, depth: 160).root } catch {
            // Of a file that is no such one at all one line is told.
            if open != nil || !isForeign {
                complain("\(place) is not JSON: \(error.description)")
                if open == nil { isForeign = true }
            }
            // Where a file was cut, the session before it may be whole, or be taken as far as it goes.
            let isKept = takesChanged || open?.isSealed == true
            if !isTorn || !isKept { open?.isSkipped = true }
            return
        }
        if view["type"]?.string == "session" {
            try end()
            open = Open(place: place, name: view["id"]?.string ?? "")
            open?.hasSeal = view["checksum"]?.string == "sha256"
        }
        if let now = open, now.hasSeal {
            if view["type"]?.string == "end" { return checkSeal(view, place) }
            if now.isSealed, !takesChanged, !now.isBroken {
                complain(
                    "\(place): session '\(now.name)' goes on behind its end; --changed reads it in as it is")
                open?.isBroken = true
                open?.isSkipped = true
            }
        }
        open?.seal.add(bytes)
        guard open != nil else {
            if !isForeign {
                isForeign = true
                complain(
                    "\(place): a file begins with a record of type 'session', as 'convo export' writes it; what other tools write is not read yet"
                )
            }
            return
        }
        // A large record goes in a call of its own.
        if let now = open, !now.records.isEmpty, now.bytes + bytes.count > ImportReading.fewBytes {
            try pass(isEnd: false)
        }
        open?.records.append(bytes)
        open?.bytes += bytes.count
        if let now = open, now.records.count >= ImportReading.few || now.bytes >= ImportReading.fewBytes {
            try pass(isEnd: false)
        }
    }

    /// Passes on what there is of the open session.
    private mutating func pass(isEnd: Bool) throws(CommandError) {
        guard var now = open else { return }
        defer { open = now }
        let records = now.records
        (now.records, now.bytes) = ([], 0)
        if now.isSkipped { return }
        let told: Method.Import.Result
        do throws(CommandError) {
            told = try client.ask(Method.Import.self) {
                $0.optional("importId", now.id)
                $0.key("records")
                $0.array { for record in records { $0.raw(record) } }
                if isEnd && !isDryRun {
                    $0.member("end", true)
                    if takesChanged { $0.member("cut", true) }
                }
                if isDryRun { $0.member("dryRun", true) }
            }
        } catch {
            if error.code == .noDaemon { throw error }
            complain("\(now.place), session '\(now.name)': \(error.message)")
            now.isSkipped = true
            return
        }
        now.id = told.importId
        // A dry run has asked all there is to ask, and so has what is there already.
        now.isSkipped = isDryRun || told.exists == true
        if isEnd || now.isSkipped { now.told = told }
        console.progress("\(Times.count(sums.sessions, "session")), \(Times.count(sums.messages, "message"))")
    }

    private mutating func count(_ told: Method.Import.Result) {
        if told.trashed == true { sums.trashed += 1 }
        if told.older == true { sums.older += 1 }
        if told.exists == true { sums.existing += 1 } else { sums.sessions += 1 }
        sums.messages += told.messages
        sums.shared += told.sharedMessages
        sums.renamed += told.renamedMessages
        sums.turns += told.turns
        sums.summaries += told.summaries
    }

    /// The open session has no more records.
    private mutating func end() throws(CommandError) {
        guard let now = open else { return }
        if now.hasSeal, !now.isSealed, !takesChanged, !now.isBroken, !now.isSkipped || now.told != nil {
            complain(
                "\(now.place), session '\(now.name)' was cut: its checksum is not there; --changed reads in what there is"
            )
            open?.isBroken = true
        }
        if !(open?.isBroken ?? false) { try pass(isEnd: true) }
        if let told = open?.told, !(open?.isBroken ?? false) { count(told) }
        open = nil
    }

    /// Holds the checksum of the open session against its records.
    private mutating func checkSeal(_ view: JSONView, _ place: String) {
        guard let now = open else { return }
        open?.isSealed = true
        let count = view["records"]?.int
        if takesChanged || count == now.seal.count && view["sha256"]?.string == now.seal.sum { return }
        let why =
            count == now.seal.count
            ? "was changed since it was exported"
            : "has \(now.seal.count) of the \(count ?? 0) records that were exported"
        complain("\(place): session '\(now.name)' \(why); --changed reads it in as it is")
        open?.isBroken = true
        open?.isSkipped = true
    }

    private mutating func complain(_ words: String) {
        problems += 1
        console.progress(nil)
        Console.complain(words)
    }

    func finish(isJSON: Bool) {
        console.progress(nil)
        if isJSON {
            let sums = sums, problems = problems
            console.write(
                json: JSONWriter.object {
                    $0.member("sessions", sums.sessions)
                    $0.member("existing", sums.existing)
                    $0.member("messages", sums.messages)
                    $0.member("sharedMessages", sums.shared)
                    $0.member("renamedMessages", sums.renamed)
                    $0.member("turns", sums.turns)
                    $0.member("summaries", sums.summaries)
                    $0.member("problems", problems)
                } + [0x0A])
            return
        }
        let there =
            sums.existing == 0
            ? ""
            : "; \(Times.count(sums.existing, "session")) \(sums.existing == 1 ? "was" : "were") there already"
        if sums.older > 0 {
            console.note(
                "\(Times.count(sums.older, "session")) of them changed in the file after they did here, and are left as they are: purge them to have the file's"
            )
        }
        if sums.trashed > 0 {
            console.note(
                "\(Times.count(sums.trashed, "session")) of them in the trash: 'convo ls --trashed' lists them, 'convo restore' brings them back"
            )
        }
        if isDryRun {
            return console.print("would read \(Times.count(sums.sessions, "session"))\(there)")
        }
        console.print(
            "read \(Times.count(sums.sessions, "session")) with \(Times.count(sums.messages, "message")), \(Times.count(sums.turns, "turn")), \(Times.count(sums.summaries, "summary", plural: "summaries"))\(there)"
        )
        if sums.renamed > 0 {
            console.note("\(Times.count(sums.renamed, "message")) got another ID, since theirs was taken")
        }
    }
}
