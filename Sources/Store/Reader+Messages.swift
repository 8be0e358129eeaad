internal import Archive
internal import Conversation

extension Reader {
    /// A page of a session's active path, at most `limit` rows and about `bytes` bytes, and at least one row.
    ///
    /// `head` fixes the newest message that counts, so that later ones do not move the page.
    func messages(
        _ session: SessionRecord, head: Int? = nil, _ start: PageStart, limit: Int, bytes: Int
    ) throws(ArchiveError) -> MessagePage {
        if case .newest(let count) = start {
            return try messages(
                session, head: head, .from(try self.start(ofNewest: count, in: session)), limit: limit,
                bytes: bytes)
        }
        let top = min(head ?? session.session.messageCount, session.session.messageCount)
        let path = try path(branch: session.branch, head: top)
        var filling = PageFilling(limit: limit, bytes: bytes)
        switch start {
        case .newest: break  // as above
        case .from(let seq):
            for segment in path where segment.to >= seq && !filling.isFull {
                try ascending(session, segment, from: max(seq, segment.from)) {
                    row, mark throws(ArchiveError) in
                    filling.take(try Message(row, mark))
                }
            }
            try link(&filling.page.messages, path)
        case .backFrom(let seq):
            for segment in path.reversed() where segment.from <= seq && !filling.isFull {
                try descending(session, segment, to: min(seq, segment.to)) { filling.take($0) }
            }
            filling.page.messages.reverse()
            try link(&filling.page.messages, path)
            filling.page.messages.reverse()
        }
        return filling.page
    }

    /// A page as it comes to be.
    private struct PageFilling {
        private var room: PageRoom
        var page = MessagePage()

        init(limit: Int, bytes: Int) {
            room = PageRoom(limit: limit, bytes: bytes)
            page.messages.reserveCapacity(min(limit, bytes / 1_000 + 1))
        }

        var isFull: Bool { room.next != nil }

        /// Takes a message; false when the page is full.
        mutating func take(_ message: Message) -> Bool {
            let bytes = message.content.count + (message.metadata?.count ?? 0)
            guard room.takes(seq: message.seq, bytes: bytes) else {
                page.next = room.next
                return false
            }
            page.messages.append(message)
            return true
        }
    }

    /// How much more goes into a page: rows, and bytes of contents, but one row in any case.
    private struct PageRoom {
        /// About what a message has beside its content, in bytes.
        private static let overhead = 300
        private var rows: Int
        private var bytes: Int
        private var isEmpty = true
        /// The seq of the first message that does not go in.
        private(set) var next: Int?

        init(limit: Int, bytes: Int) {
            rows = limit
            self.bytes = bytes
        }

        /// Whether a message of so many bytes goes in, for which there is less room then.
        mutating func takes(seq: Int, bytes count: Int) -> Bool {
            bytes -= count + PageRoom.overhead
            if bytes < 0 && !isEmpty || rows == 0 {
                next = seq
                return false
            }
            rows -= 1
            isEmpty = false
            return true
        }
    }

    /// Hands the messages of a page over one after the other, upwards from a seq; where the next page begins, nil at the end.
    func take<Taker: MessageTaker>(
        _ session: SessionRecord, from start: Int, limit: Int, bytes: Int, _ taker: inout Taker
    ) throws(ArchiveError) -> Int? {
        let path = try path(branch: session.branch, head: session.session.messageCount)
        var parent = try id(at: start - 1, path), room = PageRoom(limit: limit, bytes: bytes)
        for segment in path where segment.to >= start && room.next == nil {
            try ascending(session, segment, from: max(start, segment.from)) {
                row, mark throws(ArchiveError) in
                let head = try Message.Head(row, mark, behind: parent)
                // As wherever it is read: what somebody broke by hand is said.
                _ = try row.number(6, "tokens", in: 0...Row.mostTokens, of: .message)
                let hasMetadata = !row.isNull(7)
                let bytes = row.count(8) + (hasMetadata ? row.count(7) : 0)
                guard room.takes(seq: head.seq, bytes: bytes) else { return false }
                // What is no plain text, or has more to it than that, is read as a whole.
                let isTaken =
                    !hasMetadata && row.isNull(9)
                    && row.plainText(8) { taker.take(head, text: $0) } != nil
                if !isTaken { taker.take(try Message(row, mark, behind: parent)) }
                parent = head.id
                return true
            }
        }
        return room.next
    }

    /// Gives messages that follow one another on a path each its parent, the one before it.
    private func link(_ messages: inout [Message], _ path: [Segment]) throws(ArchiveError) {
        guard let first = messages.first else { return }
        var parent = try id(at: first.seq - 1, path)
        for index in messages.indices {
            messages[index].parentID = parent
            parent = messages[index].id
        }
    }
    /// The ID of the message at a seq of a path.
    private func id(at seq: Int, _ path: [Segment]) throws(ArchiveError) -> MessageID? {
        guard let segment = path.first(where: { ($0.from...$0.to).contains(seq) }) else { return nil }
        return try database.first(
            "SELECT id FROM message WHERE key = ?", [.int(MessageKey(branch: segment.branch, seq: seq).raw)],
            doing: "read a message"
        ) { MessageID(bytes: $0.bytes(0)) } ?? nil
    }

    private func ascending(
        _ session: SessionRecord, _ segment: Segment, from: Int,
        _ take: (Row, Mark?) throws(ArchiveError) -> Bool
    ) throws(ArchiveError) {
        let first = MessageKey(branch: segment.branch, seq: from).raw
        let last = MessageKey(branch: segment.branch, seq: segment.to).raw
        var marks = MarkWalk(database, session.row, first...last, isDescending: false)
        try database.rows(
            .messages("LEFT JOIN turn t ON t.id = m.turn WHERE m.key BETWEEN ? AND ? ORDER BY m.key"),
            [.int(first), .int(last)], doing: "read messages"
        ) { (row) throws(ArchiveError) in
            try take(row, marks.mark(of: row.int(0)))
        }
    }

    private func descending(
        _ session: SessionRecord, _ segment: Segment, to: Int, _ take: (Message) throws(ArchiveError) -> Bool
    ) throws(ArchiveError) {
        let first = MessageKey(branch: segment.branch, seq: segment.from).raw
        let last = MessageKey(branch: segment.branch, seq: to).raw
        var marks = MarkWalk(database, session.row, first...last, isDescending: true)
        try database.rows(
            .messages("LEFT JOIN turn t ON t.id = m.turn WHERE m.key BETWEEN ? AND ? ORDER BY m.key DESC"),
            [.int(first), .int(last)], doing: "read messages"
        ) { (row) throws(ArchiveError) in
            try take(Message(row, marks.mark(of: row.int(0))))
        }
    }

    /// What a window may need of a session's history: the newest messages until the need is passed at a turn's edge, and
    /// the pins before them.
    ///
    /// With a bound, nil when more than that must be read: then it is asked for without one, on another thread.
    func history(
        _ session: SessionRecord, _ need: HistoryNeed, within bound: HistoryBound? = nil
    ) throws(ArchiveError) -> StoredHistory? {
        guard let messages = try newest(session, need, bound) else { return nil }
        guard let first = messages.first, first.seq > 1 else {
            return StoredHistory(messages: messages, olderPins: [], olderExcluded: 0)
        }
        guard let pins = try pins(session, below: first.seq, need.tokens, need.costs, bound) else {
            return nil
        }
        guard let excluded = try excludedCount(session, below: first.seq, bound) else { return nil }
        var history = StoredHistory(messages: messages, olderPins: pins, olderExcluded: excluded)
        if pins.reduce(0, { $0 + need.costs.tokens($1) }) > need.tokens {
            history.unreadPinTokens = try pinTokens(
                session, between: (pins.last?.seq ?? 0) + 1, and: first.seq - 1)
        }
        return history
    }

    private func newest(_ session: SessionRecord, _ need: HistoryNeed, _ bound: HistoryBound?)
        throws(ArchiveError) -> [Message]?
    {
        var found: [Message] = [], reach = HistoryReach(need), isEnough = false, isTooMuch = false
        var hasPrompt = need.hasPrompt
        let path = try path(branch: session.branch, head: session.session.messageCount)
        for segment in path.reversed() where !isEnough && !isTooMuch {
            var next: Int? = segment.to
            while let top = next, !isEnough, !isTooMuch {
                let rows = found.count + Reader.slice.rows, bytes = reach.bytes + Reader.slice.bytes
                next = nil
                try descending(session, segment, to: top) { stored in
                    let isNewest =
                        !hasPrompt && stored.role == .user && !stored.isExcluded && stored.status.isSent
                    hasPrompt = hasPrompt || isNewest
                    let message = need.costs.measured(stored, isNewest: isNewest), seq = stored.seq
                    isEnough = reach.isEnough(with: message)
                    found.append(message)
                    isTooMuch = bound.map { found.count > $0.rows || reach.bytes > $0.bytes } ?? false
                    let isSlice = found.count >= rows || reach.bytes >= bytes
                    if isSlice && seq > segment.from { next = seq - 1 }
                    return !isEnough && !isTooMuch && !isSlice
                }
                if next != nil { try endSlice() }
            }
        }
        if isTooMuch { return nil }
        found.reverse()
        try link(&found, path)
        return found
    }

    /// Rows and bytes of a history that are read before others have their turn.
    private static let slice = (rows: 2_000, bytes: 4 << 20)

    /// The ID of the newest message of a session's path, without the message; nil when there is none.
    func headID(of session: SessionRecord) throws(ArchiveError) -> MessageID? {
        let head = session.session.messageCount
        return try id(at: head, try path(branch: session.branch, head: head))
    }

    /// The seq at which the newest `count` messages begin, rounded to a whole turn where that is not far.
    func start(ofNewest count: Int, in session: SessionRecord) throws(ArchiveError) -> Int {
        let edge = max(1, session.session.messageCount - count + 1)
        let path = try path(branch: session.branch, head: edge)
        guard let segment = path.last else { return 1 }
        let user = try database.first(
            """
            SELECT max(key) FROM (SELECT key, role FROM message WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 2000)
             WHERE role = 1
            """,
            [
                .int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
            ], doing: "find a turn's start"
        ) { $0.optionalInt(0) }
        return (user ?? nil).map { MessageKey.seq($0) } ?? edge
    }

    /// The nearest message of the user at a seq of a session's path or before it, at most `farthest` messages back.
    ///
    /// Reads roles alone until it is found, however long what stands between is.
    func prompt(at seq: Int, in session: SessionRecord, farthest: Int) throws(ArchiveError) -> Message? {
        let path = try path(branch: session.branch, head: min(seq, session.session.messageCount))
        for segment in path.reversed() where segment.to > seq - farthest {
            let key = try database.first(
                """
                SELECT max(key) FROM (SELECT key, role FROM message WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT ?)
                 WHERE role = 1
                """,
                [
                    .int(MessageKey(branch: segment.branch, seq: max(segment.from, seq - farthest + 1)).raw),
                    .int(MessageKey(branch: segment.branch, seq: segment.to).raw), Bound(farthest),
                ], doing: "find a prompt"
            ) { $0.optionalInt(0) }
            if let key = key ?? nil {
                return try messages(session, .from(MessageKey.seq(key)), limit: 1, bytes: 1).messages.first
            }
        }
        return nil
    }

    /// Pinned messages below a seq of the path, with their whole turns where tools are in play; nil past the bound.
    ///
    /// No more of them are read than have `tokens`: those do not fit into any window, and the window says so.
    private func pins(
        _ session: SessionRecord, below seq: Int, _ tokens: Int, _ costs: MessageCosts,
        _ bound: HistoryBound?
    ) throws(ArchiveError) -> [Message]? {
        var found: [Message] = [], sum = 0, bytes = 0, isTooMuch = false
        let path = try path(branch: session.branch, head: min(seq - 1, session.session.messageCount))
        for segment in path where sum <= tokens && !isTooMuch {
            let range = [
                Bound.int(session.row), .int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
            ]
            try database.rows(
                .markedMessages(
                    "LEFT JOIN turn t ON t.id = m.turn WHERE k.session = ? AND k.kind = 0 AND k.message BETWEEN ? AND ? ORDER BY k.message"
                ), range, doing: "read pinned messages"
            ) { (row) throws(ArchiveError) in
                let message = costs.measured(try Message(row, .pin))
                found.append(message)
                sum += costs.tokens(message)
                bytes += message.content.count
                // What does not fit is told whole, and that may be long to count.
                isTooMuch = bound.map { found.count > $0.pins || bytes > $0.bytes || sum > tokens } ?? false
                return sum <= tokens && !isTooMuch
            }
        }
        if isTooMuch { return nil }
        guard try addPartners(&found, session, costs, bound) else { return nil }
        for index in found.indices { found[index].parentID = try id(at: found[index].seq - 1, path) }
        return found
    }

    /// What the pins of a session's path have together, with what goes along with them; past their room that is told by their
    /// numbers alone.
    func tokensOfPins(_ session: SessionRecord, _ room: PinRoom) throws(ArchiveError) -> Int {
        let head = session.session.messageCount
        let pins = try pins(session, below: head + 1, room.tokens, room.costs, nil) ?? []
        let sum = pins.reduce(0) { $0 + room.costs.tokens($1) }
        guard sum > room.tokens, let last = pins.last?.seq, last < head else { return sum }
        return try sum + pinTokens(session, between: last + 1, and: head)
    }

    /// The same with messages that are to come behind the path; nil where they add nothing to the pins.
    func tokensOfPins(_ session: SessionRecord, _ room: PinRoom, with new: AppendMessages)
        throws(ArchiveError) -> Int?
    {
        let pins =
            try pins(
                session, below: session.session.messageCount + 1, room.tokens, room.costs, nil) ?? []
        let added = new.tokensOfPins(room.costs, behind: CallPairs.open(pins))
        return added == 0 ? nil : try tokensOfPins(session, room) + added
    }

    /// The estimate for the pins of a stretch of the path, of which only their numbers are read.
    private func pinTokens(_ session: SessionRecord, between first: Int, and last: Int) throws(ArchiveError)
        -> Int
    {
        var sum = 0
        for segment in try path(branch: session.branch, head: last) where segment.to >= first {
            let tokens = try database.first(
                """
                SELECT sum(m.tokens) FROM mark k INDEXED BY mark_kind CROSS JOIN message m ON m.key = k.message
                 WHERE k.session = ? AND k.kind = 0 AND k.message BETWEEN ? AND ?
                """,
                [
                    .int(session.row),
                    .int(MessageKey(branch: segment.branch, seq: max(first, segment.from)).raw),
                    .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
                ], doing: "count pinned messages"
            ) { $0.optionalInt(0) }
            sum += Int(tokens.flatMap { $0 } ?? 0)
        }
        return sum
    }

    /// How far from a pinned call its results are looked for, and the other way round.
    private static let partnerDistance = 64

    /// Adds what belongs to pinned tool calls and results, and to what is added, so that no pair is parted; false past the
    /// bound.
    ///
    /// Each stretch of the path around pins is read once, however many lie in it.
    private func addPartners(
        _ pins: inout [Message], _ session: SessionRecord, _ costs: MessageCosts, _ bound: HistoryBound?
    ) throws(ArchiveError) -> Bool {
        var stretches: [ClosedRange<Int>] = []
        for pin in pins where !pin.toolIDs.isEmpty {
            let from = max(1, pin.seq - Reader.partnerDistance), to = pin.seq + Reader.partnerDistance
            if let last = stretches.last, last.upperBound >= from - 1 {
                stretches[stretches.count - 1] = last.lowerBound...to
            } else {
                stretches.append(from...to)
            }
        }
        var rows = 0, bytes = 0, seqs = Set(pins.map(\.seq))
        for stretch in stretches {
            var next: Int? = stretch.lowerBound, pairs = CallPairs()
            while let from = next, from <= stretch.upperBound {
                if let bound, rows + stretch.upperBound - from >= bound.rows || bytes > bound.bytes {
                    return false
                }
                let page = try messages(
                    session, .from(from), limit: min(stretch.upperBound - from + 1, 1_000),
                    bytes: bound?.bytes ?? Reader.slice.bytes)
                rows += page.messages.count
                bytes += page.messages.reduce(0) { $0 + $1.content.count }
                for message in page.messages { pairs.take(message) }
                next = page.next
            }
            for message in pairs.partners(of: seqs) where seqs.insert(message.seq).inserted {
                pins.append(costs.measured(message))
            }
        }
        pins.sort { $0.seq < $1.seq }
        return true
    }

    /// How many messages below a seq of the path are excluded; nil past the bound.
    private func excludedCount(_ session: SessionRecord, below seq: Int, _ bound: HistoryBound?)
        throws(ArchiveError) -> Int?
    {
        var count = 0
        let most = bound?.rows ?? Int(UInt32.max)
        for segment in try path(branch: session.branch, head: min(seq - 1, session.session.messageCount)) {
            count += Int(
                try database.integer(
                    """
                    SELECT count(*) FROM (SELECT message FROM mark INDEXED BY mark_kind
                                           WHERE session = ? AND kind = 1 AND message BETWEEN ? AND ? LIMIT ?)
                    """,
                    [
                        .int(session.row),
                        .int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                        .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
                        Bound(most - count + 1),
                    ], doing: "count excluded messages"))
            if count > most { return nil }
        }
        return count
    }

    /// Where a message lies on the session's active path; nil when it is not there.
    func seq(of id: MessageID, in session: SessionRecord) throws(ArchiveError) -> Int? {
        let key = try database.first(
            "SELECT key FROM message WHERE id = ?", [.blob(id.bytes)], doing: "find a message"
        ) { $0.int(0) }
        guard let key else { return nil }
        let branch = MessageKey.branch(key), seq = MessageKey.seq(key)
        let path = try path(branch: session.branch, head: session.session.messageCount)
        return path.contains { $0.branch == branch && ($0.from...$0.to).contains(seq) } ? seq : nil
    }
}

extension Message {
    /// The IDs of the tool calls that the message makes or answers.
    var toolIDs: Set<String> {
        guard role == .assistant || role == .tool else { return [] }
        return Set(
            parts.compactMap { part in
                switch part {
                case .toolCall(let call): call.id
                case .toolResult(let result): result.callID
                default: nil
                }
            })
    }
}
