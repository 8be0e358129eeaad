package import Conversation
package import JSON

/// How things of a conversation look on the wire (design section 10, "Messages on the wire").
package enum Wire {
    /// A time, RFC 3339 in UTC with milliseconds.
    package static func time(_ milliseconds: Int64) -> String { Timestamp.text(milliseconds) }

    package static func write(_ message: Message, to writer: inout JSONWriter) {
        writer.object {
            $0.member("id", message.id.description)
            $0.key("parentId")
            if let parent = message.parentID { $0.string(parent.description) } else { $0.null() }
            $0.member("seq", message.seq)
            $0.member("role", message.role.name)
            $0.member("content", raw: message.content)
            $0.member("status", message.status.name)
            $0.optional("turnId", message.turnID?.description)
            $0.member("createdAt", Timestamp.text(message.createdAt))
            $0.member("tokens", message.tokens)
            $0.member("pinned", message.isPinned)
            $0.member("excluded", message.isExcluded)
            $0.optional("metadata", raw: message.metadata)
        }
    }

    /// A session in a list; `isWhole` adds what only one session's own page shows.
    package static func write(_ session: Session, isWhole: Bool, to writer: inout JSONWriter) {
        writer.object { writeMembers(of: session, isWhole: isWhole, to: &$0) }
    }

    package static func writeMembers(of session: Session, isWhole: Bool, to writer: inout JSONWriter) {
        writer.member("sessionId", session.id.text)
        writer.optional("title", session.title)
        writer.member("cwd", session.cwd)
        writer.member("owner", Int(session.owner.number))
        writer.member("messageCount", session.messageCount)
        writer.member("tokens", session.tokens)
        writer.optional("upstream", session.settings.upstream)
        writer.optional("model", session.settings.model)
        writer.key("tags")
        writer.array { for tag in session.tags { $0.string(tag) } }
        writer.member("archived", session.isArchived)
        if session.isEphemeral { writer.member("ephemeral", true) }
        writer.member("createdAt", Timestamp.text(session.createdAt))
        writer.member("updatedAt", Timestamp.text(session.updatedAt))
        writer.optional("trashedAt", session.trashedAt.map(Timestamp.text))
        guard isWhole else { return }
        writer.optional("system", session.system)
        writer.optional("window", raw: session.settings.window)
        writer.optional("quota", raw: session.settings.quota)
        writer.optional("metadata", raw: session.metadata)
        writer.member("mcpServers", raw: session.mcpServers)
    }

    package static func write(_ turn: TurnRecord, session: SessionID, to writer: inout JSONWriter) {
        writer.object { writeMembers(of: turn, session: session, to: &$0) }
    }

    package static func writeMembers(of turn: TurnRecord, session: SessionID, to writer: inout JSONWriter) {
        writer.member("turnId", turn.id.description)
        writer.member("sessionId", session.text)
        writer.member("state", turn.state.name)
        writer.optional("promptId", turn.promptID?.description)
        writer.member("messageId", turn.answerID.description)
        writer.optional("prompt", raw: turn.queuedPrompt)
        writer.optional("requestId", turn.requestID)
        writer.optional("stopReason", turn.stopReason?.rawValue)
        writer.optional("finish", turn.finish)
        writer.optional("detail", turn.detail)
        if turn.isCached { writer.member("cached", true) }
        if let error = turn.error {
            writer.member("error") {
                $0.member("kind", error.kind)
                $0.member("message", error.message)
            }
        }
        writer.optional("upstream", turn.upstream)
        writer.optional("model", turn.model)
        if let usage = turn.usage {
            writer.key("usage")
            usage.write(to: &writer)
        }
        writer.member("createdAt", Timestamp.text(turn.createdAt))
        writer.optional("startedAt", turn.startedAt.map(Timestamp.text))
        writer.optional("endedAt", turn.endedAt.map(Timestamp.text))
    }
}
