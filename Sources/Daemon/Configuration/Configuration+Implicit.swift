internal import Upstream

extension Configuration {
    /// What is used without a configuration file: the providers whose keys are there, else Ollama when it answers,
    /// else the echo.
    package init(implicitIn environment: [String: String]) {
        self.init()
        var found = [
            Configuration.gemini(environment), Configuration.openai(environment),
            Configuration.anthropic(environment),
        ].compactMap(\.self)
        let echo = UpstreamSettings(name: "echo", kind: .echo)
        if found.isEmpty {
            var ollama = UpstreamSettings(
                name: "ollama", kind: .openai, baseURL: Configuration.ollama(environment) + "/v1")
            ollama.isOllama = true
            found = [ollama]
            routes = [Configuration.defaultRoute: ["echo"]]
        } else {
            // Only the first: nobody's words go to another company because the first was down.
            routes = [Configuration.defaultRoute: found.prefix(1).map(\.name)]
        }
        upstreams = found + [echo]
    }

    private static func has(_ name: String, _ environment: [String: String]) -> Bool {
        !(environment[name]?.isEmpty ?? true)
    }

    /// An address from the environment, the vendor's own where there is none.
    private static func base(
        _ name: String, _ kind: UpstreamSettings.Kind, _ environment: [String: String]
    ) -> String {
        guard var base = environment[name], base.hasPrefix("http") else {
            return UpstreamSettings.defaultBaseURL(kind)
        }
        while base.hasSuffix("/") { base.removeLast() }
        return base
    }

    /// `GOOGLE_API_KEY` beats `GEMINI_API_KEY`, as in Google's own libraries (wire.md A2).
    private static func gemini(_ environment: [String: String]) -> UpstreamSettings? {
        var gemini = UpstreamSettings(
            name: "gemini", kind: .gemini,
            baseURL: base("GOOGLE_GEMINI_BASE_URL", .gemini, environment), model: "gemini-2.5-flash")
        if let model = environment["GEMINI_MODEL"], !model.isEmpty { gemini.model = model }
        if let name = ["GOOGLE_API_KEY", "GEMINI_API_KEY"].first(where: { has($0, environment) }) {
            gemini.keys = [.environment(name)]
        } else if has("GOOGLE_APPLICATION_CREDENTIALS", environment) {
            gemini.google = GoogleSettings(source: .applicationDefault)
        } else {
            return nil
        }
        return gemini
    }

    private static func openai(_ environment: [String: String]) -> UpstreamSettings? {
        guard has("OPENAI_API_KEY", environment) else { return nil }
        var openai = UpstreamSettings(
            name: "openai", kind: .openai, baseURL: base("OPENAI_BASE_URL", .openai, environment),
            model: "gpt-4.1")
        if let model = environment["OPENAI_MODEL"], !model.isEmpty { openai.model = model }
        openai.keys = [.environment("OPENAI_API_KEY")]
        return openai
    }

    private static func anthropic(_ environment: [String: String]) -> UpstreamSettings? {
        guard has("ANTHROPIC_API_KEY", environment) else { return nil }
        var anthropic = UpstreamSettings(
            name: "anthropic", kind: .anthropic,
            baseURL: base("ANTHROPIC_BASE_URL", .anthropic, environment), model: "claude-sonnet-4-5")
        if let model = environment["ANTHROPIC_MODEL"], !model.isEmpty { anthropic.model = model }
        anthropic.keys = [.environment("ANTHROPIC_API_KEY")]
        return anthropic
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
}
