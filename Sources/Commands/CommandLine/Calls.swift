internal import ConvoClient
internal import JSON
internal import Protocol

extension Client {
    /// A call whose failure ends the command.
    func ask(
        _ method: Method, milliseconds: Int? = nil, _ members: (inout JSONWriter) -> Void = { _ in }
    ) throws(CommandError) -> JSONView {
        do { return try call(method, JSONWriter.object(members), milliseconds: milliseconds) } catch {
            throw CommandError(error)
        }
    }
}

/// What `_convod/server/info` says.
struct ServerInfo {
    let view: JSONView

    init(view: JSONView) { self.view = view }

    /// Asks a daemon; one that does not answer within five seconds is an error.
    init(of client: Client, withConfiguration: Bool = false) throws(CommandError) {
        view = try client.ask(.serverInfo, milliseconds: 5_000) {
            if withConfiguration { $0.member("config", true) }
        }
    }

    var version: String { view["version"]?.string ?? "" }
    var pid: Int { view["pid"]?.int ?? 0 }
    var socket: String { view["socket"]?.string ?? "" }
    var database: String { view["database"]?.string ?? "" }
    var configuration: String? { view["configuration"]?.string }
    var isImplicit: Bool { view["isImplicit"]?.bool ?? false }

    /// The upstreams of the route that is used when nobody names one.
    var defaultRoute: [String] { view["routes"]?["default"]?.elements.compactMap(\.string) ?? [] }

    /// Whether nothing was configured or found, so that the daemon only repeats what it hears.
    var isOnImplicitEcho: Bool { isImplicit && defaultRoute == ["echo"] }

    /// Names of variables with keys that the daemon was started with.
    var environmentKeys: [String] { view["environment"]?["keys"]?.elements.compactMap(\.string) ?? [] }
}

extension Invocation {
    /// Variables whose key a restarted daemon would use by itself.
    private static let keyVariables = [
        "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS",
        "OPENAI_API_KEY",
    ]

    /// Says on standard error what a user of this daemon should know before talking.
    func warn(about info: ServerInfo) {
        if info.version != Version.text {
            console.note(
                "convod \(info.version) runs, this is convo \(Version.text); 'convo restart' starts the other version"
            )
        }
        guard info.isImplicit else { return }
        for name in Invocation.keyVariables
        where !(environment[name] ?? "").isEmpty && !info.environmentKeys.contains(name) {
            console.note(
                "\(name) is set here, but the running daemon was started without it; 'convo restart' would use it"
            )
        }
    }
}
