package import JSON

extension Method {
    /// `_convod/session/find`: sessions by what they are like, in an order that the caller chooses.
    package enum SessionFind: Contract {
        package static let method = Method.sessionFind
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// Whose sessions: one uid's, or those of all users (administrators only).
        package enum Owner: Sendable, Equatable { case mine, all, user(UInt32) }
        /// Which end of the order comes first.
        package enum Order: String, Sendable, CaseIterable { case asc, desc }
        /// What they are ordered by.
        package enum Sort: String, Sendable, CaseIterable { case changed, created, messages, title }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// What the title must hold, whatever the case of its letters; at most 4 KiB.
            package var query: String?
            /// What the ID must begin with.
            package var idPrefix: String?
            /// A tag that it must have, exactly so.
            package var tag: String?
            /// The directory that it must have, as an absolute path in one spelling.
            package var cwd: String?
            /// The upstream that it must name itself.
            package var upstream: String?
            /// The model that it must name itself.
            package var model: String?
            package var owner = Owner.mine
            /// Whether archived ones are wanted, or those that are not; nil means the latter.
            package var isArchived: Bool?
            /// Whether those in the trash are wanted, in place of the others.
            package var isTrashed = false
            /// Whether sessions without messages are listed too.
            package var includesEmpty = false
            /// The earliest last change; milliseconds since 1970.
            package var since: Int64?
            /// What the last change must be before; milliseconds since 1970.
            package var until: Int64?
            package var sort = Sort.changed
            /// By default titles from the first letter on, and of all else the newest or most first.
            package var order = Order.desc
            /// Rows of the page.
            package var limit: Int
            /// Where the page before ended; nil begins with the first of the order.
            package var cursor: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                query = try reader.string("query", most: Limits.query)
                idPrefix = try reader.name("idPrefix")
                tag = try reader.name("tag")
                cwd = try reader.directory()
                upstream = try reader.name("upstream")
                model = try reader.name("model")
                if let value = reader.value("owner") {
                    if value.string == "*" {
                        owner = .all
                    } else if let uid = value.int, (0...Int(UInt32.max)).contains(uid) {
                        owner = .user(UInt32(uid))
                    } else {
                        throw reader.wrong("owner", "a uid or \"*\"")
                    }
                }
                isArchived = try reader.bool("archived")
                isTrashed = try reader.bool("trashed") ?? false
                includesEmpty = try reader.bool("empty") ?? false
                since = try reader.time("since")
                until = try reader.time("until")
                sort = try reader.word("sort", Sort.self) ?? .changed
                order = try reader.word("order", Order.self) ?? (sort == .title ? .asc : .desc)
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? 100
                cursor = try reader.name("cursor")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// In the order that was asked for; a page with a cursor may be empty.
            package var sessions: [Wire.SessionSummary]
            /// Absent at the end.
            package var nextCursor: String?
            /// What is wrong with sessions that the list had to leave out; absent where all can be read.
            package var damaged: [String]?

            package init(sessions: [Wire.SessionSummary], nextCursor: String? = nil, damaged: [String]? = nil)
            {
                self.sessions = sessions
                self.nextCursor = nextCursor
                self.damaged = damaged
            }
        }
    }
}
