package import Conversation
package import JSON

/// What `_meta.convod` of a request holds, read strictly.
func extras(_ reader: inout ParameterReader) throws(WireError) -> ParameterReader {
    let meta = try reader.object("_meta")
    return try ParameterReader(meta?["convod"].flatMap { $0.isNull ? nil : $0 }, path: "_meta.convod")
}

extension ParameterReader {
    /// A well-formed session ID.
    package mutating func sessionID(_ name: String = "sessionId") throws(WireError) -> SessionID {
        guard let id = try optionalSessionID(name) else { throw .invalid("'\(name)' is missing") }
        return id
    }

    package mutating func optionalSessionID(_ name: String = "sessionId") throws(WireError) -> SessionID? {
        guard let text = try string(name) else { return nil }
        guard let id = SessionID(text) else {
            throw .invalid(
                """
                '\(name)' must be 1 to \(SessionID.longest) characters of A-Z a-z 0-9 . _ : @ -, the first a letter or digit; \
                this one has \(text.utf8.count) bytes
                """)
        }
        return id
    }

    package mutating func turnID(_ name: String = "turnId") throws(WireError) -> TurnID? {
        guard let text = try string(name) else { return nil }
        guard let id = TurnID(text) else { throw wrong(name, "the ID of a turn (a UUID)") }
        return id
    }

    package mutating func messageID(_ name: String) throws(WireError) -> MessageID? {
        guard let text = try string(name) else { return nil }
        guard let id = MessageID(text) else { throw wrong(name, "the ID of a message (a UUID)") }
        return id
    }

    /// A title: at most 1,024 bytes, since lists carry many of them.
    package mutating func title(_ name: String = "title") throws(WireError) -> String? {
        try string(name, most: 1_024)
    }

    /// A system prompt: at most 1 MiB.
    package mutating func system(_ name: String = "system") throws(WireError) -> String? {
        try string(name, most: 1 << 20)
    }

    /// An absolute path of at most 4 KiB, in one spelling: without `.` as a segment, doubled slashes and slashes at its end.
    ///
    /// The disk is not asked: the directory may be another machine's, and `..` may lead behind a link.
    package mutating func directory(_ name: String = "cwd") throws(WireError) -> String? {
        guard let path = try string(name, most: Limits.directory) else { return nil }
        guard path.hasPrefix("/"), !path.utf8.contains(0) else { throw wrong(name, "an absolute path") }
        return "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    /// An object kept byte for byte; at most 64 KiB.
    package mutating func metadata(_ name: String = "metadata") throws(WireError) -> [UInt8]? {
        try raw(name, .object, most: Limits.settings)
    }

    /// A window policy as raw JSON; at most 64 KiB.
    package mutating func window(_ name: String = "window") throws(WireError) -> [UInt8]? {
        try raw(name, .object, most: Limits.settings)
    }

    /// What an ACP client says of its MCP servers, as raw JSON; at most 64 KiB.
    package mutating func mcpServers() throws(WireError) -> [UInt8]? {
        try raw("mcpServers", .array, most: Limits.settings)
    }

    package mutating func tags(_ name: String = "tags") throws(WireError) -> [String]? {
        guard let tags = try strings(name) else { return nil }
        guard tags.count <= 64, tags.allSatisfy({ (1...64).contains($0.utf8.count) }) else {
            throw .invalid("'\(name)' may hold 64 tags of 1 to 64 bytes each")
        }
        return tags
    }
}

/// `initialize` (ACP v1).
package struct InitializeParameters: Sendable {
    package let protocolVersion: Int

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        guard let version = try reader.int("protocolVersion", in: 0...65_535) else {
            throw .invalid("'protocolVersion' is missing")
        }
        protocolVersion = version
    }
}

/// `session/new` (ACP v1) with convod's extras.
package struct NewSessionParameters: Sendable {
    package enum IfExists: String, Sendable, CaseIterable { case resume, error }

    package var id: SessionID?
    package var ifExists = IfExists.error
    /// Whether the session lives in memory only.
    package var isEphemeral = false
    package var cwd: String?
    package var mcpServers: [UInt8]?
    package var title: String?
    package var system: String?
    package var settings = SessionSettings()
    package var tags: [String] = []
    package var metadata: [UInt8]?

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        cwd = try reader.directory()
        mcpServers = try reader.mcpServers()
        var extra = try extras(&reader)
        id = try extra.optionalSessionID()
        ifExists = try extra.word("ifExists", IfExists.self) ?? .error
        isEphemeral = try extra.bool("ephemeral") ?? false
        title = try extra.title()
        system = try extra.system()
        settings = SessionSettings(
            upstream: try extra.name("upstream"), model: try extra.name("model"),
            window: try extra.window())
        tags = try extra.tags() ?? []
        metadata = try extra.metadata()
        try extra.finish()
    }
}

/// Where a client stands in a session: the message it saw last and how many bytes of it.
package struct Cursor: Sendable, Equatable {
    package let messageID: MessageID
    /// UTF-8 bytes held.
    package let offset: Int

    init?(_ view: JSONView?) throws(WireError) {
        guard let view else { return nil }
        var reader = try ParameterReader(view, path: "_meta.convod.after")
        guard let id = try reader.messageID("messageId") else {
            throw .invalid("'_meta.convod.after.messageId' is missing")
        }
        messageID = id
        offset = try reader.int("offset", in: 0...Int(Int32.max)) ?? 0
        try reader.finish()
    }
}

/// `session/load` and `session/resume` (ACP v1) with convod's cursor.
package struct OpenSessionParameters: Sendable {
    package var id: SessionID
    package var cwd: String?
    package var after: Cursor?
    /// The newest messages to replay, rounded to whole turns.
    package var limit: Int?
    /// Whether the client may change the session, or only looks.
    package enum Role: String, Sendable, CaseIterable { case controller, observer }
    package var role: Role

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        cwd = try reader.directory()
        _ = try reader.mcpServers()
        var extra = try extras(&reader)
        after = try Cursor(try extra.object("after"))
        limit = try extra.int("limit", in: 1...1_000_000)
        role = try extra.word("role", Role.self) ?? .controller
        try extra.finish()
    }
}

/// `session/list` (ACP v1).
package struct ListSessionsParameters: Sendable {
    package var cwd: String?
    package var cursor: String?

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        cwd = try reader.directory()
        cursor = try reader.name("cursor")
    }
}

/// Any method whose only own parameter is the session.
package struct SessionParameters: Sendable {
    package var id: SessionID

    /// `isStrict` refuses members that are not known, as convod's own methods do.
    package init(_ view: JSONView?, isStrict: Bool) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        if isStrict { try reader.finish() }
    }
}

/// `session/set_config_option` (ACP v1).
package struct SetConfigOptionParameters: Sendable {
    package var id: SessionID
    package var configID: String
    package var value: String

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        configID = try reader.required("configId")
        value = try reader.required("value")
    }
}

/// `_convod/session/set`: absent leaves a field as it is, null clears it.
package struct SetSessionParameters: Sendable {
    package var id: SessionID
    /// `quota` may be set by administrators only.
    package var change = SessionChange()

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        if reader.nullable("title") != nil { change.title = .set(try reader.title()) }
        if reader.nullable("system") != nil { change.system = .set(try reader.system()) }
        if reader.nullable("upstream") != nil { change.upstream = .set(try reader.name("upstream")) }
        if reader.nullable("model") != nil { change.model = .set(try reader.name("model")) }
        if reader.nullable("window") != nil {
            change.window = .set(try reader.window())
        }
        if reader.nullable("quota") != nil { change.quota = .set(try SetSessionParameters.quota(&reader)) }
        if reader.nullable("tags") != nil { change.tags = .set(try reader.tags()) }
        if reader.nullable("metadata") != nil { change.metadata = .set(try reader.metadata()) }
        change.isArchived = try reader.bool("archived")
        try reader.finish()
    }

    private static func quota(_ reader: inout ParameterReader) throws(WireError) -> [UInt8]? {
        guard let value = try reader.object("quota") else { return nil }
        var inner = try ParameterReader(value, path: "quota")
        _ = try inner.int("tokens", in: 1...Int.max)
        if let cost = inner.value("cost"), cost.double.map({ (0...1e12).contains($0) }) != true {
            throw .invalid("'quota.cost' must be a number of dollars from 0 to 1e12")
        }
        try inner.finish()
        return Array(value.raw)
    }
}

/// `_convod/session/find`.
package struct FindSessionsParameters: Sendable {
    /// Whose sessions: one uid's, or those of all users (administrators only).
    package enum Owner: Sendable, Equatable { case mine, all, user(UInt32) }
    package enum Order: String, Sendable, CaseIterable { case asc, desc }

    package var query: String?
    package var idPrefix: String?
    package var tag: String?
    package var cwd: String?
    package var upstream: String?
    package var model: String?
    package var owner = Owner.mine
    package var isArchived: Bool?
    package var isTrashed = false
    /// Whether sessions without messages are listed too.
    package var includesEmpty = false
    package var since: Int64?
    package var until: Int64?
    package var order = Order.desc
    package var limit: Int
    package var cursor: String?

    package init(_ view: JSONView?, limits: Limits) throws(WireError) {
        var reader = try ParameterReader(view)
        query = try reader.string("query", most: Limits.query)
        idPrefix = try reader.name("idPrefix")
        tag = try reader.name("tag")
        cwd = try reader.directory()
        upstream = try reader.name("upstream")
        model = try reader.name("model")
        if let value = reader.value("owner") {
            if value.string == "*" {
                owner = .all
            } else if let uid = value.int, (0...Int(UInt32.max)).contains(uid) {
                owner = .user(UInt32(uid))
            } else {
                throw reader.wrong("owner", "a uid or \"*\"")
            }
        }
        isArchived = try reader.bool("archived")
        isTrashed = try reader.bool("trashed") ?? false
        includesEmpty = try reader.bool("empty") ?? false
        since = try reader.time("since")
        until = try reader.time("until")
        order = try reader.word("order", Order.self) ?? .desc
        limit = try reader.int("limit", in: 1...limits.pageRows) ?? 100
        cursor = try reader.name("cursor")
        try reader.finish()
    }
}
