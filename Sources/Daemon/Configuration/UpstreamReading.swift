internal import ContextWindow
internal import JSON
internal import Protocol
internal import Upstream

/// Reads the entries of `upstreams`.
enum UpstreamReading {
    /// All of them, in their order.
    static func upstreams(_ reader: ConfigurationReader, _ kinds: UpstreamKinds) throws(ConfigurationError)
        -> [UpstreamSettings]
    {
        var found: [UpstreamSettings] = []
        for member in reader.view.members {
            var reader = reader
            guard let entry = try reader.object(member.key) else { continue }
            found.append(try upstream(member.key, entry, kinds))
        }
        return found
    }

    private static func upstream(_ name: String, _ reader: ConfigurationReader, _ kinds: UpstreamKinds)
        throws(ConfigurationError) -> UpstreamSettings
    {
        var reader = reader
        guard (1...256).contains(name.utf8.count), name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw reader.complaint(
                reader.view,
                "an upstream's name must have 1 to 256 bytes and no control characters; this one has \(name.utf8.count)"
            )
        }
        guard let kind = try reader.kind(kinds) else {
            for member in reader.view.members
            where Spelling.nearest(to: member.key, in: ["kind"], within: 2) != nil {
                throw reader.complaint(
                    member.keyView, "unknown key 'upstreams.\(name).\(member.key)'; did you mean 'kind'?")
            }
            throw reader.complaint(reader.view, "'upstreams.\(name)' needs 'kind'")
        }
        var settings = UpstreamSettings(name: name, kind: kind)
        settings.model = try reader.string("model")
        if let problem = settings.model.flatMap(ModelName.problem) {
            throw reader.complaint(
                reader.view["model"] ?? reader.view, "'upstreams.\(name).model' \(problem)")
        }
        if let view = reader.value("window") {
            do { _ = try WindowPolicy().overridden(by: view) } catch {
                throw reader.complaint(view, "'upstreams.\(name)': \(error.reason)")
            }
            settings.window = strict(window: view)
        }
        for option in kind.options {
            settings.options[option.name] = try value(option, keepsHours: kind.keepsHours, &reader)
        }
        if kind.isLocal {
            try reader.finish()
            return settings
        }
        settings.baseURL = try baseURL(kind, &reader)
        settings.keys = try keys(&reader)
        settings.contextLength = try reader.int("contextLength", 256...100_000_000)
        try readTimes(&settings, &reader)
        try readLimits(&settings, &reader)
        if let headers = try reader.object("headers") { settings.headers = try read(headers: headers) }
        if var signing = try reader.object("signing") { settings.signing = try read(signing: &signing) }
        settings.caFile = try reader.path("caFile")
        if kind.takesGoogleCredentials { try readGoogle(&settings, &reader) }
        try reader.finish()
        return settings
    }

    /// What a window's settings say, as JSON rather than JSON5; they were checked.
    private static func strict(window view: JSONView) -> [UInt8] {
        JSONWriter.object {
            for member in view.members {
                $0.key(member.key)
                if let text = member.value.string {
                    $0.string(text)
                } else if let number = member.value.int {
                    $0.int(number)
                } else if let number = member.value.double {
                    $0.double(number)
                } else {
                    $0.null()
                }
            }
        }
    }

    private static func value(
        _ option: UpstreamKind.Option, keepsHours: Bool, _ reader: inout ConfigurationReader
    ) throws(ConfigurationError) -> UpstreamSettings.Option {
        switch option.value {
        case .flag(let flag): .flag(try reader.bool(option.name) ?? flag)
        case .word(let word): .word(try reader.string(option.name) ?? word)
        case .promptCache(let cache):
            .promptCache(try reader.promptCache(option.name, keepsHours: keepsHours) ?? cache)
        case .milliseconds(let time): .milliseconds(try reader.duration(option.name) ?? time)
        }
    }

    private static func readTimes(_ settings: inout UpstreamSettings, _ reader: inout ConfigurationReader)
        throws(ConfigurationError)
    {
        guard var timeouts = try reader.object("timeouts") else { return }
        if let value = try timeouts.duration("connect", least: 1) { settings.timeouts.connect = value }
        if let value = try timeouts.duration("firstToken", least: 1) { settings.timeouts.firstToken = value }
        if let value = try timeouts.duration("gap", least: 1) { settings.timeouts.gap = value }
        try timeouts.finish()
    }

    private static func readLimits(_ settings: inout UpstreamSettings, _ reader: inout ConfigurationReader)
        throws(ConfigurationError)
    {
        if var throttle = try reader.object("throttle") {
            settings.throttle.requestsPerMinute = try throttle.int("requestsPerMinute", 1...1_000_000)
            settings.throttle.tokensPerMinute = try throttle.int("tokensPerMinute", 1...1_000_000_000_000)
            try throttle.finish()
        }
        if var breaker = try reader.object("breaker") {
            if let value = try breaker.int("failures", 1...1_000_000) { settings.breaker.failures = value }
            if let value = try breaker.duration("cooldown") { settings.breaker.cooldown = max(1, value) }
            if let value = try breaker.duration("longest") { settings.breaker.longest = max(1, value) }
            try breaker.finish()
        }
        if var price = try reader.object("price") {
            var prices = Prices(
                input: try price.number("input") ?? 0, output: try price.number("output") ?? 0,
                cachedInput: try price.number("cachedInput"))
            prices.cacheWrite5m = try price.number("cacheWrite5m")
            prices.cacheWrite1h = try price.number("cacheWrite1h")
            settings.price = prices
            try price.finish()
        }
    }

    /// The base of request paths; the kind's path is added where the address has none of its own.
    private static func baseURL(_ kind: UpstreamKind, _ reader: inout ConfigurationReader)
        throws(ConfigurationError) -> String
    {
        guard var text = try reader.string("baseURL") else { return kind.baseURL }
        guard isAddress(text) else {
            throw reader.complaint(
                reader.view["baseURL"] ?? reader.view,
                "'baseURL' must be an http or https address such as \"https://host:8443/v1\", without user, query or space, and with a port from 1 to 65535 where it has one; it is \(ConfigurationReader.shown(text))"
            )
        }
        while text.hasSuffix("/") { text.removeLast() }
        let host = text.drop { $0 != ":" }.dropFirst(3)
        return host.contains("/") ? text : text + kind.path
    }

    /// Whether a variable of the environment may have a name.
    private static func isVariable(_ name: String) -> Bool {
        name.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                || $0 == 0x5F
        }
    }

    /// Whether requests can go to an address.
    private static func isAddress(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != 0x40 && $0 != 0x3F && $0 != 0x23 })
        else { return false }
        var rest = text.dropFirst(scheme.count).prefix { $0 != "/" }
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]"), rest.index(after: rest.startIndex) < end else {
                return false
            }
            rest = rest[rest.index(after: end)...]
        } else {
            let host = rest.prefix { $0 != ":" }
            if host.isEmpty { return false }
            rest = rest[host.endIndex...]
        }
        guard let colon = rest.first else { return true }
        let port = rest.dropFirst()
        guard colon == ":", port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return false }
        return port.isEmpty || UInt16(port).map { $0 > 0 } ?? false
    }

    // MARK: Keys and credentials

    private static func keys(_ reader: inout ConfigurationReader) throws(ConfigurationError) -> [KeySource] {
        guard let list = reader.value("keys") else { return [] }
        guard list.kind == .array else { throw reader.complaint(list, "'keys' must be an array") }
        var sources: [KeySource] = []
        for entry in list.elements { sources.append(try key(entry, reader)) }
        return sources
    }

    private static func key(_ entry: JSONView, _ reader: ConfigurationReader) throws(ConfigurationError)
        -> KeySource
    {
        let words =
            "a key must be { env: \"NAME\" }, { file: \"PATH\" }, { credential: \"NAME\" } or { command: [\"PROGRAM\", …] }"
        guard entry.kind == .object, entry.count == 1,
            let member = entry.members.first(where: { _ in true })
        else { throw reader.complaint(entry, words) }
        if member.key == "command" {
            let command = member.value.elements.compactMap(\.string)
            guard !command.isEmpty, command.count == member.value.count else {
                throw reader.complaint(entry, "'command' must be an array of strings, the program first")
            }
            return .command(command)
        }
        guard ["env", "file", "credential"].contains(member.key) else {
            throw reader.complaint(
                entry,
                "unknown key source \(ConfigurationReader.shown(member.key)); known: command, credential, env, file"
            )
        }
        guard let value = member.value.string, !value.isEmpty else { throw reader.complaint(entry, words) }
        if member.key == "env", !isVariable(value) {
            throw reader.complaint(
                member.value,
                "a key's 'env' is the name of a variable, of letters, digits and '_'; it is \(ConfigurationReader.shown(value))"
            )
        }
        if member.key == "file" { try reader.checkPath(value, member.value, "a key's 'file'") }
        if member.key == "credential", value.contains("/") || value.utf8.contains(0) {
            throw reader.complaint(
                member.value,
                "a key's 'credential' is a name that LoadCredential= in the unit gives, without '/'; it is \(ConfigurationReader.shown(value))"
            )
        }
        return switch member.key {
        case "env": .environment(value)
        case "file": .file(value)
        default: .credential(value)
        }
    }

    private static func readGoogle(_ settings: inout UpstreamSettings, _ reader: inout ConfigurationReader)
        throws(ConfigurationError)
    {
        guard var credentials = try reader.object("credentials") else { return }
        var sources: [GoogleSettings.Source] = []
        if let path = try credentials.path("serviceAccount") { sources.append(.serviceAccount(path)) }
        if let path = try credentials.path("authorizedUser") { sources.append(.authorizedUser(path)) }
        if try credentials.bool("metadataServer") ?? false { sources.append(.metadataServer) }
        if try credentials.bool("applicationDefault") ?? false { sources.append(.applicationDefault) }
        guard let source = sources.first, sources.count == 1, settings.keys.isEmpty else {
            throw credentials.complaint(
                credentials.view,
                "'credentials' needs exactly one of 'serviceAccount', 'authorizedUser', 'metadataServer' and 'applicationDefault', and no 'keys' beside it"
            )
        }
        var google = GoogleSettings(source: source)
        let isVertex = settings.baseURL.contains("aiplatform")
        if isVertex { google.scopes = [GoogleSettings.cloudPlatformScope] }
        if let scopes = try credentials.strings("scopes") { google.scopes = scopes }
        google.quotaProject = try credentials.string("quotaProject")
        google.tokenURL = try credentials.string("tokenURL")
        if let address = google.tokenURL, !isAddress(address) {
            throw credentials.complaint(
                credentials.view["tokenURL"] ?? credentials.view,
                "'credentials.tokenURL' must be an http or https address; it is \"\(address.prefix(60))\"")
        }
        google.audience = try credentials.string("audience")
        try credentials.finish()
        google.caFile = settings.caFile
        settings.google = google
    }

    // MARK: Headers and signing

    private static func read(headers reader: ConfigurationReader) throws(ConfigurationError)
        -> [String: String]
    {
        var headers: [String: String] = [:]
        for member in reader.view.members {
            let isName =
                !member.key.isEmpty && member.key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }
            guard isName, let value = member.value.string, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else {
                throw reader.complaint(member.value, "'headers' must hold header names with string values")
            }
            guard !isOwn(header: member.key) else {
                throw reader.complaint(
                    member.keyView, "'headers' may not hold '\(member.key)': each request has its own")
            }
            headers[member.key] = value
        }
        return headers
    }

    /// Whether a header tells a body's length, as each request does by itself.
    private static func isOwn(header: String) -> Bool {
        ["content-length", "transfer-encoding"].contains(header.lowercased())
    }

    private static func read(signing reader: inout ConfigurationReader) throws(ConfigurationError) -> Signing
    {
        guard let secret = reader.value("secret") else {
            throw reader.complaint(
                reader.view, "'signing' needs 'secret': { env: \"NAME\" } or another source")
        }
        var signing = Signing(secret: try key(secret, reader), keyID: try reader.string("keyId"))
        if let header = try reader.string("header") {
            guard !header.isEmpty, header.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }),
                !isOwn(header: header)
            else {
                throw reader.complaint(reader.view, "'signing.header' must be a header's name")
            }
            signing.header = header
        }
        try reader.finish()
        return signing
    }
}
