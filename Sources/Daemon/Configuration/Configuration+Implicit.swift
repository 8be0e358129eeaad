internal import Protocol
internal import Upstream

extension Configuration {
    /// What is used without a configuration file: the providers whose keys are there, else Ollama when it answers,
    /// else the echo.
    package init(implicitIn environment: [String: String]) {
        self.init()
        // In this order: the first is used.
        var found = [UpstreamKind.gemini, .openai, .anthropic].compactMap {
            Configuration.upstream($0, environment)
        }
        if found.isEmpty {
            found = [.ollama(at: Configuration.ollama(environment))]
            routes = [Configuration.defaultRoute: ["echo"]]
        } else {
            // Only the first: nobody's words go to another company because the first was down.
            routes = [Configuration.defaultRoute: found.prefix(1).map(\.name)]
        }
        upstreams = found + [UpstreamSettings(name: "echo", kind: .echo)]
    }

    /// An upstream whose key the environment has; nil where it has none.
    private static func upstream(_ kind: UpstreamKind, _ environment: [String: String]) -> UpstreamSettings? {
        guard let implicit = kind.implicit else { return nil }
        func variable(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        var settings = UpstreamSettings(
            name: kind.name, kind: kind, baseURL: kind.baseURL,
            model: variable(implicit.model) ?? implicit.defaultModel)
        if var base = variable(implicit.baseURL), base.hasPrefix("http") {
            while base.hasSuffix("/") { base.removeLast() }
            settings.baseURL = base
        }
        if let name = implicit.keys.first(where: { variable($0) != nil }) {
            settings.keys = [.environment(name)]
        } else if kind.takesGoogleCredentials, variable("GOOGLE_APPLICATION_CREDENTIALS") != nil {
            settings.google = GoogleSettings(source: .applicationDefault)
        } else {
            return nil
        }
        return settings
    }

    /// Ollama's address: `OLLAMA_HOST`, else its port on loopback.
    package static func ollama(_ environment: [String: String]) -> String {
        OllamaAddress(environment["OLLAMA_HOST"] ?? "").text
    }
}
