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

    /// Makes the session for the working directory and returns its ID.
    func make(_ client: Client) throws(CommandError) -> String {
        let made = try client.ask(.sessionNew) {
            $0.member("cwd", Process.workingDirectory)
            $0.key("mcpServers")
            $0.array { _ in }
            $0.member("_meta") { $0.member("convod") { writeExtras(to: &$0) } }
        }
        guard let id = made["sessionId"]?.string else {
            throw CommandError(
                .failure,
                "the daemon made a session but gave no ID; its version may not fit, see 'convo status'")
        }
        return id
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
