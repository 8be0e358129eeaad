internal import JSON

extension Message {
    /// What is to be said of a message beside its content: of most, with their text, it is all.
    package struct Head: Sendable {
        package var id: MessageID
        /// The message before it on its path; nil for the first.
        package var parentID: MessageID?
        /// The place on its path, from 1 and without gaps.
        package var seq: Int
        package var role: Role
        package var status: Status
        /// The turn that it belongs to; nil when it was appended.
        package var turnID: TurnID?
        /// Milliseconds since 1970 UTC.
        package var createdAt: Int64
        package var isPinned: Bool
        package var isExcluded: Bool
        package var isDeleted: Bool

        package init(
            id: MessageID, parentID: MessageID? = nil, seq: Int, role: Role, status: Status,
            turnID: TurnID? = nil, createdAt: Int64, isPinned: Bool = false, isExcluded: Bool = false,
            isDeleted: Bool = false
        ) {
            self.id = id
            self.parentID = parentID
            self.seq = seq
            self.role = role
            self.status = status
            self.turnID = turnID
            self.createdAt = createdAt
            self.isPinned = isPinned
            self.isExcluded = isExcluded
            self.isDeleted = isDeleted
        }
    }

    /// What is to be said of it beside its content.
    package var head: Head {
        Head(
            id: id, parentID: parentID, seq: seq, role: role, status: status, turnID: turnID,
            createdAt: createdAt, isPinned: isPinned, isExcluded: isExcluded, isDeleted: isDeleted)
    }

    /// A message of a head and a content, of which `isPlainText` says what somebody has seen already.
    package init(
        _ head: Head, tokens: Int, metadata: [UInt8]? = nil, content: [UInt8], isPlainText: Bool? = nil
    ) {
        self.init(
            id: head.id, parentID: head.parentID, seq: head.seq, role: head.role, status: head.status,
            turnID: head.turnID, createdAt: head.createdAt, tokens: tokens, isPinned: head.isPinned,
            isExcluded: head.isExcluded, metadata: metadata, content: content, isPlainText: isPlainText)
        isDeleted = head.isDeleted
    }

    /// A message that is one plain text, given as a JSON string; what it costs of a window is not told.
    package init(_ head: Head, text: Span<UInt8>) {
        var content = Message.plainTextHead
        content.append(text)
        content += Message.plainTextTail
        self.init(head, tokens: 0, content: content, isPlainText: true)
    }
}
