package import Conversation
internal import JSON

extension ParameterReader {
    /// A well-formed session ID.
    package mutating func sessionID(_ name: String = "sessionId") throws(WireError) -> SessionID {
        guard let id = try optionalSessionID(name) else { throw .invalid("'\(name)' is missing") }
        return id
    }

    /// A well-formed session ID, nil where the member is absent or null.
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

    /// The UUID of a turn, nil where the member is absent or null.
    package mutating func turnID(_ name: String = "turnId") throws(WireError) -> TurnID? {
        guard let text = try string(name) else { return nil }
        guard let id = TurnID(text) else { throw wrong(name, "the ID of a turn (a UUID)") }
        return id
    }

    /// The UUID in `turnId`, which must be there.
    package mutating func requiredTurnID() throws(WireError) -> TurnID {
        guard let id = try turnID() else { throw .invalid("'turnId' is missing") }
        return id
    }

    /// The number of a branch.
    package mutating func branch() throws(WireError) -> Int {
        guard let branch = try int("branch", in: 1...Int(Int32.max)) else {
            throw .invalid("'branch' is missing; '_convod/branch/list' shows those there are")
        }
        return branch
    }

    /// The UUID of a message, nil where the member is absent or null.
    package mutating func messageID(_ name: String) throws(WireError) -> MessageID? {
        guard let text = try string(name) else { return nil }
        guard let id = MessageID(text) else { throw wrong(name, "the ID of a message (a UUID)") }
        return id
    }

    /// The UUID in `summaryId`, which must be there.
    package mutating func summaryID() throws(WireError) -> SummaryID {
        guard let text = try string("summaryId") else {
            throw .invalid("'summaryId' is missing; '_convod/summary/list' shows those there are")
        }
        guard let id = SummaryID(text) else { throw wrong("summaryId", "the ID of a summary (a UUID)") }
        return id
    }

    /// A title: at most 1,024 bytes, since lists carry many of them.
    package mutating func title(_ name: String = "title") throws(WireError) -> String? {
        try string(name, most: Limits.title)
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

    /// At most 64 tags of 1 to 64 bytes each; nil where the member is absent or null.
    package mutating func tags(_ name: String = "tags") throws(WireError) -> [String]? {
        guard let tags = try strings(name) else { return nil }
        guard tags.count <= 64, tags.allSatisfy({ (1...64).contains($0.utf8.count) }) else {
            throw .invalid("'\(name)' may hold 64 tags of 1 to 64 bytes each")
        }
        return tags
    }

    /// What `_meta.convod` of a request holds, read strictly.
    package mutating func extras() throws(WireError) -> ParameterReader {
        let meta = try object("_meta")
        return try ParameterReader(meta?["convod"].flatMap { $0.isNull ? nil : $0 }, path: "_meta.convod")
    }
}
