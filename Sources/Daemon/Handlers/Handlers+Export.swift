internal import Archive
internal import Conversation
internal import Crypto
internal import JSON
internal import Protocol
internal import Store
internal import Transcripts

extension Handlers {
    static let export: [Handler] = [.on(Method.Export.self) { $0.export }]

    private func export(_ request: Request<Method.Export>) throws(WireError) {
        guard let format = formats[request.parameters.format] else {
            let words = formats.names.map { "'\($0)'" }.joined(separator: " or ")
            throw .invalid("'format' must be \(words)")
        }
        withSession(request.call, request.parameters.id) { [self] record in
            let run = ExportRun(request, record, format, archives, configuration)
            request.call.onCancel = { run.cancel() }
            run.begin()
        }
    }
}

/// One export: a notification a record, paced by the client's reading, then the result.
///
/// It covers exactly the messages of the active path that were there at its start, and of a format that holds more than that the
/// branches that were there, and then the turns. No cursor stays open while it waits for the client.
private final class ExportRun {
    private let request: Request<Method.Export>
    private let session: SessionRecord
    private let format: TranscriptFormat
    private let archives: Archives
    private let configuration: CurrentConfiguration
    /// What every notification begins with, up to its record.
    private let head: [UInt8]
    private var encoder: any TranscriptEncoder
    private var count = 0
    private var digest = DigestBox()
    private var isOver = false
    /// Stretches of branches beside the active path that are still to be sent, the next one last.
    private var stretches: [Stretch] = []
    /// The newest turn of those that are told; nil for none.
    private var lastTurn: TurnRow?

    /// Messages of a branch that are on no other's path.
    private struct Stretch {
        let path: SessionRecord
        let from: Int
    }

    init(
        _ request: Request<Method.Export>, _ session: SessionRecord, _ format: TranscriptFormat,
        _ archives: Archives, _ configuration: CurrentConfiguration
    ) {
        self.request = request
        self.session = session
        self.format = format
        self.archives = archives
        self.configuration = configuration
        encoder = format.encoder()
        head =
            Array(#"{"jsonrpc":"2.0","method":"_convod/export/item","params":{"requestId":"#.utf8)
            + request.call.id.raw
            + Array(#","record":"#.utf8)
    }

    func begin() {
        read(Opening(session)) { [self] opening in
            let records = encoder.begin(session.session, head: opening.headID)
            if request.parameters.hasHeader { send(records) }
            if format.isWhole { findNewestTurn() } else { readPath(from: 1) }
        }
    }

    /// Notes where the turns end, before more begin.
    private func findNewestTurn() {
        read(Archive.TurnList(session.row, .all, before: nil, limit: 1, bytes: 1)) { [self] page in
            lastTurn = page.turns.first?.row
            findBranches(after: BranchRow(0), [])
        }
    }

    func cancel() {
        isOver = true
        request.fail(WireError(.cancelled, "the export was cancelled"))
    }

    private func fail(_ error: ArchiveError) {
        isOver = true
        request.fail(WireError(error))
    }

    // MARK: What is read

    /// Takes a look away from the loop; what fails ends the export.
    private func read<Read: LocalRead>(_ look: Read, _ body: @escaping (Read.Output) -> Void)
    where Read.Output: Sendable {
        guard !isOver, request.client.isOpen else { return }
        archives.readAway(look, of: session.row, map: { $0 }) { [self] result in
            if isOver { return }
            switch result {
            case .success(let found): body(found)
            case .failure(let error): fail(error)
            }
        }
    }

    /// Goes on once the client has read.
    private func goOn(_ next: @escaping () -> Void) { request.client.link.whenDrained { next() } }

    private func page(of path: SessionRecord, from seq: Int) -> ReadMessages {
        let limits = configuration.limits
        return ReadMessages(
            path, .from(seq), limit: limits.pageRows, bytes: min(limits.pageBytes, 256 << 10))
    }

    /// Finds which messages are on branches beside the path, before more are made.
    private func findBranches(after row: BranchRow, _ found: [Branch]) {
        let limit = configuration.limits.pageRows
        read(Archive.BranchList(session.row, after: row, limit: limit)) { [self] page in
            let all = found + page
            if page.count == limit, let last = page.last { return findBranches(after: last.id, all) }
            stretches = stretches(of: all).reversed()
            readPath(from: 1)
        }
    }

    private func stretches(of branches: [Branch]) -> [Stretch] {
        // The last seq of the active path on each branch that it runs over.
        var onPath: [BranchRow: Int] = [:]
        let byRow = Dictionary(branches.map { ($0.id, $0) }) { first, _ in first }
        var branch = byRow[session.branch], last = session.session.messageCount
        while let now = branch, onPath[now.id] == nil {
            onPath[now.id] = last
            last = now.forkSeq
            branch = now.parent.flatMap { byRow[$0] }
        }
        return branches.compactMap { branch in
            // What came to the active one since the start is not part of this.
            if branch.id == session.branch { return nil }
            let from = max(branch.forkSeq, onPath[branch.id] ?? 0) + 1
            return from > branch.head ? nil : Stretch(path: session.at(branch.end), from: from)
        }
    }

    private func readPath(from seq: Int) {
        read(page(of: session, from: seq)) { [self] page in
            for message in page.messages { send(encoder.add(.message(message, isOnPath: true))) }
            goOn { [self] in if let next = page.next { readPath(from: next) } else { readStretch() } }
        }
    }

    private func readStretch() {
        guard let stretch = stretches.popLast() else {
            guard let lastTurn else { return finish() }
            return readTurns(before: TurnRow(lastTurn.number + 1))
        }
        read(page(of: stretch.path, from: stretch.from)) { [self] page in
            for message in page.messages { send(encoder.add(.message(message, isOnPath: false))) }
            if let next = page.next { stretches.append(Stretch(path: stretch.path, from: next)) }
            goOn { [self] in readStretch() }
        }
    }

    private func readTurns(before row: TurnRow?) {
        let limits = configuration.limits
        let look = Archive.TurnList(
            session.row, .all, before: row, limit: limits.pageRows, bytes: min(limits.pageBytes, 256 << 10))
        read(look) { [self] page in
            for stored in page.turns { send(encoder.add(.turn(stored.turn))) }
            guard page.isMore, let last = page.turns.last else { return finish() }
            goOn { [self] in readTurns(before: last.row) }
        }
    }

    // MARK: What is sent

    private func send(_ records: [[UInt8]]) {
        for record in records {
            count += 1
            digest.update(record)
            digest.update([0x0A])
            var line: [UInt8] = []
            line.reserveCapacity(record.count + head.count + 64)
            line += head
            if format.isText { JSONText.append(record[...], to: &line) } else { line += record }
            line += "}}\n".utf8
            request.client.link.send(line, isPush: false)
        }
    }

    private func finish() {
        send(encoder.end())
        isOver = true
        request.reply(.init(count: count, sha256: digest.finish().hexadecimal))
    }
}

/// A digest inside a class: noncopyable values cannot be consumed out of one directly.
private final class DigestBox {
    private var digest: SHA256Digest? = SHA256Digest()
    func update(_ bytes: [UInt8]) { digest?.update(bytes) }
    func finish() -> [UInt8] { digest.take()?.finish() ?? [] }
}
