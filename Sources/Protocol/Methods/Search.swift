package import Conversation
package import JSON

extension Method {
    /// `_convod/search`: messages by what they say, or sessions by their titles.
    package enum Search: Contract {
        package static let method = Method.search
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// What is searched.
        package enum Field: String, Sendable, CaseIterable { case messages, titles }
        /// The last stored first, or those that fit best.
        package enum Order: String, Sendable, CaseIterable { case newest, rank }
        /// What of a session is searched: its active path, or all its branches.
        package enum Branches: String, Sendable, CaseIterable { case active, all }
        /// Messages beside a hit, on each side.
        package static let mostAround = 5
        /// The newest hits that are put in order by how they fit.
        package static let mostRanked = 2_000

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// At most 4 KiB; see `SearchQuery`.
            package var query: String
            package var field: Field
            /// Search in this session alone, whatever it is: archived, or in the trash.
            package var sessionID: SessionID?
            package var role: Message.Role?
            /// Milliseconds since 1970: stored from then on.
            package var from: Int64?
            /// Milliseconds since 1970: stored before then.
            package var to: Int64?
            package var tag: String?
            package var upstream: String?
            package var model: String?
            package var isArchived: Bool?
            package var isTrashed: Bool
            package var branches: Branches
            package var order: Order
            package var around: Int
            package var limit: Int
            package var cursor: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                guard let text = try reader.string("query", most: Limits.query) else {
                    throw .invalid("'query' is missing")
                }
                query = text
                field = try reader.word("in", Field.self) ?? .messages
                sessionID = try reader.optionalSessionID()
                if let name = try reader.string("role") {
                    guard let role = Message.Role(name: name) else {
                        throw reader.wrong("role", "'system', 'user', 'assistant' or 'tool'")
                    }
                    self.role = role
                }
                from = try reader.time("from")
                to = try reader.time("to")
                tag = try reader.name("tag")
                upstream = try reader.name("upstream")
                model = try reader.name("model")
                isArchived = try reader.bool("archived")
                isTrashed = try reader.bool("trashed") ?? false
                branches = try reader.word("branches", Branches.self) ?? .active
                order = try reader.word("order", Order.self) ?? .newest
                around = try reader.int("around", in: 0...Search.mostAround) ?? 0
                limit = try reader.int("limit", in: 1...min(200, limits.pageRows)) ?? 20
                cursor = try reader.name("cursor")
                guard field == .titles else { return }
                let others: [(String, Bool)] = [
                    ("sessionId", sessionID != nil), ("role", role != nil), ("around", around > 0),
                    ("branches", branches == .all), ("order", order == .rank),
                ]
                if let other = others.first(where: \.1) {
                    throw .invalid("'\(other.0)' is for messages; leave it out where titles are searched")
                }
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// In the order that was asked for.
            package var hits: [Hit]
            /// Absent at the end.
            package var nextCursor: String?
            /// True where only the newest hits were put in order; else absent.
            package var approximate: Bool?

            package init(hits: [Hit], nextCursor: String? = nil, approximate: Bool? = nil) {
                self.hits = hits
                self.nextCursor = nextCursor
                self.approximate = approximate
            }
        }

        /// A message that was found, or a session by its title.
        package struct Hit: Codable, Sendable {
            package var sessionId: SessionID
            /// Absent for a title.
            package var messageId: MessageID?
            /// Its place on its path, from 1; absent for a title.
            package var seq: Int?
            /// Absent for a title.
            package var role: Message.Role?
            /// The branch that has it; absent for a title.
            package var branch: Int?
            /// Whether it is on the session's active path; absent for a title.
            package var active: Bool?
            /// Of the message; of a title the session's last change.
            package var createdAt: Wire.Time
            /// The session's; absent where it has none.
            package var title: String?
            /// Pieces that follow each other without a gap.
            package var snippet: [Piece]
            /// The messages before it, oldest first; absent unless asked for.
            package var before: [Neighbour]?
            /// The messages behind it; absent unless asked for.
            package var after: [Neighbour]?

            package init(sessionId: SessionID, createdAt: Wire.Time, snippet: [Piece]) {
                self.sessionId = sessionId
                self.createdAt = createdAt
                self.snippet = snippet
            }
        }

        /// A piece of a text.
        package struct Piece: Codable, Sendable {
            package var text: String
            /// Whether it is what was looked for.
            package var hit: Bool
            package init(text: String, hit: Bool) {
                self.text = text
                self.hit = hit
            }
        }

        /// A message beside one that was found.
        package struct Neighbour: Codable, Sendable {
            package var messageId: MessageID
            package var role: Message.Role
            /// The beginning of what it says.
            package var text: String
            package init(messageId: MessageID, role: Message.Role, text: String) {
                self.messageId = messageId
                self.role = role
                self.text = text
            }
        }
    }
}
