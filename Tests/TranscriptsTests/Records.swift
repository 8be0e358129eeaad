import Conversation
import Transcripts

/// Single records of a format.
struct Records {
    private let format: TranscriptFormat

    init(_ format: TranscriptFormat) { self.format = format }

    func header(of session: Session, head: MessageID? = nil) -> [UInt8] {
        var encoder = format.encoder()
        return encoder.begin(session, head: head).first ?? []
    }

    func record(of message: Message) -> [UInt8] {
        var encoder = format.encoder()
        return encoder.add(.message(message, isOnPath: true)).first ?? []
    }
}
