import Conversation
import Transcripts

/// Single records of a format.
struct Records {
    private let format: TranscriptFormat

    init(_ format: TranscriptFormat) { self.format = format }

    func header(of session: Session, head: MessageID? = nil) -> [UInt8] {
        var encoder = format.encoder(), records = TranscriptRecords()
        encoder.begin(session, head: head, to: &records)
        return records.bytes.dropLast()
    }

    func record(of message: Message) -> [UInt8] {
        var encoder = format.encoder(), records = TranscriptRecords()
        encoder.add(.message(message, isOnPath: true), to: &records)
        return records.bytes.dropLast()
    }
}
