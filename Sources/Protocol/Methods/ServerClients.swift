internal import Conversation
internal import JSON

extension Method {
    /// `_convod/server/clients`: who is connected.
    package enum ServerClients: Contract {
        package static let method = Method.serverClients
        package static let callers = Callers.administrators
        package static let order = RequestOrder.free
        package static let isForWatchers = true

        /// What it takes.
        package struct Parameters: MethodParameters {
            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {}
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Those that are connected now, the oldest connection first.
            package var clients: [Client]
            package init(clients: [Client]) { self.clients = clients }
        }

        /// One that is connected.
        package struct Client: Codable, Sendable {
            /// The connection's number since the daemon's start.
            package var number: Int
            /// The user ID that it acts for.
            package var uid: Int
            /// The process at its other end when it connected; absent where the kernel did not say.
            package var pid: Int?
            /// `user`, `watcher` or `administrator`.
            package var role: String
            package var connectedAt: Wire.Time
            /// Sessions that it has open.
            package var sessions: Int
            /// Requests of it that have no answer yet.
            package var requests: Int
            /// Whether it is who asks.
            package var isSelf: Bool

            package init(
                number: Int, uid: Int, pid: Int?, role: String, connectedAt: Wire.Time, sessions: Int,
                requests: Int, isSelf: Bool
            ) {
                self.number = number
                self.uid = uid
                self.pid = pid
                self.role = role
                self.connectedAt = connectedAt
                self.sessions = sessions
                self.requests = requests
                self.isSelf = isSelf
            }
        }
    }
}
