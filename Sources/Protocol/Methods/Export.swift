package import Conversation
internal import JSON

extension Method {
    /// `_convod/export`: a session as records, each in an `_convod/export/item`, then this result.
    package enum Export: Contract {
        package static let method = Method.export
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// What the records are: a line of JSON each, or text for people.
        package enum Format: String, Sendable, CaseIterable { case jsonl, markdown }

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            package var format: Format
            /// Whether a record about the session itself comes first.
            package var hasHeader: Bool

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                format = try reader.word("format", Format.self) ?? .jsonl
                hasHeader = try reader.bool("header") ?? true
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Records that were sent.
            package var count: Int
            /// The SHA-256 over all of them, each with an LF, in hexadecimal.
            package var sha256: String

            package init(count: Int, sha256: String) {
                self.count = count
                self.sha256 = sha256
            }
        }
    }
}
