package import Conversation
package import JSON

extension Method {
    /// `session/new` (ACP v1): makes a session, or opens the one that has its ID.
    package enum SessionNew: Contract {
        package static let method = Method.sessionNew
        package static let callers = Callers.everyone
        package static let order = RequestOrder.changes

        package static func reach(of params: JSONView?) -> RequestReach {
            .sessions([params?["_meta"]?["convod"]?["sessionId"]?.string].compactMap(\.self))
        }

        /// What to do when the ID is taken: open that session as it is, or answer `conflict`, as both do for one in
        /// the trash.
        package enum IfExists: String, Sendable, CaseIterable { case resume, error }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Nil lets the daemon choose.
            package var id: SessionID?
            /// Matters only with an ID.
            package var ifExists = IfExists.error
            /// Whether the session lives in memory only.
            package var isEphemeral = false
            /// An absolute path; nil means the home directory of the client's user.
            package var cwd: String?
            /// A raw JSON array of at most 64 KiB.
            package var mcpServers: [UInt8]?
            /// Nil: the first prompt gives one.
            package var title: String?
            /// The system prompt, at most 1 MiB; nil for none.
            package var system: String?
            /// What the client brings along for ACP's sake; nil for nothing.
            package var systemPrompt: SystemPrompt?
            /// Its upstream, model and window, each nil where the configuration decides.
            package var settings = SessionSettings()
            /// At most 64, of 1 to 64 bytes each.
            package var tags: [String] = []
            /// A raw JSON object of at most 64 KiB, kept byte for byte.
            package var metadata: [UInt8]?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                cwd = try reader.directory()
                mcpServers = try reader.mcpServers()
                systemPrompt = try SystemPrompt(&reader)
                var extra = try reader.extras()
                id = try extra.optionalSessionID()
                ifExists = try extra.word("ifExists", IfExists.self) ?? .error
                isEphemeral = try extra.bool("ephemeral") ?? false
                title = try extra.title()
                system = try extra.system()
                settings = SessionSettings(
                    upstream: try extra.name("upstream"), model: try extra.name("model"),
                    window: try extra.window())
                tags = try extra.tags() ?? []
                metadata = try extra.metadata()
                try extra.finish()
            }
        }
        package typealias Result = Wire.NewSession
    }
}
