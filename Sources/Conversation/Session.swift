package import JSON

/// One session, as it is stored: who owns it, how it is set up, where its newest message is.
package struct Session: Sendable, Equatable {
    package var id: SessionID
    /// Whose it is.
    package var owner: UserID
    /// Nil until somebody gives one or a first prompt does.
    package var title: String?
    /// The directory that the client works in: an absolute path, not looked up on the disk.
    package var cwd: String
    /// How many messages are on the active path; also the seq of the newest.
    package var messageCount: Int
    /// The estimate over the active path.
    package var tokens: Int
    /// Milliseconds since 1970 UTC.
    package var createdAt: Int64
    /// The last change; milliseconds since 1970 UTC.
    package var updatedAt: Int64
    /// Grows with every change; lists are in its order.
    package var activity: Int64
    /// Whether lists leave it out unless they are asked for it.
    package var isArchived: Bool
    /// Whether nothing was ever said in it: it has neither messages on its path nor turns.
    package var isEmpty = true
    /// Whether it lives in memory only and is gone with the daemon.
    package var isEphemeral = false
    private var rare: Rare?

    /// A new session with nothing in it; `createdAt` is in milliseconds since 1970 UTC.
    package init(id: SessionID, owner: UserID, cwd: String, createdAt: Int64) {
        self.id = id
        self.owner = owner
        self.cwd = cwd
        title = nil
        messageCount = 0
        tokens = 0
        self.createdAt = createdAt
        updatedAt = createdAt
        activity = 0
        isArchived = false
    }

    /// What few sessions have, in one place: a list copies each session some times.
    private struct Few: Sendable, Equatable {
        var mcpServers = noServers
        var system: String?
        var appendedSystem: String?
        var settings = SessionSettings()
        var tags: [String] = []
        var metadata: [UInt8]?
        var trashedAt: Int64?

        static let noServers = Array("[]".utf8)
        static let none = Few()
    }

    private final class Rare: Sendable, Equatable {
        let few: Few

        init(_ few: Few) { self.few = few }

        static func == (one: Rare, other: Rare) -> Bool { one === other || one.few == other.few }
    }

    private var few: Few {
        get { rare?.few ?? Few.none }
        set { rare = newValue == Few.none ? nil : Rare(newValue) }
    }

    /// Bytes of its tags and of what its window is set to.
    package var listedRareBytes: Int {
        guard let rare else { return 0 }
        return (rare.few.settings.window?.count ?? 0) + rare.few.tags.reduce(0) { $0 + $1.utf8.count }
    }

    /// Raw JSON array, as the client gave it.
    package var mcpServers: [UInt8] {
        get { rare?.few.mcpServers ?? Few.noServers }
        set { few.mcpServers = newValue }
    }
    /// The system prompt; nil for none.
    package var system: String? {
        get { rare?.few.system }
        set { few.system = newValue }
    }
    /// What a client brought along behind it; nil for nothing, and in lists.
    package var appendedSystem: String? {
        get { rare?.few.appendedSystem }
        set { few.appendedSystem = newValue }
    }
    package var settings: SessionSettings {
        get { rare?.few.settings ?? SessionSettings() }
        set { few.settings = newValue }
    }
    /// At most 64, of 1 to 64 bytes each.
    package var tags: [String] {
        get { rare?.few.tags ?? [] }
        set { few.tags = newValue }
    }
    /// A raw JSON object, byte for byte as the client gave it.
    package var metadata: [UInt8]? {
        get { rare?.few.metadata }
        set { few.metadata = newValue }
    }
    /// When it went to the trash, in milliseconds since 1970 UTC; nil when it is not there.
    package var trashedAt: Int64? {
        get { rare?.few.trashedAt }
        set { few.trashedAt = newValue }
    }
}

extension Session {
    /// The system prompt as a model gets it: the session's own, and behind it what a client brought along; nil for none.
    package var wholeSystem: String? {
        let parts = [system, appendedSystem].compactMap(\.self).filter { !$0.isEmpty }
        return parts.isEmpty ? system : parts.joined(separator: "\n\n")
    }
}

/// What a session says about its upstream calls.
///
/// Each nil means: as the configuration says.
package struct SessionSettings: Sendable, Equatable {
    /// The name of a route or an upstream.
    package var upstream: String?
    /// The model by its provider's name.
    package var model: String?
    /// A raw JSON object, see `WindowPolicy`.
    package var window: [UInt8]?
    /// A raw JSON object `{tokens, cost}`: what the session may use in all; set by operators.
    package var quota: [UInt8]?

    package init(
        upstream: String? = nil, model: String? = nil, window: [UInt8]? = nil, quota: [UInt8]? = nil
    ) {
        self.upstream = upstream
        self.model = model
        self.window = window
        self.quota = quota
    }

    /// Reads what `encoded` wrote.
    package init(_ view: JSONView) {
        self.init(
            upstream: view["upstream"]?.string, model: view["model"]?.string,
            window: view["window"].map { Array($0.raw) }, quota: view["quota"].map { Array($0.raw) })
    }

    /// A raw JSON object of what is set, as it is stored.
    package var encoded: [UInt8] {
        JSONWriter.object {
            $0.optional("upstream", upstream)
            $0.optional("model", model)
            $0.optional("window", raw: window)
            $0.optional("quota", raw: quota)
        }
    }
}

/// A session's title out of its first prompt: the first line with text, at most 80 characters.
package func suggestedTitle(for parts: [Part]) -> String? {
    for part in parts {
        guard case .text(let text) = part else { continue }
        var line: [UInt8] = []
        var isBehindSpace = false
        for byte in text.utf8 {
            if byte == 0x0A || byte == 0x0D {
                guard line.isEmpty else { break }
                continue
            }
            if byte <= 0x20 || byte == 0x7F {
                isBehindSpace = !line.isEmpty
                continue
            }
            if isBehindSpace { line.append(0x20) }
            isBehindSpace = false
            line.append(byte)
            if line.count > 4_000 { break }  // more than 80 characters, but for heaps of combining marks
        }
        if line.isEmpty { continue }
        // Characters that are made of many are few: a title has 1,024 bytes.
        var words = String(decoding: line, as: UTF8.self)
        if line.count <= 4_000 { while words.utf8.count > 1_000, words.count <= 80 { words.removeLast() } }
        if line.count > 4_000 { return words.dropLast().prefix(79) + "…" }  // the last one may be cut
        return words.count <= 80 ? words : words.prefix(79) + "…"
    }
    return nil
}
