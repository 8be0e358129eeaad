package import Conversation
package import JSON

extension Method {
    /// `session/list` (ACP v1): the caller's sessions, newest first.
    package enum SessionList: Contract {
        package static let method = Method.sessionList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Only sessions with this directory; nil for any.
            package var cwd: String?
            /// Where the page before ended; nil begins with the newest.
            package var cursor: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                cwd = try reader.directory()
                cursor = try reader.name("cursor")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// By their last change, newest first.
            package var sessions: [Listed]
            /// Absent at the end.
            package var nextCursor: String?
            /// Absent when all sessions can be read.
            package var meta: Wire.Meta<Damage>?

            /// `damaged` holds a sentence for each session that was left out, nil where all can be read.
            package init(sessions: [Listed], nextCursor: String?, damaged: [String]?) {
                self.sessions = sessions
                self.nextCursor = nextCursor
                meta = damaged.map { Wire.Meta(Damage(damaged: $0)) }
            }

            /// A session as ACP lists it.
            package struct Listed: Codable, Sendable {
                package var sessionId: SessionID
                package var cwd: String
                /// Absent when it has none.
                package var title: String?
                /// When it changed last.
                package var updatedAt: Wire.Time
                package var meta: Wire.Meta<Extras>

                /// What ACP shows of a stored session.
                package init(_ session: Session) {
                    sessionId = session.id
                    cwd = session.cwd
                    title = session.title
                    updatedAt = Wire.Time(session.updatedAt)
                    meta = Wire.Meta(
                        Extras(
                            messageCount: session.messageCount, ephemeral: session.isEphemeral ? true : nil))
                }

                private enum CodingKeys: String, CodingKey {
                    case sessionId, cwd, title, updatedAt
                    case meta = "_meta"
                }
            }

            /// What convod adds to a session.
            package struct Extras: Codable, Sendable {
                /// Messages on its active path.
                package var messageCount: Int
                /// True where it lives in memory only.
                package var ephemeral: Bool?
            }

            /// What convod adds to the list.
            package struct Damage: Codable, Sendable {
                /// What is wrong with sessions that the list had to leave out.
                package var damaged: [String]
            }

            private enum CodingKeys: String, CodingKey {
                case sessions, nextCursor
                case meta = "_meta"
            }
        }
    }
}
