internal import ConvoClient
internal import JSON
internal import Protocol

/// Who is asked in a chat: by the session's settings, else as configured.
struct ChatTarget {
    let model: String?
    let upstream: String?

    init(_ info: Method.ServerInfo.Result, model: String?, upstream: String?) {
        let name = upstream ?? (info.defaultRoute.isEmpty ? nil : "default")
        let asked = name.flatMap { info.routes.members[$0]?.first } ?? name
        self.upstream = asked
        self.model = model ?? info.upstreams.first { $0.name == asked }?.model
    }

    /// As "gpt-5 via openai".
    var words: String {
        guard let upstream else { return model ?? "" }
        return model.map { "\($0) via \(upstream)" } ?? upstream
    }
}
