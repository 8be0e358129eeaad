package import Conversation
internal import JSON

/// Transcripts writes whole sessions down in formats that others read, and reads them back.
///
/// - Invariant: pure; records go from values to bytes and back, with no I/O and no clock.

/// What a transcript tells of a session.
package enum TranscriptRecord: Sendable, Equatable {
    /// The session itself, and the newest message of its active path.
    case session(Session, head: MessageID?)
    /// A message of the active path, in order, or of a branch beside it.
    case message(Message, isOnPath: Bool)
    case turn(TurnRecord)
    /// A summary, and the last message that it covers.
    case summary(Summary, end: MessageID)
}

/// Writes one session in one format, record by record.
package protocol TranscriptEncoder: Sendable {
    /// Writes what stands before the messages.
    mutating func begin(_ session: Session, head: MessageID?, to records: inout TranscriptRecords)
    /// Writes a record; nothing where the format leaves it out.
    mutating func add(_ record: TranscriptRecord, to records: inout TranscriptRecords)
    /// The same for a message, of which there are most.
    mutating func add(_ message: Message, isOnPath: Bool, to records: inout TranscriptRecords)
    /// The same for a message that is one plain text, given as a JSON string, and nothing else, as most are.
    mutating func add(
        _ head: Message.Head, text: Span<UInt8>, isOnPath: Bool, to records: inout TranscriptRecords)
    /// Writes what stands behind the last record; `seal` tells of all that was written before.
    mutating func end(_ seal: TranscriptSeal, to records: inout TranscriptRecords)
}

/// How many records there are, and the SHA-256 over them as a file has them.
package struct TranscriptSeal: Sendable, Equatable {
    package let records: Int
    /// In lower-case hexadecimal, over each record with its LF.
    package let sha256: String

    package init(records: Int, sha256: String) {
        self.records = records
        self.sha256 = sha256
    }
}

extension TranscriptEncoder {
    /// Nothing stands behind the last record, as in most formats.
    package mutating func end(_ seal: TranscriptSeal, to records: inout TranscriptRecords) {}

    package mutating func add(_ message: Message, isOnPath: Bool, to records: inout TranscriptRecords) {
        add(.message(message, isOnPath: isOnPath), to: &records)
    }

    package mutating func add(
        _ head: Message.Head, text: Span<UInt8>, isOnPath: Bool, to records: inout TranscriptRecords
    ) {
        add(Message(head, text: text), isOnPath: isOnPath, to: &records)
    }
}

/// Records that were written, as they stand in a file.
package struct TranscriptRecords: Sendable {
    /// The file's bytes: an LF behind each record.
    package private(set) var bytes: [UInt8] = []
    /// Where each record ends in them, before its LF.
    package private(set) var ends: [Int] = []

    package init() {}

    /// Makes room for records of so many bytes in all.
    package mutating func reserve(bytes count: Int) { bytes.reserveCapacity(count) }

    /// Adds a record of text, which may have lines of its own.
    package mutating func add(text: String) {
        bytes += text.utf8
        end()
    }

    /// Adds a record that is a JSON object; `body` writes its members.
    mutating func addObject(_ body: (inout JSONWriter) -> Void) {
        var writer = JSONWriter(behind: bytes)
        bytes = []  // so that they have one owner and grow in place
        writer.object(body)
        bytes = writer.take()
        end()
    }

    private mutating func end() {
        ends.append(bytes.count)
        bytes.append(0x0A)
    }
}

/// Reads sessions out of bytes as they come.
package protocol TranscriptDecoder: Sendable {
    /// Takes bytes, cut anywhere, and gives the records that are whole by now.
    mutating func feed(_ bytes: [UInt8]) throws(TranscriptError) -> [TranscriptRecord]
    /// Nothing follows.
    mutating func finish() throws(TranscriptError) -> [TranscriptRecord]
}

/// What is wrong with a transcript, and where.
package struct TranscriptError: Error, Sendable, Equatable, CustomStringConvertible {
    /// From 1.
    package let line: Int
    package let reason: String

    package init(line: Int, _ reason: String) {
        self.line = line
        self.reason = reason
    }

    package var description: String { "line \(line): \(reason)" }
}

/// A format in which sessions are written down: a file of its own with this as its entry, and a row of
/// `TranscriptFormats.standard`.
package struct TranscriptFormat: Sendable {
    /// Its name in requests and on the command line.
    package let name: String
    /// Whether its records are pieces of text, not JSON.
    package let isText: Bool
    /// Whether it holds more than the active path: branches beside it, and turns.
    package let isWhole: Bool
    package let encoder: @Sendable () -> any TranscriptEncoder
    /// Nil where nothing is read back.
    package let decoder: (@Sendable () -> any TranscriptDecoder)?

    package init(
        _ name: String, isText: Bool, isWhole: Bool, encoder: @escaping @Sendable () -> any TranscriptEncoder,
        decoder: (@Sendable () -> any TranscriptDecoder)? = nil
    ) {
        self.name = name
        self.isText = isText
        self.isWhole = isWhole
        self.encoder = encoder
        self.decoder = decoder
    }
}

/// The formats there are, sorted by name.
package struct TranscriptFormats: Sendable {
    package let all: [TranscriptFormat]

    /// Traps where two have one name.
    package init(_ formats: [TranscriptFormat]) {
        all = formats.sorted { $0.name < $1.name }
        for (a, b) in zip(all, all.dropFirst()) {
            precondition(a.name != b.name, "two formats are called '\(a.name)'")
        }
    }

    /// Those that convod has.
    package static let standard = TranscriptFormats([.jsonl, .markdown])

    /// The format of a name; nil where there is none.
    package subscript(name: String) -> TranscriptFormat? { all.first { $0.name == name } }
    package var names: [String] { all.map(\.name) }
}
