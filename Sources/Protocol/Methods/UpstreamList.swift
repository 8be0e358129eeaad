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
                package var kind: String
                package var model: String?
                package var baseURL: String?
                /// The routes that it is part of.
                package var routes: [String]
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
                package var answers: Int
                package var failures: Int
                package var lastSuccessAt: Wire.Time?
                package var lastError: LastError?
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
                package var kind: String
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
