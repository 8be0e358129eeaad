internal import Conversation
package import JSON

/// Updates that only a client gets that says it shows them (acp-2.md 1.2).
package struct ShownUpdates: Sendable, Equatable {
    /// Notices of a session (`clientCapabilities.session.notices`).
    package var notices = false
    /// How summaries of a session go (`clientCapabilities.session.compaction`).
    package var compactions = false

    package init() {}
}

extension Method {
    /// `initialize` (ACP v1): whatever version it asks for, 1 is the newest that is spoken.
    package enum Initialize: Contract {
        package static let method = Method.initialize
        package static let callers = Callers.everyone
        package static let order = RequestOrder.free

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// The newest version of ACP that the client speaks, 0 to 65,535.
            package var protocolVersion: Int
            /// What the client shows beside the answers.
            package var shows = ShownUpdates()

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                guard let version = try reader.int("protocolVersion", in: 0...65_535) else {
                    throw .invalid("'protocolVersion' is missing")
                }
                protocolVersion = version
                // Whatever else stands there reads as absent.
                let session = reader.view?["clientCapabilities"]?["session"]
                shows.notices = session?["notices"]?.kind == .object
                shows.compactions = session?["compaction"]?.kind == .object
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// The version of ACP that is spoken from now on.
            package var protocolVersion = Version.protocolNumber
            package var agentCapabilities = Capabilities()
            package var agentInfo = Agent()
            /// Always empty: the socket says who the caller is.
            package var authMethods: [RawJSON] = []

            package init() {}

            /// What ACP's clients may use.
            package struct Capabilities: Codable, Sendable {
                package var loadSession = true
                package var promptCapabilities = Prompts()
                package var mcpCapabilities = MCP()
                package var sessionCapabilities = Sessions()
                package var meta = Wire.Meta(Extras())

                private enum CodingKeys: String, CodingKey {
                    case loadSession, promptCapabilities, mcpCapabilities, sessionCapabilities
                    case meta = "_meta"
                }
            }

            /// What a prompt may hold beside text.
            package struct Prompts: Codable, Sendable {
                package var image = true
                package var audio = true
                package var embeddedContext = true
            }

            /// How MCP servers would be reached, if convod used any.
            package struct MCP: Codable, Sendable {
                package var http = false
                package var sse = false
            }

            /// Methods of ACP that not every agent has.
            package struct Sessions: Codable, Sendable {
                package var list = Done()
                package var resume = Done()
                package var fork = Done()
                package var close = Done()
                package var delete = Done()
                package var systemPrompt = SystemPrompts()
            }

            /// What becomes of system prompts that a client brings along: they can be appended, and stand in place of others.
            package struct SystemPrompts: Codable, Sendable {
                package var mode = Modes()

                /// What is done beside appending.
                package struct Modes: Codable, Sendable {
                    package var override = Done()
                }
            }

            /// What of it is convod's own.
            package struct Extras: Codable, Sendable {
                /// The version of this build, not of a protocol.
                package var version = Version.text
                /// Methods beside ACP's.
                package var methods = Method.allCases.filter(\.isOwn).map(\.rawValue)
            }

            /// Who answers.
            package struct Agent: Codable, Sendable {
                package var name = "convod"
                /// The name for people.
                package var title = "convod"
                /// The version of this build, as in `Extras`.
                package var version = Version.text
            }
        }
    }
}
