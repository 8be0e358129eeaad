internal import Archive
internal import CSQLite
internal import Conversation
internal import JSON

/// A prepared statement that finalizes itself.
///
/// It is a class since a cache cannot hold noncopyable values.
@safe final class Statement {
    private let handle: OpaquePointer

    init(owning handle: OpaquePointer) { unsafe self.handle = unsafe handle }
    deinit { unsafe sqlite3_finalize(handle) }

    func bind(_ values: [Bound], _ database: Database, _ doing: String) throws(ArchiveError) {
        for (index, value) in values.enumerated() {
            let at = Int32(index + 1)
            let code: Int32 =
                switch value {
                case .null: unsafe sqlite3_bind_null(handle, at)
                case .int(let number): unsafe sqlite3_bind_int64(handle, at, number)
                case .text(let text): bindText(at, text)
                case .utf8(let bytes):
                    unsafe bytes.withUnsafeBytes {
                        unsafe csqlite_bind_text(handle, at, $0.baseAddress, Int32($0.count))
                    }
                case .blob(let bytes):
                    unsafe bytes.withUnsafeBytes {
                        unsafe csqlite_bind_blob(handle, at, $0.baseAddress, Int32($0.count))
                    }
                }
            guard code == SQLITE_OK else { throw database.failure(code, doing) }
        }
    }

    private func bindText(_ at: Int32, _ text: String) -> Int32 {
        var text = text
        return text.withUTF8 { unsafe csqlite_bind_text(handle, at, $0.baseAddress, Int32($0.count)) }
    }

    func takeSteps() -> Int { Int(unsafe sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_VM_STEP, 1)) }

    func step() -> Int32 { unsafe sqlite3_step(handle) }

    func reset() {
        unsafe sqlite3_reset(handle)
        unsafe sqlite3_clear_bindings(handle)
    }

    func int(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }
    func isNull(_ column: Int32) -> Bool { unsafe sqlite3_column_type(handle, column) == SQLITE_NULL }

    func bytes(_ column: Int32) -> [UInt8] {
        let pointer = unsafe sqlite3_column_blob(handle, column)
        let count = Int(unsafe sqlite3_column_bytes(handle, column))
        return unsafe Array(UnsafeRawBufferPointer(start: pointer, count: count))
    }

    /// Reads a value's bytes where they lie, and copies nothing.
    func withBytes<Value>(_ column: Int32, _ body: (Span<UInt8>) -> Value) -> Value {
        let pointer = unsafe sqlite3_column_blob(handle, column)
        let count = Int(unsafe sqlite3_column_bytes(handle, column))
        let bytes = unsafe UnsafeBufferPointer(
            start: pointer?.assumingMemoryBound(to: UInt8.self), count: pointer == nil ? 0 : count)
        return body(unsafe bytes.span)
    }

    /// Text; what is not UTF-8 reads as U+FFFD.
    func text(_ column: Int32) -> String {
        withBytes(column) { unsafe $0.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) } }
    }
}

/// The row under a statement's cursor; gone with the next step.
struct Row {
    private let statement: Statement

    init(_ statement: Statement) { self.statement = statement }

    func int(_ column: Int32) -> Int64 { statement.int(column) }
    func optionalInt(_ column: Int32) -> Int64? { statement.isNull(column) ? nil : statement.int(column) }
    func bool(_ column: Int32) -> Bool { statement.int(column) != 0 }
    func isNull(_ column: Int32) -> Bool { statement.isNull(column) }
    /// How many bytes a text or a blob has; 0 for NULL.
    func count(_ column: Int32) -> Int { statement.withBytes(column) { $0.count } }
    func bytes(_ column: Int32) -> [UInt8] { statement.bytes(column) }
    func optionalBytes(_ column: Int32) -> [UInt8]? {
        statement.isNull(column) ? nil : statement.bytes(column)
    }

    /// Text; bytes that are not UTF-8 (someone wrote them by hand) read as U+FFFD.
    func text(_ column: Int32) -> String { statement.text(column) }

    /// An ID; nil where there are not 16 bytes.
    func id<Kind>(_ column: Int32) -> ID<Kind>? { statement.withBytes(column) { ID($0) } }

    /// Whether a value is JSON's empty array or object, which most are that clients may give.
    func isEmptyJSON(_ column: Int32) -> Bool {
        statement.withBytes(column) { bytes in
            bytes.count == 2
                && (bytes[0] == 0x5B && bytes[1] == 0x5D || bytes[0] == 0x7B && bytes[1] == 0x7D)
        }
    }

    /// What a message's tokens are estimated from; nil where that was not kept.
    func size(_ column: Int32) -> ContentSize? {
        statement.withBytes(column) { $0.isEmpty ? nil : ContentSize(encoded: $0) }
    }
    func optionalText(_ column: Int32) -> String? { statement.isNull(column) ? nil : text(column) }
}

extension Row {
    /// Tokens that a sum of any number of messages may have and stay a number.
    static let mostTokens = 1 << 53
    /// Places in the order of changes that leave room for all that will ever follow.
    static let mostActivity = 1 << 62

    /// What a value that nobody could have written looks like to who reads it: the row, the column, the value.
    private func wild(_ place: Place, _ column: String, _ what: String) -> ArchiveError {
        ArchiveError(
            .corrupt, "read \(place.table) \(int(place.key))",
            reason:
                "its '\(column)' \(what); 'convo check --repair' mends what can be mended, else restore a backup"
        )
    }

    /// A table and the column that has the number of its row.
    struct Place {
        let table: String
        let key: Int32
        static let session = Place(table: "session", key: 0)
        static let turn = Place(table: "turn", key: 0)
        static let message = Place(table: "message", key: 0)
        static let branch = Place(table: "branch", key: 0)
        static let response = Place(table: "the response that was kept at", key: 3)
        static let summary = Place(table: "summary", key: 0)
        static let summaryAttempt = Place(table: "the attempts of summary", key: 0)
        static let attempt = Place(table: "the attempts of turn", key: 0)
    }

    /// A number in a range, or an error that names the row.
    func number(_ column: Int32, _ name: String, in range: ClosedRange<Int>, of place: Place)
        throws(ArchiveError) -> Int
    {
        let value = Int(int(column))
        guard range.contains(value) else {
            throw wild(
                place, name, "is \(value), it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A place in a branch; one beyond all that can be, which somebody wrote by hand, is the last.
    func place(_ column: Int32) -> Int {
        min(max(Int(int(column)), MessageKey.seqs.lowerBound), MessageKey.seqs.upperBound)
    }

    /// A time in the years 1 to 9999.
    func time(_ column: Int32, _ name: String, of place: Place) throws(ArchiveError) -> Int64 {
        Int64(try number(column, name, in: Timestamp.range, of: place))
    }

    func optionalTime(_ column: Int32, _ name: String, of place: Place) throws(ArchiveError) -> Int64? {
        statement.isNull(column) ? nil : try time(column, name, of: place)
    }

    /// Raw JSON text on one line, as it goes into answers; someone may have written other bytes by hand.
    func json(_ column: Int32, _ name: String, of place: Place) throws(ArchiveError) -> [UInt8] {
        var bytes = statement.bytes(column)
        guard let traits = JSONCheck.traits(of: bytes) else { throw wild(place, name, "is not JSON") }
        if !traits.isASCII, !ByteSearch.isUTF8(bytes.span) {
            // U+FFFD in the place of what is no text.
            bytes = Array(String(decoding: bytes, as: UTF8.self).utf8)
        }
        return traits.hasLineEnd ? bytes.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 } : bytes
    }

    /// A message's content, and whether it is one plain text.
    func content(_ column: Int32, _ name: String) throws(ArchiveError) -> (bytes: [UInt8], isPlainText: Bool)
    {
        let bytes = statement.bytes(column)
        if let traits = Message.plainTextTraits(of: bytes), traits.isASCII || ByteSearch.isUTF8(bytes.span) {
            return (bytes, true)
        }
        return (try json(column, name, of: .message), false)
    }

    /// Reads the JSON string of a content that is one plain text where it lies; nil for another content, of which `body` is told
    /// nothing.
    func plainText<Value>(_ column: Int32, _ body: (Span<UInt8>) -> Value) -> Value? {
        statement.withBytes(column) { content in
            guard let traits = Message.plainTextTraits(of: content),
                traits.isASCII || ByteSearch.isUTF8(content)
            else { return nil }
            return body(content.extracting(Message.plainTextPlace(in: content.count)))
        }
    }

    func optionalJSON(_ column: Int32, _ name: String, of place: Place) throws(ArchiveError) -> [UInt8]? {
        statement.isNull(column) ? nil : try json(column, name, of: place)
    }
}
