package import JSON

extension Method {
    /// `_convod/store/prune`: purges sessions by what they are like, or says what would go.
    package enum StorePrune: Contract {
        package static let method = Method.storePrune
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looksAndChanges
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// Which sessions: those in the trash alone, those that are not, or both.
        package enum Scope: String, Sendable, CaseIterable { case trashed, live, all }
        /// Sessions of one request at most; more is told.
        package static let most = 10_000

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var scope: Scope
            /// Sessions whose last change was before then; milliseconds since 1970.
            package var before: Int64?
            package var tag: String?
            /// Whether archived ones are meant too; for live ones alone.
            package var includesArchived: Bool
            /// Whether it only says what would go.
            package var isDryRun: Bool

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                scope = try reader.word("scope", Scope.self) ?? .trashed
                before = try reader.time("before")
                tag = try reader.name("tag")
                includesArchived = try reader.bool("archived") ?? false
                isDryRun = try reader.bool("dryRun") ?? false
                if scope != .trashed && before == nil && tag == nil {
                    throw .invalid("'before' or 'tag' must say which sessions, unless it is the trash")
                }
            }
        }

        /// What it gives: what went, or would go.
        package struct Result: Codable, MethodResult {
            package var sessions: Int
            package var messages: Int
            /// Bytes of the messages' contents.
            package var bytes: Int
            /// Messages that other sessions hold too, and that stay.
            package var sharedMessages: Int
            /// About what the file gets smaller by.
            package var fileBytesEstimate: Int
            /// Whether there are more sessions like these than one request takes.
            package var more: Bool

            package init(
                sessions: Int, messages: Int, bytes: Int, sharedMessages: Int, fileBytesEstimate: Int,
                more: Bool
            ) {
                self.sessions = sessions
                self.messages = messages
                self.bytes = bytes
                self.sharedMessages = sharedMessages
                self.fileBytesEstimate = fileBytesEstimate
                self.more = more
            }
        }
    }
}
