internal import Archive
internal import Conversation
internal import Protocol
internal import Store
internal import Transcripts

/// One export: a notification a record, paced by the client's reading, then the result.
///
/// It covers exactly the messages of the active path that were there at its start, and of a format that holds more than that the
/// branches that were there, and then the turns. Pages are read and written down away from the loop, the next one while the
/// client reads the present one. No cursor stays open while it waits for the client.
final class ExportRun {
    private let request: Request<Method.Export>
    /// Its place among those of its user, which each hold a page or two.
    private let share: UserShares.Share
    private let session: SessionRecord
    private let format: TranscriptFormat
    private let archives: Archives
    private let limits: Limits
    private let sender: PacedRecords
    private var encoder: any TranscriptEncoder
    private var plan: ExportPlan
    /// Whether only some of the active path is wanted.
    private let isPart: Bool
    private var isOver = false
    /// Cancels the look that is on its way.
    private var cancelLook: (() -> Void)?
    /// Whether the client has read nearly all that was sent.
    private var isRead = true
    /// The page that came before the client was ready for it.
    private var ahead: Page?

    /// Bytes of contents in a page, about: one is with the client while the next one is on its way.
    private static let pageBytes = 128 << 10

    /// What was read at one time, as it is written down.
    private struct Page: Sendable {
        let records: TranscriptRecords
        /// What has seen all records so far.
        let encoder: any TranscriptEncoder
        /// What the step left over.
        let rest: ExportPlan.Step?

        /// Writes records down with an encoder that has seen those before them.
        init(
            _ found: some Sequence<TranscriptRecord>, _ encoder: any TranscriptEncoder,
            rest: ExportPlan.Step?
        ) {
            var encoder = encoder, records = TranscriptRecords()
            for record in found { encoder.add(record, to: &records) }
            self.records = records
            self.encoder = encoder
            self.rest = rest
        }

        /// Has messages that were written down while they were read.
        init(_ messages: WrittenMessages, rest: ExportPlan.Step?) {
            records = messages.records
            encoder = messages.encoder
            self.rest = rest
        }
    }

    /// Writes messages down as they are read.
    private struct WrittenMessages: MessageTaker {
        /// What has seen all records so far.
        private(set) var encoder: any TranscriptEncoder
        private(set) var records = TranscriptRecords()
        private let isOnPath: Bool

        /// Makes room for so many bytes of contents.
        init(_ encoder: any TranscriptEncoder, isOnPath: Bool, bytes: Int) {
            self.encoder = encoder
            self.isOnPath = isOnPath
            records.reserve(bytes: bytes)
        }

        mutating func take(_ message: Message) { encoder.add(message, isOnPath: isOnPath, to: &records) }

        mutating func take(_ head: Message.Head, text: Span<UInt8>) {
            encoder.add(head, text: text, isOnPath: isOnPath, to: &records)
        }
    }

    init(
        _ request: Request<Method.Export>, _ session: SessionRecord, _ format: TranscriptFormat,
        _ archives: Archives, _ limits: Limits, _ share: UserShares.Share, from seq: Int? = nil
    ) {
        self.share = share
        self.request = request
        self.session = session
        self.format = format
        self.archives = archives
        self.limits = limits
        sender = PacedRecords(request.call, as: "_convod/export/item", isText: format.isText)
        encoder = format.encoder()
        plan = ExportPlan(of: session, from: seq ?? 1)
        isPart = seq != nil
    }

    func begin() {
        look(Opening(session), map: { $0 }) { [self] opening in
            var records = TranscriptRecords()
            var told = session.session
            if !request.parameters.hasPaths { (told.cwd, told.mcpServers) = ("/", Array("[]".utf8)) }
            encoder.begin(told, head: opening.headID, to: &records)
            if request.parameters.hasHeader { sender.send(records) }
            if format.isWhole && !isPart { findNewestTurn() } else { readFirst() }
        }
    }

    /// Notes where the turns end, before more begin.
    private func findNewestTurn() {
        look(Archive.TurnList(session.row, .all, before: nil, limit: 1, bytes: 1), map: \.turns.first?.row) {
            [self] turn in
            findBranches(after: BranchRow(0), [], lastTurn: turn)
        }
    }

    /// Finds which messages are on branches beside the path, before more are made.
    private func findBranches(after row: BranchRow, _ found: [Branch], lastTurn: TurnRow?) {
        let limit = limits.pageRows
        look(Archive.BranchList(session.row, after: row, limit: limit), map: { $0 }) { [self] page in
            let all = found + page
            if page.count == limit, let last = page.last {
                return findBranches(after: last.id, all, lastTurn: lastTurn)
            }
            let own = Set(all.map(\.id))
            let foreign = Set(all.compactMap(\.parent)).subtracting(own)
            look(BranchElders(Array(foreign)), map: { $0 }) { [self] elders in
                plan = ExportPlan(of: session, branches: all, elders: elders, lastTurn: lastTurn)
                readFirst()
            }
        }
    }

    func cancel() {
        end()
        request.fail(WireError(.cancelled, "the export was cancelled"))
    }

    private func end() {
        isOver = true
        cancelLook?()
        cancelLook = nil
    }

    // MARK: Pages

    /// Takes a look away from the loop; what fails ends the export.
    private func look<Read: LocalRead, Value: Sendable>(
        _ look: Read, map: @escaping @Sendable (Read.Output) -> Value, then: @escaping (Value) -> Void
    ) {
        guard !isOver, request.client.isOpen else { return }
        cancelLook = archives.readAway(look, of: session.row, map: map) { [self] result in
            if isOver { return }
            cancelLook = nil
            switch result {
            case .success(let found): then(found)
            case .failure(let error):
                end()
                request.fail(WireError(error))
            }
        }
    }

    private func readFirst() { if let step = plan.next() { read(step) } else { finish() } }

    private func read(_ step: ExportPlan.Step) {
        let rows = limits.pageRows, bytes = min(limits.pageBytes, ExportRun.pageBytes), encoder = encoder
        switch step {
        case .messages(let path, let seq, let isOnPath):
            let taker = WrittenMessages(encoder, isOnPath: isOnPath, bytes: bytes * 3 / 2)
            look(TakeMessages(path, from: seq, limit: rows, bytes: bytes, taker)) { page in
                Page(page.taker, rest: page.next.map { .messages(path, from: $0, isOnPath: isOnPath) })
            } then: { [self] in
                came($0)
            }
        case .turns(let row):
            look(Archive.TurnList(session.row, .all, before: row, limit: rows, bytes: bytes)) { page in
                let last = page.isMore ? page.turns.last?.row : nil
                return Page(
                    page.turns.lazy.map { TranscriptRecord.turn($0.turn) }, encoder,
                    rest: last.map { .turns(before: $0) })
            } then: { [self] in
                came($0)
            }
        case .summaries(let row):
            look(AllSummaries(session.row, after: row, limit: min(rows, 100))) { page in
                Page(
                    page.summaries.lazy.map { TranscriptRecord.summary($0.summary, end: $0.end) }, encoder,
                    rest: page.next.map { .summaries(after: $0) })
            } then: { [self] in
                came($0)
            }
        }
    }

    private func came(_ page: Page) {
        ahead = page
        encoder = page.encoder
        if let rest = page.rest { plan.add(rest) }
        sendAhead()
    }

    /// Sends the page that is there once the one before it was read, and has the next one read meanwhile.
    private func sendAhead() {
        guard isRead, let page = ahead.take(), !isOver else { return }
        isRead = false
        let next = plan.next()
        if let next { read(next) }
        sender.send(page.records)
        if next == nil { return finish() }
        sender.whenRead { [self] in
            isRead = true
            sendAhead()
        }
    }

    private func finish() {
        var records = TranscriptRecords()
        if request.parameters.hasHeader { encoder.end(sender.seal, to: &records) }
        sender.send(records)
        end()
        request.reply(.init(count: sender.count, sha256: sender.digest()))
    }
}
