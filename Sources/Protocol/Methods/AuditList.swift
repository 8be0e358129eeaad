package import JSON

extension Method {
    /// `_convod/audit`: requests that changed something, with who asked, the newest first.
    ///
    /// Administrators get everybody's, others their own.
    package enum AuditList: Contract {
        package static let method = Method.auditList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// A session's ID, there or not; nil for any.
            package var session: String?
            /// Milliseconds since 1970; nil means from the first on that is kept.
            package var since: Int64?
            /// Where it goes on, as the page before gave it; nil for the newest.
            package var cursor: String?
            package var limit: Int

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                session = try reader.name("session")
                since = try reader.time("since")
                cursor = try reader.name("cursor")
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? 100
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// The newest first.
            package var changes: [Change]
            /// Where older ones follow; nil at the end.
            package var nextCursor: String?
            package init(changes: [Change], nextCursor: String? = nil) {
                self.changes = changes
                self.nextCursor = nextCursor
            }
        }

        /// A request that changed something, or should have.
        package struct Change: Codable, Sendable {
            package var at: Wire.Time
            /// Who asked.
            package var uid: Int
            /// With which process; absent where the kernel did not say.
            package var pid: Int?
            package var method: String
            /// As it was given; absent where it was about none.
            package var session: String?
            /// `done` or the kind of error.
            package var outcome: String

            package init(
                at: Wire.Time, uid: Int, pid: Int?, method: String, session: String?, outcome: String
            ) {
                self.at = at
                self.uid = uid
                self.pid = pid
                self.method = method
                self.session = session
                self.outcome = outcome
            }
        }
    }
}
