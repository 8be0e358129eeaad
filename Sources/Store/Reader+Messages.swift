package import Conversation

/// A page of messages and where the next one begins.
package struct MessagePage: Sendable, Equatable {
    package var messages: [Message] = []
    /// The seq at which the next page begins; nil at the end.
    package var next: Int?
}

/// Which way a page goes, and from where.
package enum PageStart: Sendable, Equatable {
    /// Upwards from this seq.
    case from(Int)
    /// Downwards from this seq.
    case backFrom(Int)
}

extension Reader {
    /// A page of a session's active path, at most `limit` rows and about `bytes` bytes, and at least one row.
    ///
    /// `head` fixes the newest message that counts, so that later ones do not move the page.
    package func messages(
        _ session: SessionRecord, head: Int? = nil, _ start: PageStart, limit: Int, bytes: Int
    ) throws(StoreError) -> MessagePage {
        let top = min(head ?? session.session.messageCount, session.session.messageCount)
        let path = try path(branch: session.branch, head: top)
        var page = MessagePage()
        var room = bytes
        /// Takes a row; false when the page is full.
        func take(_ row: Row) -> Bool {
            let message = Message(row)
            room -= message.content.count + (message.metadata?.count ?? 0) + 300
            if room < 0 && !page.messages.isEmpty || page.messages.count == limit {
                page.next = message.seq
                return false
            }
            page.messages.append(message)
            return true
        }
        switch start {
        case .from(let seq):
            for segment in path where segment.to >= seq && page.next == nil {
                try ascending(segment, from: max(seq, segment.from), take)
            }
            if let first = page.messages.first {
                try link(&page.messages, before: id(at: first.seq - 1, path))
            }
        case .backFrom(let seq):
            for segment in path.reversed() where segment.from <= seq && page.next == nil {
                try descending(segment, to: min(seq, segment.to), take)
            }
            page.messages.reverse()
            if let first = page.messages.first {
                try link(&page.messages, before: id(at: first.seq - 1, path))
            }
            page.messages.reverse()
        }
        return page
    }

    /// Gives each message its parent, the one before it on the path.
    private func link(_ messages: inout [Message], before: MessageID?) throws(StoreError) {
        var parent = before
        for index in messages.indices {
            messages[index].parentID = parent
            parent = messages[index].id
        }
    }

    /// The ID of the message at a seq of a path.
    private func id(at seq: Int, _ path: [Segment]) throws(StoreError) -> MessageID? {
        guard let segment = path.first(where: { ($0.from...$0.to).contains(seq) }) else { return nil }
        return try database.first(
            "SELECT id FROM message WHERE key = ?", [.int(MessageKey(branch: segment.branch, seq: seq).raw)],
            doing: "read a message"
        ) { MessageID(bytes: $0.bytes(0)) } ?? nil
    }

    private func ascending(_ segment: Segment, from: Int, _ take: (Row) -> Bool) throws(StoreError) {
        let range = [
            Bound.int(MessageKey(branch: segment.branch, seq: from).raw),
            .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
        ]
        try database.rows(
            .messages("LEFT JOIN turn t ON t.id = m.turn WHERE m.key BETWEEN ? AND ? ORDER BY m.key"), range,
            doing: "read messages", take)
    }

    private func descending(_ segment: Segment, to: Int, _ take: (Row) -> Bool) throws(StoreError) {
        let range = [
            Bound.int(MessageKey(branch: segment.branch, seq: segment.from).raw),
            .int(MessageKey(branch: segment.branch, seq: to).raw),
        ]
        try database.rows(
            .messages("LEFT JOIN turn t ON t.id = m.turn WHERE m.key BETWEEN ? AND ? ORDER BY m.key DESC"),
            range, doing: "read messages", take)
    }

    /// The newest messages that a window may need: read from the end until the budget is passed at a turn's edge.
    package func newest(_ session: SessionRecord, tokens: Int, turns: Int?, messages most: Int?)
        throws(StoreError) -> [Message]
    {
        var found: [Message] = []
        var sum = 0, begun = 0, isEnough = false
        for segment in try path(branch: session.branch, head: session.session.messageCount).reversed()
        where !isEnough {
            try descending(segment, to: segment.to) { row in
                let message = Message(row)
                found.append(message)
                let isSent = !message.isExcluded && message.status.isSent
                if isSent { sum += message.tokens }
                if isSent && message.role == .user { begun += 1 }
                let isOver =
                    sum > tokens || turns.map { begun > $0 } ?? false
                    || most.map { found.count > $0 } ?? false
                isEnough = isOver && message.role == .user
                return !isEnough
            }
        }
        found.reverse()
        let path = try path(branch: session.branch, head: session.session.messageCount)
        if let first = found.first { try link(&found, before: id(at: first.seq - 1, path)) }
        return found
    }

    /// Pinned messages below a seq of the path, with their whole turns where tools are in play.
    package func pins(_ session: SessionRecord, below seq: Int) throws(StoreError) -> [Message] {
        var found: [Message] = []
        for segment in try path(branch: session.branch, head: min(seq - 1, session.session.messageCount)) {
            let range = [
                Bound.int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
            ]
            try database.rows(
                .messages(
                    "INDEXED BY message_pinned LEFT JOIN turn t ON t.id = m.turn WHERE m.pinned = 1 AND m.key BETWEEN ? AND ? ORDER BY m.key"
                ), range, doing: "read pinned messages"
            ) {
                found.append(Message($0)); return true
            }
        }
        try addPartners(&found, session)
        let path = try path(branch: session.branch, head: seq - 1)
        for index in found.indices { found[index].parentID = try id(at: found[index].seq - 1, path) }
        return found
    }

    /// How far from a pinned call its results are looked for, and the other way round.
    private static let partnerDistance = 64

    /// Adds what belongs to pinned tool calls and results, so that no pair is parted.
    private func addPartners(_ pins: inout [Message], _ session: SessionRecord) throws(StoreError) {
        var seqs = Set(pins.map(\.seq))
        for pin in pins {
            let calls = pin.toolIDs
            if calls.isEmpty { continue }
            let from = max(1, pin.seq - Reader.partnerDistance)
            let near = try messages(session, .from(from), limit: 2 * Reader.partnerDistance, bytes: 4 << 20)
                .messages
            for message in near
            where !calls.isDisjoint(with: message.toolIDs) && seqs.insert(message.seq).inserted {
                pins.append(message)
            }
        }
        pins.sort { $0.seq < $1.seq }
    }

    /// How many messages below a seq of the path are excluded.
    package func excludedCount(_ session: SessionRecord, below seq: Int) throws(StoreError) -> Int {
        var count = 0
        for segment in try path(branch: session.branch, head: min(seq - 1, session.session.messageCount)) {
            count += Int(
                try database.integer(
                    "SELECT count(*) FROM message INDEXED BY message_excluded WHERE excluded = 1 AND key BETWEEN ? AND ?",
                    [
                        .int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                        .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
                    ], doing: "count excluded messages"))
        }
        return count
    }

    /// Where a message lies on the session's active path; nil when it is not there.
    package func seq(of id: MessageID, in session: SessionRecord) throws(StoreError) -> Int? {
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
    fileprivate var toolIDs: Set<String> {
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

/// A page of messages read on the reader's thread, for exports.
package struct ReadMessages: StoreRead {
    package let session: SessionRecord
    /// Covers exactly the messages up to this seq.
    package let head: Int
    package let from: Int
    package let limit: Int
    package let bytes: Int

    package init(_ session: SessionRecord, head: Int, from: Int, limit: Int, bytes: Int) {
        self.session = session
        self.head = head
        self.from = from
        self.limit = limit
        self.bytes = bytes
    }

    package func run(on reader: Reader) throws(StoreError) -> MessagePage {
        try reader.messages(session, head: head, .from(from), limit: limit, bytes: bytes)
    }
}
