internal import ContextWindow
internal import JSON
internal import Posix
internal import Protocol
internal import Upstream

extension Configuration {
    private enum Durability: String, CaseIterable { case full, normal }

    /// Reads a configuration file's text; `file` is its path, for complaints.
    package init(reading bytes: [UInt8], file: String) throws(ConfigurationError) {
        let document: JSONDocument
        do { document = try JSONDocument(relaxed: bytes) } catch {
            let (line, column) = error.position(in: bytes)
            throw ConfigurationError("\(file):\(line):\(column): \(error.reason)")
        }
        self.init()
        isImplicit = false
        var root = try ConfigurationReader(file: file, bytes: bytes, view: document.root)
        if let (key, offset) = document.root.duplicateKeyInside {
            let (line, column) = JSONError.position(of: offset, in: bytes)
            throw ConfigurationError("\(file):\(line):\(column): the key '\(key)' stands twice; keep one")
        }
        if let socket = try root.object("socket") { try read(socket: socket) }
        if let database = try root.object("database") { try read(database: database) }
        if let limits = try root.object("limits") { try read(limits: limits) }
        if let view = root.value("window") {
            do { window = try window.overridden(by: view) } catch { throw root.complaint(view, error.reason) }
        }
        if let upstreams = try root.object("upstreams") { try read(upstreams: upstreams) }
        if let routes = try root.object("routes") { try read(routes: routes) }
        if let retry = try root.object("retry") { try read(retry: retry) }
        if let milliseconds = try root.duration("drain") { drain = milliseconds }
        try root.finish()
        try checkTogether(document.root, root)
    }

    private mutating func read(socket: ConfigurationReader) throws(ConfigurationError) {
        var socket = socket
        socketPath = try socket.string("path")
        if let text = try socket.string("mode") {
            guard let mode = UInt32(text, radix: 8), mode <= 0o777 else {
                throw socket.complaint(
                    socket.view["mode"] ?? socket.view, "'socket.mode' must be an octal mode such as \"0600\""
                )
            }
            access.mode = mode
        }
        if var allow = try socket.object("allow") {
            access.allowedUsers = try users(try allow.strings("users") ?? [], allow)
            access.allowedGroups = try groups(try allow.strings("groups") ?? [], allow)
            try allow.finish()
        }
        for name in try socket.strings("admins") ?? [] {
            if let uid = Process.userID(named: name) { access.adminUsers.append(uid) }
            if let gid = Process.groupID(named: name) { access.adminGroups.append(gid) }
            guard Process.userID(named: name) != nil || Process.groupID(named: name) != nil else {
                throw socket.complaint(
                    socket.view["admins"] ?? socket.view,
                    "'socket.admins': there is no user or group '\(name)'")
            }
        }
        try socket.finish()
    }

    private func users(_ names: [String], _ reader: ConfigurationReader) throws(ConfigurationError)
        -> [UInt32]
    {
        var found: [UInt32] = []
        for name in names {
            guard let uid = Process.userID(named: name) else {
                throw reader.complaint(reader.view, "there is no user '\(name)'")
            }
            found.append(uid)
        }
        return found
    }

    private func groups(_ names: [String], _ reader: ConfigurationReader) throws(ConfigurationError)
        -> [UInt32]
    {
        var found: [UInt32] = []
        for name in names {
            guard let gid = Process.groupID(named: name) else {
                throw reader.complaint(reader.view, "there is no group '\(name)'")
            }
            found.append(gid)
        }
        return found
    }

    private mutating func read(database: ConfigurationReader) throws(ConfigurationError) {
        var database = database
        databasePath = try database.string("path")
        isDurabilityFull = try database.word("durability", Durability.self) != .normal
        try database.finish()
    }

    private mutating func read(limits reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        if let value = try reader.size("line") { limits.line = max(value, 4_096) }
        if let value = try reader.int("depth", 8...128) { limits.depth = value }
        if let value = try reader.int("connections", 1...1_000_000) { limits.connections = value }
        if let value = try reader.size("outbox") { limits.outbox = max(value, 256 << 10) }
        if let value = try reader.int("queue", 1...100_000) { limits.queue = value }
        try reader.finish()
    }

    private mutating func read(upstreams reader: ConfigurationReader) throws(ConfigurationError) {
        for member in reader.view.members {
            var reader = reader
            guard let entry = try reader.object(member.key) else { continue }
            upstreams.append(try Configuration.upstream(member.key, entry))
        }
    }

    private static func upstream(_ name: String, _ reader: ConfigurationReader) throws(ConfigurationError)
        -> UpstreamSettings
    {
        var reader = reader
        guard let kind = try reader.word("kind", UpstreamSettings.Kind.self) else {
            throw reader.complaint(reader.view, "'upstreams.\(name)' needs 'kind'")
        }
        var settings = UpstreamSettings(name: name, kind: kind)
        settings.model = try reader.string("model")
        switch kind {
        case .echo: settings.delay = try reader.duration("delay") ?? 0
        case .openai:
            settings.baseURL = try baseURL(&reader)
            settings.keys = try keys(&reader)
            settings.contextLength = try reader.int("contextLength", 256...100_000_000)
            if var timeouts = try reader.object("timeouts") {
                if let value = try timeouts.duration("connect") { settings.timeouts.connect = value }
                if let value = try timeouts.duration("firstToken") { settings.timeouts.firstToken = value }
                if let value = try timeouts.duration("gap") { settings.timeouts.gap = value }
                try timeouts.finish()
            }
        }
        try reader.finish()
        return settings
    }

    /// The base of request paths, `/v1` added where the address has no path of its own.
    private static func baseURL(_ reader: inout ConfigurationReader) throws(ConfigurationError) -> String {
        guard var text = try reader.string("baseURL") else { return "https://api.openai.com/v1" }
        guard text.hasPrefix("http://") || text.hasPrefix("https://"), !text.contains(" "),
            !text.contains("@"), !text.contains("?")
        else {
            throw reader.complaint(
                reader.view["baseURL"] ?? reader.view,
                "'baseURL' must be an http or https address without user, query or space")
        }
        while text.hasSuffix("/") { text.removeLast() }
        let host = text.drop { $0 != ":" }.dropFirst(3)
        return host.contains("/") ? text : text + "/v1"
    }

    private static func keys(_ reader: inout ConfigurationReader) throws(ConfigurationError) -> [KeySource] {
        guard let list = reader.value("keys") else { return [] }
        guard list.kind == .array else { throw reader.complaint(list, "'keys' must be an array") }
        var sources: [KeySource] = []
        for entry in list.elements {
            guard entry.kind == .object, entry.count == 1,
                let member = entry.members.first(where: { _ in true }), let value = member.value.string
            else {
                throw reader.complaint(
                    entry, "a key must be { env: \"NAME\" }, { file: \"PATH\" } or { credential: \"NAME\" }")
            }
            switch member.key {
            case "env": sources.append(.environment(value))
            case "file": sources.append(.file(value))
            case "credential": sources.append(.credential(value))
            default:
                throw reader.complaint(
                    entry, "unknown key source '\(member.key)'; known: env, file, credential")
            }
        }
        return sources
    }

    private mutating func read(routes reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        for member in reader.view.members {
            guard let names = try reader.strings(member.key), !names.isEmpty else {
                throw reader.complaint(member.value, "'routes.\(member.key)' must name at least one upstream")
            }
            for name in names where !upstreams.contains(where: { $0.name == name }) {
                let known = upstreams.map { "'\($0.name)'" }.joined(separator: ", ")
                throw reader.complaint(
                    member.value,
                    "'routes.\(member.key)': there is no upstream '\(name)'; there are \(known.isEmpty ? "none" : known)"
                )
            }
            routes[member.key] = names
        }
    }

    private mutating func read(retry reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        if let value = try reader.int("attempts", 1...100) { retry.attempts = value }
        if let value = try reader.duration("total") { retry.total = value }
        try reader.finish()
    }

    /// What holds between members.
    private mutating func checkTogether(_ root: JSONView, _ reader: ConfigurationReader)
        throws(ConfigurationError)
    {
        for upstream in upstreams {
            guard let length = upstream.contextLength, window.reserveTokens >= length else { continue }
            throw reader.complaint(
                root["window"] ?? root,
                "'window.reserveTokens' is \(window.reserveTokens), but upstream '\(upstream.name)' holds \(length) tokens in all; reserve less"
            )
        }
        if routes[Configuration.defaultRoute] == nil, let first = upstreams.first {
            routes[Configuration.defaultRoute] = [first.name]
        }
    }
}
