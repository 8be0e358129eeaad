internal import ContextWindow
internal import JSON
internal import Posix
internal import Protocol
package import Upstream

extension Configuration {
    private enum Durability: String, CaseIterable { case full, normal }

    /// Reads a configuration file's text; `file` is its path, for complaints.
    package init(reading bytes: [UInt8], file: String, kinds: UpstreamKinds = .standard)
        throws(ConfigurationError)
    {
        let document: JSONDocument
        do { document = try JSONDocument(relaxed: bytes) } catch {
            let (line, column) = error.position(in: bytes)
            throw ConfigurationError("\(file):\(line):\(column): \(error.reason)")
        }
        self.init()
        self.kinds = kinds
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
        if let view = root.value("models") {
            do { models = try ModelTable(reading: view, kinds: kinds.names).over(.shipped) } catch {
                throw root.complaint(error.place ?? view, error.reason)
            }
        }
        if let entries = try root.object("upstreams") {
            upstreams = try UpstreamReading.upstreams(entries, kinds)
        }
        let routes = try root.object("routes")
        if let retry = try root.object("retry") { try read(retry: retry) }
        if let throttle = try root.object("throttle") { try read(throttle: throttle) }
        if let quotas = try root.object("quotas") { try read(quotas: quotas) }
        if let cache = try root.object("cache") { try read(cache: cache) }
        if let summarizer = try root.object("summarizer") { try read(summarizer: summarizer) }
        if let retention = try root.object("retention") { try read(retention: retention) }
        if let milliseconds = try root.duration("drain") { drain = milliseconds }
        try root.finish()
        // What they name may have been written under a key that is unknown.
        if let routes { try read(routes: routes) }
        try checkTogether(document.root, root)
    }

    private mutating func read(socket: ConfigurationReader) throws(ConfigurationError) {
        var socket = socket
        socketPath = try socket.path("path")
        if let path = socketPath, path.utf8.count > UnixSocket.longestPath {
            throw socket.complaint(
                socket.view["path"] ?? socket.view,
                "'socket.path' may have \(UnixSocket.longestPath) bytes, this one has \(path.utf8.count)")
        }
        if let text = try socket.string("mode") {
            guard let mode = UInt32(text, radix: 8), mode <= 0o777 else {
                throw socket.complaint(
                    socket.view["mode"] ?? socket.view,
                    "'socket.mode' must be an octal mode such as \"0600\"; it is \"\(text.prefix(40))\""
                )
            }
            access.mode = mode
        }
        if var allow = try socket.object("allow") {
            access.allowedUsers = try users("users", &allow)
            access.allowedGroups = try groups("groups", &allow)
            try allow.finish()
        }
        (access.adminUsers, access.adminGroups) = try usersOrGroups("admins", &socket)
        (access.watchingUsers, access.watchingGroups) = try usersOrGroups("watchers", &socket)
        try socket.finish()
    }

    /// Names each of which is a user's or a group's, or both.
    private func usersOrGroups(_ key: String, _ socket: inout ConfigurationReader)
        throws(ConfigurationError) -> (users: [UInt32], groups: [UInt32])
    {
        var users: [UInt32] = [], groups: [UInt32] = []
        for name in try socket.strings(key) ?? [] {
            let uid = Process.userID(named: name), gid = Process.groupID(named: name)
            guard uid != nil || gid != nil else {
                throw socket.complaint(
                    socket.view[key] ?? socket.view,
                    "'socket.\(key)': there is no user or group '\(name)'")
            }
            if let uid { users.append(uid) }
            if let gid { groups.append(gid) }
        }
        return (users, groups)
    }

    private func users(_ key: String, _ reader: inout ConfigurationReader) throws(ConfigurationError)
        -> [UInt32]
    {
        var found: [UInt32] = []
        for name in try reader.strings(key) ?? [] {
            guard let uid = Process.userID(named: name) else {
                throw reader.complaint(
                    reader.view[key] ?? reader.view, "'socket.allow.\(key)': there is no user '\(name)'")
            }
            found.append(uid)
        }
        return found
    }

    private func groups(_ key: String, _ reader: inout ConfigurationReader) throws(ConfigurationError)
        -> [UInt32]
    {
        var found: [UInt32] = []
        for name in try reader.strings(key) ?? [] {
            guard let gid = Process.groupID(named: name) else {
                throw reader.complaint(
                    reader.view[key] ?? reader.view, "'socket.allow.\(key)': there is no group '\(name)'")
            }
            found.append(gid)
        }
        return found
    }

    private mutating func read(database: ConfigurationReader) throws(ConfigurationError) {
        var database = database
        databasePath = try database.path("path")
        isDurabilityFull = try database.word("durability", Durability.self) != .normal
        isIndexing = try database.bool("index") ?? true
        try database.finish()
    }

    private mutating func read(limits reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        if let value = try reader.size("line", least: 4 << 10) { limits.line = value }
        if let value = try reader.int("depth", 8...128) { limits.depth = value }
        if let value = try reader.int("connections", 1...1_000_000) { limits.connections = value }
        if let value = try reader.size("outbox", least: 256 << 10) { limits.outbox = value }
        if let value = try reader.size("buffers", least: 1 << 20, most: 1 << 40) { limits.buffers = value }
        if let value = try reader.size("userBuffers", least: 1 << 20, most: 1 << 40) {
            limits.userBuffers = value
        }
        if let value = try reader.int("queue", 1...100_000) { limits.queue = value }
        if let value = try reader.size("queued", least: 64 << 10, most: 1 << 40) { limits.queued = value }
        if let value = try reader.int("requests", 8...100_000) { limits.requests = value }
        if let value = try reader.size("unstored", least: 1 << 20, most: 1 << 40) {
            limits.unstoredAll = value
        }
        if let value = try reader.size("ephemeral", least: 4 << 20, most: 1 << 40) {
            limits.ephemeral = value
        }
        try reader.finish()
    }

    private mutating func read(retention reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        if let time = try reader.duration("trash") { retention.trash = time }
        retention.age = try reader.duration("age", least: 60_000)
        retention.size = try reader.size("size", least: 64 << 10, most: 1 << 50)
        retention.tag = try reader.string("tag")
        if retention.tag != nil, retention.age == nil, retention.size == nil {
            throw reader.complaint(
                reader.view,
                "'retention.tag' narrows 'retention.age' and 'retention.size': give one of them too, such as \"90d\""
            )
        }
        try reader.finish()
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
        if let value = try reader.duration("base") { retry.base = max(1, value) }
        if let value = try reader.duration("cap") { retry.cap = max(1, value) }
        if let value = try reader.duration("patience") { retry.patience = value }
        if let word = try reader.word("cutStream", RetryPolicy.CutStream.self) { retry.cutStream = word }
        try reader.finish()
    }

    private mutating func read(throttle reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        userThrottle.requestsPerMinute = try reader.int("promptsPerMinute", 1...1_000_000)
        userThrottle.tokensPerMinute = try reader.int("tokensPerMinute", 1...1_000_000_000_000)
        if let value = try reader.duration("wait") { throttleWait = value }
        try reader.finish()
    }

    private mutating func read(quotas reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        if var user = try reader.object("user") {
            quotas.user.tokens = try user.int("tokensPerDay", 1...Int.max)
            quotas.user.cost = try user.number("costPerDay").map { Int($0 * 1_000_000) }
            try user.finish()
        }
        if var session = try reader.object("session") {
            quotas.session.tokens = try session.int("tokens", 1...Int.max)
            quotas.session.cost = try session.number("cost").map { Int($0 * 1_000_000) }
            try session.finish()
        }
        try reader.finish()
    }

    private mutating func read(cache reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        if let value = try reader.bool("enabled") { cache.isOn = value }
        if let value = try reader.duration("age") { cache.age = value }
        if let value = try reader.int("entries", 1...1_000_000) { cache.entries = value }
        try reader.finish()
    }

    private mutating func read(summarizer reader: ConfigurationReader) throws(ConfigurationError) {
        var reader = reader
        summarizer.upstream = try reader.string("upstream")
        summarizer.model = try reader.string("model")
        if let problem = summarizer.model.flatMap(ModelName.problem) {
            throw reader.complaint(reader.view["model"] ?? reader.view, "'summarizer.model' \(problem)")
        }
        if let value = try reader.int("maxTokens", 64...65_536) { summarizer.maxTokens = value }
        if let value = try reader.duration("timeout", least: 1) { summarizer.timeout = value }
        try reader.finish()
        guard let name = summarizer.upstream, route(named: name) == nil else { return }
        let known = (routes.keys.sorted() + upstreams.map(\.name)).map { "'\($0)'" }.joined(separator: ", ")
        throw reader.complaint(
            reader.view["upstream"] ?? reader.view,
            "'summarizer.upstream': there is no route or upstream '\(name)'; there are \(known.isEmpty ? "none" : known)"
        )
    }

    /// What holds between members.
    private mutating func checkTogether(_ root: JSONView, _ reader: ConfigurationReader)
        throws(ConfigurationError)
    {
        for upstream in upstreams {
            guard let length = upstream.contextLength else { continue }
            let own = root["upstreams"]?[upstream.name]?["window"]?["reserveTokens"]
            let reserved = own?.int ?? window.reserveTokens
            guard reserved >= length else { continue }
            let place = own?.int == nil ? "" : "upstreams.\(upstream.name)."
            throw reader.complaint(
                (own?.int == nil ? root["window"] : own) ?? root,
                "'\(place)window.reserveTokens' is \(reserved), but upstream '\(upstream.name)' holds \(length) tokens in all; reserve less"
            )
        }
        if routes[Configuration.defaultRoute] == nil, let first = upstreams.first {
            routes[Configuration.defaultRoute] = [first.name]
        }
    }
}
