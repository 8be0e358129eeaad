package import Conversation
internal import JSON

/// The only own parameter is the session.
package struct OneSession: MethodParameters {
    /// The session.
    package var id: SessionID

    package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
        id = try reader.sessionID()
    }
}

/// The only own parameter is the turn.
package struct OneTurn: MethodParameters {
    /// The turn.
    package var id: TurnID

    package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
        id = try reader.requiredTurnID()
    }
}

/// A branch of a session.
package struct OneBranch: MethodParameters {
    package var id: SessionID
    /// The branch's number, as `_convod/branch/list` has it.
    package var branch: Int

    package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
        id = try reader.sessionID()
        branch = try reader.branch()
    }
}

/// A summary of a session.
package struct OneSummary: MethodParameters {
    package var id: SessionID
    package var summaryID: SummaryID

    package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
        id = try reader.sessionID()
        summaryID = try reader.summaryID()
    }
}

/// Parameters of `session/load` and `session/resume`.
package struct OneOpening: MethodParameters {
    package var id: SessionID
    /// An absolute path, as ACP demands it; the session keeps its own.
    package var cwd: String?
    /// What the client brings along; nil leaves what there is.
    package var systemPrompt: SystemPrompt?
    /// Where the client stands; nil: `session/load` replays everything, `session/resume` nothing.
    package var after: Cursor?
    /// The newest messages to replay, rounded to whole turns.
    package var limit: Int?
    /// Whether the client may change the session, or only looks: an observer sees everything.
    package enum Role: String, Sendable, CaseIterable { case controller, observer }
    package var role: Role

    package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
        id = try reader.sessionID()
        cwd = try reader.directory()
        _ = try reader.mcpServers()
        systemPrompt = try SystemPrompt(&reader)
        var extra = try reader.extras()
        after = try Cursor(try extra.object("after"))
        limit = try extra.int("limit", in: 1...1_000_000)
        role = try extra.word("role", Role.self) ?? .controller
        if role == .observer && systemPrompt != nil {
            throw .invalid("'systemPrompt' is for who may prompt, and an observer may not")
        }
        try extra.finish()
    }
}

/// For what a window is asked.
package struct WindowQuestion: Sendable {
    package var id: SessionID
    /// The proposed prompt; nil asks for the window as it is.
    package var prompt: PromptContent?
    /// What the turn would be asked with; it begins none.
    package var options: TurnOptions

    init(_ reader: inout ParameterReader) throws(WireError) {
        id = try reader.sessionID()
        prompt = try PromptContent(&reader, mayBeBlank: true)
        options = TurnOptions(
            upstream: try reader.name("upstream"), model: try reader.name("model"),
            window: try reader.window(), params: try TurnRequest.params(&reader)
        )
    }
}

/// What a fork is to be like.
package struct ForkQuestion: Sendable {
    /// The session that is forked.
    package var id: SessionID
    /// The new session's ID; nil lets the daemon choose.
    package var newID: SessionID?
    /// An absolute path; nil takes the source's.
    package var cwd: String?
    /// A raw JSON array of at most 64 KiB; nil takes the source's.
    package var mcpServers: [UInt8]?
    /// The last message that is shared; nil means the newest.
    package var messageID: MessageID?
    /// At most 1,024 bytes; nil takes the source's.
    package var title: String?

    /// Reads ACP's form, whose extras ride in `_meta.convod`, or with `isOwn` convod's.
    init(_ reader: inout ParameterReader, isOwn: Bool) throws(WireError) {
        id = try reader.sessionID()
        cwd = try reader.directory()
        mcpServers = try reader.mcpServers()
        if isOwn {
            newID = try reader.optionalSessionID("newSessionId")
            messageID = try reader.messageID("messageId")
            title = try reader.title()
            return
        }
        var extra = try reader.extras()
        newID = try extra.optionalSessionID()
        messageID = try extra.messageID("messageId")
        title = try extra.title()
        try extra.finish()
    }

    /// The session that is forked and the one that comes of it.
    static func reach(_ params: JSONView?, _ new: JSONView?) -> RequestReach {
        .sessions([params?["sessionId"], new].compactMap { $0?.string })
    }
}
