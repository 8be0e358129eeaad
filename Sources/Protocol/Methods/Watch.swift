package import Conversation
package import JSON

extension Method {
    /// `_convod/watch`: changes of the caller's session list, and live updates of chosen sessions.
    package enum Watch: Contract {
        package static let method = Method.watch
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// What was seen last; nil means from now on.
            package var cursor: String?
            /// Sessions whose updates are wanted too, as an observer.
            package var sessions: [SessionID]
            /// False ends what was watched before.
            package var isOn: Bool
            private static let mostSessions = 1_000

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                cursor = try reader.name("cursor")
                isOn = try reader.bool("on") ?? true
                sessions = []
                let names = try reader.strings("sessions") ?? []
                guard names.count <= Parameters.mostSessions else {
                    throw .invalid(
                        "'sessions' may hold \(Parameters.mostSessions) IDs, it has \(names.count)")
                }
                for text in names {
                    guard let id = SessionID(text) else {
                        throw .invalid("'sessions' holds '\(text.prefix(60))', which is no session ID")
                    }
                    sessions.append(id)
                }
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Whether changes are told from now on; false while there are more to read.
            package var live: Bool
            /// For the next request; absent when it was turned off.
            package var cursor: String?
            /// What changed behind the cursor, oldest change first; absent when it was turned off.
            package var changes: [Change]?

            package init(live: Bool, cursor: String? = nil, changes: [Change]? = nil) {
                self.live = live
                self.cursor = cursor
                self.changes = changes
            }

            /// A session that changed, as lists show it now.
            package struct Change: Codable, Sendable {
                package var session: Wire.SessionSummary
                /// Whether it is in the trash, and so gone from lists.
                package var gone: Bool

                /// What a list shows of a stored session, and whether it still does.
                package init(_ session: Session) {
                    self.session = Wire.SessionSummary(session)
                    gone = session.trashedAt != nil
                }
            }
        }
    }
}
