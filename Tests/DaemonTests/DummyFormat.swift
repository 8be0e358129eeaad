internal import Conversation
internal import Transcripts

extension TranscriptFormat {
    /// A format that only the tests have: a line a message, and a footer.
    static let dummy = TranscriptFormat("dummy", isText: true, isWhole: false) { DummyEncoder() }
}

private struct DummyEncoder: TranscriptEncoder {
    private var count = 0

    mutating func begin(_ session: Session, head: MessageID?, to records: inout TranscriptRecords) {
        records.add(text: "begin \(session.id.text)")
    }
    mutating func add(_ record: TranscriptRecord, to records: inout TranscriptRecords) {
        guard case .message(let message, true) = record else { return }
        count += 1
        records.add(text: "\(message.role.name) \(message.parts.count)")
    }
    mutating func end(_ seal: TranscriptSeal, to records: inout TranscriptRecords) {
        records.add(text: "end \(count)")
    }
}
