internal import Conversation
package import JSON

extension Method {
    /// `_convod/server/info`: what the daemon is and how it is set up.
    package enum ServerInfo: Contract {
        package static let method = Method.serverInfo
        package static let callers = Callers.everyone
        package static let order = RequestOrder.free

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Whether the whole configuration is wanted, which only administrators may see.
            package var wantsConfig: Bool

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                wantsConfig = try reader.bool("config") ?? false
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var name: String
            package var version: String
            /// The version of ACP that it speaks.
            package var protocolVersion: Int
            /// The daemon's process ID.
            package var pid: Int
            package var startedAt: Wire.Time
            /// Milliseconds since its start by the wall clock; 0 where that went back.
            package var uptimeMs: Int
            /// The path at which it listens.
            package var socket: String
            /// Where it stores; for administrators.
            package var database: String?
            /// The file that it read; for administrators.
            package var configuration: String?
            /// The store's engine with its version.
            package var engine: String
            /// The library that asks the upstreams, with its version and that of its parts.
            package var http: String?
            /// The user ID that the caller is known by.
            package var uid: Int
            /// Whether the caller sees all sessions.
            package var isAdmin: Bool
            /// Clients connected now, the caller among them.
            package var connections: Int
            /// Sessions on which a turn runs; for administrators.
            package var sessionsRunning: Int?
            package var limits: LimitList
            /// All that are configured, or found by the environment.
            package var upstreams: [Upstream]
            /// The upstreams of each route, in order.
            package var routes: JSONTable<[String]>
            /// Whether it runs without a configuration.
            package var isImplicit: Bool
            /// Something that a person should know.
            package var notice: String?
            /// What its environment has; for administrators.
            package var environment: Environment?
            /// The whole configuration, keys masked; for administrators who ask for it.
            package var config: RawJSON?

            package init(
                name: String, version: String, protocolVersion: Int, pid: Int, startedAt: Wire.Time,
                uptimeMs: Int, socket: String, database: String? = nil, configuration: String? = nil,
                engine: String, http: String? = nil, uid: Int, isAdmin: Bool, connections: Int,
                sessionsRunning: Int? = nil,
                limits: LimitList, upstreams: [Upstream], routes: JSONTable<[String]>, isImplicit: Bool,
                notice: String? = nil, environment: Environment? = nil, config: RawJSON? = nil
            ) {
                self.name = name
                self.version = version
                self.protocolVersion = protocolVersion
                self.pid = pid
                self.startedAt = startedAt
                self.uptimeMs = uptimeMs
                self.socket = socket
                self.database = database
                self.configuration = configuration
                self.engine = engine
                self.http = http
                self.uid = uid
                self.isAdmin = isAdmin
                self.connections = connections
                self.sessionsRunning = sessionsRunning
                self.limits = limits
                self.upstreams = upstreams
                self.routes = routes
                self.isImplicit = isImplicit
                self.notice = notice
                self.environment = environment
                self.config = config
            }

            /// An upstream as everybody may see it.
            package struct Upstream: Codable, Sendable {
                package var name: String
                /// The name of its `UpstreamKind`.
                package var kind: String
                /// The one used when nobody names one; absent when it must be named.
                package var model: String?
                /// Where its server is; absent for one without a server.
                package var baseURL: String?
                /// Whether a key or a credential is at hand; false too for a server that is asked without one.
                package var hasKey: Bool

                package init(
                    name: String, kind: String, model: String? = nil, baseURL: String? = nil, hasKey: Bool
                ) {
                    self.name = name
                    self.kind = kind
                    self.model = model
                    self.baseURL = baseURL
                    self.hasKey = hasKey
                }
            }

            /// What matters of an environment.
            package struct Environment: Codable, Sendable {
                /// Names of the variables with keys that are set.
                package var keys: [String]

                package init(keys: [String]) {
                    self.keys = keys
                }
            }

            /// The limits in force; `x-limits` of `schema/protocol.json` explains each.
            package struct LimitList: Codable, Sendable {
                package var lineBytes: Int
                /// Levels of nesting in a line.
                package var depth: Int
                package var connections: Int
                package var outboxBytes: Int
                package var pageRows: Int
                package var pageBytes: Int
                /// Requests of one batch.
                package var batch: Int
                /// Turns that wait in one session.
                package var queue: Int
                package var queuedBytes: Int
                /// Requests of one client that have no answer yet.
                package var requests: Int
                package var unstoredBytes: Int
                package var unstoredAllBytes: Int
                package var bufferBytes: Int
                package var userBufferBytes: Int
                /// Members of one object of a line.
                package var keys: Int
                /// Values of one line, keys counted.
                package var values: Int
                /// Parts of one prompt or message.
                package var parts: Int
                package var cwdBytes: Int
                package var settingsBytes: Int
                package var paramsBytes: Int
                /// Characters of a session ID.
                package var sessionIdLength: Int

                /// Those that one server may set, and those that all have.
                package init(_ limits: Limits) {
                    lineBytes = limits.line
                    depth = limits.depth
                    connections = limits.connections
                    outboxBytes = limits.outbox
                    pageRows = limits.pageRows
                    pageBytes = limits.pageBytes
                    batch = IncomingLine.longestBatch
                    queue = limits.queue
                    queuedBytes = limits.queued
                    requests = limits.requests
                    unstoredBytes = limits.unstored
                    unstoredAllBytes = limits.unstoredAll
                    bufferBytes = limits.buffers
                    userBufferBytes = limits.userBuffers
                    keys = Limits.keys
                    values = Limits.values
                    parts = Limits.parts
                    cwdBytes = Limits.directory
                    settingsBytes = Limits.settings
                    paramsBytes = Limits.parameters
                    sessionIdLength = SessionID.longest
                }
            }
        }
    }
}
