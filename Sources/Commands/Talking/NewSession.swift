internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

/// What a session that convo makes is made with.
struct NewSession {
    var id: String?
    var system: String?
    var model: String?
    var upstream: String?
    /// Whether it lives in memory only.
    var isEphemeral = false

    init(_ invocation: Invocation, _ template: PromptTemplate?) throws(CommandError) {
        id = invocation.value(.new)
        if let given = invocation.value(.system) {
            system = given
        } else {
            system = try template?.filledSystem()
        }
        model = try invocation.model() ?? template?.model
        upstream = invocation.value(.upstream) ?? template?.upstream
        isEphemeral = invocation.has(.ephemeral)
    }

    /// Makes the session for the working directory and returns its ID.
    func make(_ client: Client) throws(CommandError) -> String {
        let session = try client.ask(Method.SessionNew.self) {
            $0.member("cwd", Process.workingDirectory)
            $0.key("mcpServers")
            $0.array { _ in }
            $0.member("_meta") { $0.member("convod") { writeExtras(to: &$0) } }
        }
        return session.sessionId.text
    }

    private func writeExtras(to writer: inout JSONWriter) {
        writer.optional("sessionId", id)
        if id != nil { writer.member("ifExists", "error") }
        if isEphemeral { writer.member("ephemeral", true) }
        writer.optional("system", system)
        writer.optional("model", model)
        writer.optional("upstream", upstream)
        writer.key("tags")
        writer.array { $0.string(SessionChoice.tag) }
    }
}
