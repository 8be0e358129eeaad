package import Conversation
internal import JSON

extension Method {
    /// `_convod/export`: a session as records, each in an `_convod/export/item`, then this result.
    package enum Export: Contract {
        package static let method = Method.export
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// The name of a format.
            package var format: String
            /// Whether a record about the session itself comes first.
            package var hasHeader: Bool
            /// Whether the session's directory and tool servers, which name places of this machine, are told.
            package var hasPaths: Bool
            /// A message of the active path: only those behind it are wanted, and nothing beside them; nil for all.
            package var after: MessageID?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                format = try reader.name("format") ?? "jsonl"
                hasHeader = try reader.bool("header") ?? true
                hasPaths = try reader.bool("paths") ?? true
                after = try reader.messageID("after")
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
