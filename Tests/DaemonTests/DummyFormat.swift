internal import Conversation
internal import Transcripts

extension TranscriptFormat {
    /// A format that only the tests have: a line a message, and a footer.
    static let dummy = TranscriptFormat("dummy", isText: true, isWhole: false) { DummyEncoder() }
}

private struct DummyEncoder: TranscriptEncoder {
    private var count = 0

    mutating func begin(_ session: Session, head: MessageID?) -> [[UInt8]] {
        [Array("begin \(session.id.text)".utf8)]
    }
    mutating func add(_ record: TranscriptRecord) -> [[UInt8]] {
        guard case .message(let message, true) = record else { return [] }
        count += 1
        return [Array("\(message.role.name) \(message.parts.count)".utf8)]
    }
    mutating func end() -> [[UInt8]] { [Array("end \(count)".utf8)] }
}
