internal import JSON

extension Method {
    /// `_convod/upstream/list`: the upstreams with their keys, masked, and how they fare.
    package enum UpstreamList: Contract {
        package static let method = Method.upstreamList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.free
        package typealias Parameters = NoParameters

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var upstreams: [Upstream]

            package init(upstreams: [Upstream]) {
                self.upstreams = upstreams
            }

            /// One upstream.
            package struct Upstream: Codable, Sendable {
                package var name: String
                /// The name of its `UpstreamKind`.
                package var kind: String
                /// The one used when nobody names one; absent when it must be named.
                package var model: String?
                /// Where its server is; absent for one without a server.
                package var baseURL: String?
                /// The routes that it is part of.
                package var routes: [String]
                /// Where its keys come from; empty for Google's credentials and for servers without keys.
                package var keys: [Key]
                /// Where its Google credential comes from.
                package var credential: String?
                /// Whether it has what it needs to ask.
                package var hasKey: Bool
                /// `closed`, `open` or `half-open`.
                package var breaker: String
                /// Until it may be asked again.
                package var retryInMs: Int?
                /// Until the first words, about.
                package var latencyMs: Int?
                /// Calls that came to their end; counted in memory alone.
                package var answers: Int
                /// Calls that failed, counted likewise.
                package var failures: Int
                /// Absent before the first answer.
                package var lastSuccessAt: Wire.Time?
                /// Absent where nothing failed yet.
                package var lastError: LastError?
                /// Absent where nothing failed yet.
                package var lastErrorAt: Wire.Time?

                package init(
                    name: String, kind: String, model: String? = nil, baseURL: String? = nil,
                    routes: [String], keys: [Key], credential: String? = nil, hasKey: Bool, breaker: String,
                    retryInMs: Int? = nil, latencyMs: Int? = nil, answers: Int, failures: Int,
                    lastSuccessAt: Wire.Time? = nil, lastError: LastError? = nil,
                    lastErrorAt: Wire.Time? = nil
                ) {
                    self.name = name
                    self.kind = kind
                    self.model = model
                    self.baseURL = baseURL
                    self.routes = routes
                    self.keys = keys
                    self.credential = credential
                    self.hasKey = hasKey
                    self.breaker = breaker
                    self.retryInMs = retryInMs
                    self.latencyMs = latencyMs
                    self.answers = answers
                    self.failures = failures
                    self.lastSuccessAt = lastSuccessAt
                    self.lastError = lastError
                    self.lastErrorAt = lastErrorAt
                }
            }

            /// A key as people may see it.
            package struct Key: Codable, Sendable {
                /// Where it comes from.
                package var source: String
                /// Its last characters.
                package var masked: String?
                /// `ready`, `refused`, `waiting` or `missing`.
                package var state: String
                /// Why it is not `ready`; absent when all is well.
                package var reason: String?

                package init(source: String, masked: String? = nil, state: String, reason: String? = nil) {
                    self.source = source
                    self.masked = masked
                    self.state = state
                    self.reason = reason
                }
            }

            /// The newest failure, without what the server said.
            package struct LastError: Codable, Sendable {
                /// One of `ErrorKind`'s words.
                package var kind: String
                /// One sentence for a person.
                package var message: String
                /// The HTTP status.
                package var status: Int?
                /// Where administrators find the server's words.
                package var turnId: String?

                package init(kind: String, message: String, status: Int? = nil, turnId: String? = nil) {
                    self.kind = kind
                    self.message = message
                    self.status = status
                    self.turnId = turnId
                }
            }
        }
    }
}
