package import Conversation
package import JSON

/// `session/fork` (unstable in ACP v1) and `_convod/session/fork`.
package struct ForkSessionParameters: Sendable {
    package var id: SessionID
    /// The new session's ID; nil lets the daemon choose.
    package var newID: SessionID?
    package var cwd: String?
    package var mcpServers: [UInt8]?
    /// The last message that is shared; nil means the newest.
    package var messageID: MessageID?
    package var title: String?

    /// Reads ACP's form, whose extras ride in `_meta.convod`, or with `isOwn` convod's.
    package init(_ view: JSONView?, isOwn: Bool) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        cwd = try reader.directory()
        mcpServers = try reader.mcpServers()
        var extra = isOwn ? reader : try extras(&reader)
        newID = try extra.optionalSessionID(isOwn ? "newSessionId" : "sessionId")
        messageID = try extra.messageID("messageId")
        title = try extra.title()
        try extra.finish()
    }
}

/// `_convod/branch/switch` and `_convod/branch/delete`.
package struct BranchParameters: Sendable {
    package var id: SessionID
    package var branch: Int

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        guard let branch = try reader.int("branch", in: 1...Int(Int32.max)) else {
            throw .invalid("'branch' is missing; '_convod/branch/list' shows those there are")
        }
        self.branch = branch
        try reader.finish()
    }
}

/// `_convod/branch/compare`.
package struct CompareBranchesParameters: Sendable {
    package var id: SessionID
    package var branch: Int
    /// The other one; nil means the active one.
    package var with: Int?

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        guard let branch = try reader.int("branch", in: 1...Int(Int32.max)) else {
            throw .invalid("'branch' is missing; '_convod/branch/list' shows those there are")
        }
        self.branch = branch
        with = try reader.int("with", in: 1...Int(Int32.max))
        try reader.finish()
    }
}

/// `_convod/message/set`: an edit is a new branch, the old text stays.
package struct SetMessageParameters: Sendable {
    package var id: SessionID
    package var messageID: MessageID
    /// Raw JSON array of parts.
    package var content: [UInt8]

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        guard let message = try reader.messageID("messageId") else {
            throw .invalid("'messageId' is missing")
        }
        messageID = message
        guard let array = try reader.array("content") else { throw .invalid("'content' is missing") }
        content = Array(array.raw)
        try reader.finish()
    }
}

/// `_convod/branch/list`.
package struct ListBranchesParameters: Sendable {
    package var id: SessionID
    package var limit: Int
    package var cursor: String?

    package init(_ view: JSONView?, limits: Limits) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        limit = try reader.int("limit", in: 1...limits.pageRows) ?? limits.pageRows
        cursor = try reader.name("cursor")
        try reader.finish()
    }
}

/// `_convod/watch`: changes of the caller's session list, and live updates of chosen sessions.
package struct WatchParameters: Sendable {
    /// What was seen last; nil means from now on.
    package var cursor: String?
    /// Sessions whose updates are wanted too, as an observer.
    package var sessions: [SessionID]
    package var isOn: Bool
    private static let mostSessions = 1_000

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        cursor = try reader.name("cursor")
        isOn = try reader.bool("on") ?? true
        sessions = []
        let names = try reader.strings("sessions") ?? []
        guard names.count <= WatchParameters.mostSessions else {
            throw .invalid("'sessions' may hold \(WatchParameters.mostSessions) IDs, it has \(names.count)")
        }
        for text in names {
            guard let id = SessionID(text) else {
                throw .invalid("'sessions' holds '\(text.prefix(60))', which is no session ID")
            }
            sessions.append(id)
        }
        try reader.finish()
    }
}
