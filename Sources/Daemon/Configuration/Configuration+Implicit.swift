internal import Upstream

extension Configuration {
    /// Variables that hold a key of a provider.
    package static let keyVariables = [
        "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY",
    ]

    /// What is used without a configuration file: OpenAI when its key is there, else Ollama when it answers, else the echo.
    package init(implicitIn environment: [String: String]) {
        self.init()
        var echo = UpstreamSettings(name: "echo", kind: .echo)
        echo.delay = 0
        if let key = environment["OPENAI_API_KEY"], !key.isEmpty {
            var openai = UpstreamSettings(
                name: "openai", kind: .openai, baseURL: "https://api.openai.com/v1", model: "gpt-4.1")
            if let base = environment["OPENAI_BASE_URL"], base.hasPrefix("http") {
                openai.baseURL = base.hasSuffix("/") ? String(base.dropLast()) : base
            }
            if let model = environment["OPENAI_MODEL"], !model.isEmpty { openai.model = model }
            openai.keys = [.environment("OPENAI_API_KEY")]
            upstreams = [openai, echo]
            routes = [Configuration.defaultRoute: ["openai"]]
            return
        }
        let ollama = UpstreamSettings(
            name: "ollama", kind: .openai, baseURL: Configuration.ollama(environment) + "/v1")
        upstreams = [ollama, echo]
        routes = [Configuration.defaultRoute: ["echo"]]
    }

    /// Ollama's address: `OLLAMA_HOST`, else its port on loopback.
    package static func ollama(_ environment: [String: String]) -> String {
        guard var host = environment["OLLAMA_HOST"], !host.isEmpty else { return "http://127.0.0.1:11434" }
        if !host.contains("://") { host = "http://" + host }
        while host.hasSuffix("/") { host.removeLast() }
        let address = host.drop { $0 != ":" }.dropFirst(3)
        host = address.contains(":") ? host : host + ":11434"
        return host.split(separator: "0.0.0.0", omittingEmptySubsequences: false).joined(
            separator: "127.0.0.1")
    }

    /// What a user should know about the upstreams that were found, nil when there is nothing to say.
    package static func notice(_ environment: [String: String]) -> String? {
        guard environment["OPENAI_API_KEY"]?.isEmpty ?? true else { return nil }
        let later = ["GEMINI_API_KEY", "GOOGLE_API_KEY", "ANTHROPIC_API_KEY"].filter {
            !(environment[$0]?.isEmpty ?? true)
        }
        guard let name = later.first else { return nil }
        return
            "\(name) is set, but this version speaks only OpenAI's dialect; set OPENAI_API_KEY or write a configuration"
    }
}
