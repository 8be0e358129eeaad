package import Conversation

/// Transcripts writes whole sessions down in formats that others read.
///
/// - Invariant: pure; records go from values to bytes, with no I/O and no clock.

/// The formats in which a session can be exported.
package enum TranscriptFormat: String, Sendable, CaseIterable {
    /// The Session Trace Simple Format of the Hugging Face Hub, a record a line, with everything that convod keeps.
    case jsonl
    /// For people; what was said is verbatim, the rest is a reading aid.
    case markdown
}

/// Makes the records of one export, each without the LF that ends it in a file.
package struct TranscriptWriter: Sendable {
    /// What the records are written in.
    package let format: TranscriptFormat

    /// Starts a transcript.
    package init(format: TranscriptFormat) { self.format = format }

    /// The first record: a JSON object on one line, or the Markdown of the title.
    package func header(of session: Session) -> [UInt8] {
        switch format {
        case .jsonl: TraceRecord.header(of: session)
        case .markdown: MarkdownRecord.header(of: session)
        }
    }

    /// A message's record.
    package func record(of message: Message) -> [UInt8] {
        switch format {
        case .jsonl: TraceRecord.record(of: message)
        case .markdown: MarkdownRecord.record(of: message)
        }
    }
}
