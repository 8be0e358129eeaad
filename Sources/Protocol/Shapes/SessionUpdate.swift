package import Conversation
package import JSON

extension Wire {
    /// What a `session/update` tells of (acp.md 1.4).
    package enum SessionUpdate: Decodable, Sendable {
        /// A piece of what a user said; the connection that prompts does not get its own prompt.
        case userMessage(MessageChunk)
        /// A piece of the answer.
        case agentMessage(MessageChunk)
        /// A piece of what the model thought.
        case agentThought(MessageChunk)
        /// The model asks for a call.
        case toolCall(ToolCall)
        /// A call came to its result.
        case toolResult(ToolCallUpdate)
        /// The title changed, or a turn moved.
        case info(SessionInfoUpdate)
        /// How full the model's context is.
        case usage(UsageUpdate)
        /// An option has another value.
        case options(ConfigOptionUpdate)
        /// What commands there are; convod sends none.
        case commands(AvailableCommandsUpdate)
        /// A word to people about what goes on.
        case notice(Notice)
        /// How a summary goes.
        case compaction(CompactionUpdate)
        /// One that a later version sends.
        case unknown(String)

        private enum CodingKeys: String, CodingKey { case sessionUpdate }

        package init(from decoder: any Decoder) throws {
            let word = try decoder.container(keyedBy: CodingKeys.self).decode(
                String.self, forKey: .sessionUpdate)
            switch word {
            case MessageChunk.Speaker.user.rawValue: self = .userMessage(try MessageChunk(from: decoder))
            case MessageChunk.Speaker.agent.rawValue: self = .agentMessage(try MessageChunk(from: decoder))
            case MessageChunk.Speaker.thought.rawValue: self = .agentThought(try MessageChunk(from: decoder))
            case ToolCall.word: self = .toolCall(try ToolCall(from: decoder))
            case ToolCallUpdate.word: self = .toolResult(try ToolCallUpdate(from: decoder))
            case SessionInfoUpdate.word: self = .info(try SessionInfoUpdate(from: decoder))
            case UsageUpdate.word: self = .usage(try UsageUpdate(from: decoder))
            case ConfigOptionUpdate.word: self = .options(try ConfigOptionUpdate(from: decoder))
            case AvailableCommandsUpdate.word: self = .commands(try AvailableCommandsUpdate(from: decoder))
            case Notice.word: self = .notice(try Notice(from: decoder))
            case CompactionUpdate.word: self = .compaction(try CompactionUpdate(from: decoder))
            default: self = .unknown(word)
            }
        }
    }

    /// A piece of a message; the daemon writes those of text straight from bytes, see `ChunkWriter`.
    package struct MessageChunk: Codable, Sendable, JSONRepresentable {
        /// Whose words they are.
        package enum Speaker: String, Codable, Sendable {
            case user = "user_message_chunk"
            case agent = "agent_message_chunk"
            case thought = "agent_thought_chunk"
        }

        package var sessionUpdate: Speaker
        /// A content block.
        package var content: RawJSON
        package var messageId: MessageID
        package var meta: Meta<Place>

        package init(sessionUpdate: Speaker, content: RawJSON, messageId: MessageID, meta: Meta<Place>) {
            self.sessionUpdate = sessionUpdate
            self.content = content
            self.messageId = messageId
            self.meta = meta
        }

        private enum CodingKeys: String, CodingKey {
            case sessionUpdate, content, messageId
            case meta = "_meta"
        }

        /// The text of a piece that is text.
        package var text: String? { (try? JSONDocument(content.bytes))?.root["text"]?.string }
    }

    /// Where a piece stands in its message.
    package struct Place: Codable, Sendable {
        /// Absent for a message that was appended.
        package var turnId: TurnID?
        /// UTF-8 bytes of the message before it.
        package var offset: Int
        /// The message whose place this one takes, said with its first piece.
        package var replaces: MessageID?

        package init(turnId: TurnID? = nil, offset: Int, replaces: MessageID? = nil) {
            self.turnId = turnId
            self.offset = offset
            self.replaces = replaces
        }
    }

    /// A call of a tool that the model asks for.
    package struct ToolCall: Codable, Sendable, JSONRepresentable {
        static let word = "tool_call"
        /// Always `tool_call`.
        package var sessionUpdate = ToolCall.word
        /// The `id` of the call's part, which its result names.
        package var toolCallId: String
        /// What people see of it: the tool's name.
        package var title: String
        /// Always `other`: convod knows nothing of the tools.
        package var kind = "other"
        /// Always `pending`: convod runs no tools.
        package var status = "pending"
        /// The call's arguments, any JSON.
        package var rawInput: RawJSON
        package var meta: Meta<Place>

        /// Where it stands.
        package struct Place: Codable, Sendable {
            /// Absent for a message that was appended.
            package var turnId: TurnID?
            /// The message that holds it.
            package var messageId: MessageID?
            /// UTF-8 bytes of the message before it; a call has no length.
            package var offset: Int?
            /// The message whose place this one takes, said with its first piece.
            package var replaces: MessageID?

            package init(
                turnId: TurnID? = nil, messageId: MessageID? = nil, offset: Int? = nil,
                replaces: MessageID? = nil
            ) {
                self.turnId = turnId
                self.messageId = messageId
                self.offset = offset
                self.replaces = replaces
            }
        }

        package init(toolCallId: String, title: String, rawInput: RawJSON, meta: Meta<Place>) {
            self.toolCallId = toolCallId
            self.title = title
            self.rawInput = rawInput
            self.meta = meta
        }

        private enum CodingKeys: String, CodingKey {
            case sessionUpdate, toolCallId, title, kind, status, rawInput
            case meta = "_meta"
        }
    }

    /// What came of a call.
    package struct ToolCallUpdate: Codable, Sendable, JSONRepresentable {
        static let word = "tool_call_update"
        /// Always `tool_call_update`.
        package var sessionUpdate = ToolCallUpdate.word
        /// The `id` of the call that it answers.
        package var toolCallId: String
        /// `completed` or `failed`.
        package var status: String
        /// What the call gave, any JSON; absent when it gave nothing.
        package var rawOutput: RawJSON?
        /// The same to show; absent when there is nothing to show.
        package var content: [Content]?
        package var meta: Meta<Place>

        /// Where it stands.
        package struct Place: Codable, Sendable {
            /// Absent for a message that was appended.
            package var turnId: TurnID?
            /// The message that holds it.
            package var messageId: MessageID?
            /// UTF-8 bytes of the message before it; a result has no length.
            package var offset: Int?

            package init(turnId: TurnID? = nil, messageId: MessageID? = nil, offset: Int? = nil) {
                self.turnId = turnId
                self.messageId = messageId
                self.offset = offset
            }
        }

        package init(toolCallId: String, status: String, rawOutput: RawJSON, meta: Meta<Place>) {
            self.toolCallId = toolCallId
            self.status = status
            self.rawOutput = rawOutput
            self.meta = meta
        }

        /// A content block inside a tool's result.
        package struct Content: Codable, Sendable {
            package var type: String
            /// One content block of ACP.
            package var content: RawJSON
        }

        private enum CodingKeys: String, CodingKey {
            case sessionUpdate, toolCallId, status, rawOutput, content
            case meta = "_meta"
        }
    }

    /// How full the model's context is by the provider's own count.
    package struct UsageUpdate: Codable, Sendable, JSONRepresentable {
        static let word = "usage_update"
        /// Always `usage_update`.
        package var sessionUpdate = UsageUpdate.word
        /// Tokens that the context holds.
        package var used: Int
        /// Tokens that it can hold.
        package var size: Int

        package init(used: Int, size: Int) {
            self.used = used
            self.size = size
        }
    }

    /// A word to people about what goes on, to clients that show such; it is never replayed.
    package struct Notice: Codable, Sendable, JSONRepresentable {
        static let word = "notice"

        /// How much it matters.
        package enum Severity: String, Codable, Sendable { case info, warning }

        /// Always `notice`.
        package var sessionUpdate = Notice.word
        package var severity: Severity
        /// One short sentence without an end.
        package var title: String
        /// More of it; absent for nothing.
        package var description: String?

        package init(_ severity: Severity, _ title: String, _ description: String? = nil) {
            self.severity = severity
            self.title = title
            self.description = description
        }
    }

    /// A session's options as they are now.
    package struct ConfigOptionUpdate: Codable, Sendable, JSONRepresentable {
        static let word = "config_option_update"
        /// Always `config_option_update`.
        package var sessionUpdate = ConfigOptionUpdate.word
        /// All of them, not only those that changed.
        package var configOptions: [ConfigOption]

        package init(configOptions: [ConfigOption]) { self.configOptions = configOptions }
    }

    /// Commands that an agent offers; convod has none, and says so to nobody.
    package struct AvailableCommandsUpdate: Codable, Sendable {
        static let word = "available_commands_update"
        /// Always `available_commands_update`.
        package var sessionUpdate = AvailableCommandsUpdate.word
        /// An object a command.
        package var availableCommands: [RawJSON]
    }

    /// News of a session: its title, and where a turn stands.
    package struct SessionInfoUpdate: Codable, Sendable, JSONWritable {
        static let word = "session_info_update"

        /// A title that was given or taken away.
        package enum Title: Sendable, Equatable {
            /// The session has none any more; null on the wire.
            case none
            /// What it is called from now on.
            case text(String)
        }

        /// Always `session_info_update`.
        package var sessionUpdate = SessionInfoUpdate.word
        /// Nil where it is as it was.
        package var title: Title?
        /// Nil where it is as it was.
        package var updatedAt: Time?
        /// Nil where no turn moved and the path is the same.
        package var meta: Meta<News>?

        /// What convod adds.
        package struct News: Codable, Sendable {
            /// Where a turn stands.
            package enum State: String, Codable, Sendable {
                /// `stored`: on disk; `queued`: another turn runs, or a limit is waited for; `waiting`: an upstream
                /// was asked; `retrying`: a try failed and the next one waits; `paused`: a quota is used up; `ended`:
                /// nothing more will happen.
                case stored, queued, waiting, retrying, paused, ended
            }

            package var turnId: TurnID?
            package var state: State?
            /// Its place in the queue, from 1.
            package var position: Int?
            /// True where it was in the queue before, at another place.
            package var moved: Bool?
            /// Milliseconds until the next try; nil but in state `retrying`.
            package var retryInMs: Int?
            /// Who is asked; nil when nobody is.
            package var upstream: String?
            /// Tries at upstreams, this one counted.
            package var attempt: Int?
            /// The prompt's message; nil but in state `stored`, and for a turn without one.
            package var promptId: MessageID?
            /// The answer's message, in states `stored` and `ended`; nil when there is none.
            package var messageId: MessageID?
            /// Nil until the end, and when the turn failed.
            package var stopReason: StopReason?
            /// What the try or the turn failed of, or why the client left the session.
            package var error: Failure?
            /// Milliseconds that a limit holds it.
            package var waitMs: Int?
            /// Why it waits.
            package var reason: String?
            /// True where this client is not told of the session any more.
            package var left: Bool?
            /// The branch that is active now.
            package var branch: Int?

            /// Where a turn stands; what else there is to say is set behind.
            package init(_ turn: TurnID? = nil, _ state: State? = nil) {
                turnId = turn
                self.state = state
            }
        }

        /// Nil leaves a field off the wire.
        package init(title: Title? = nil, updatedAt: Time? = nil, _ news: News? = nil) {
            self.title = title
            self.updatedAt = updatedAt
            meta = news.map { Meta($0) }
        }

        private enum CodingKeys: String, CodingKey {
            case sessionUpdate, title, updatedAt
            case meta = "_meta"
        }

        package init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            sessionUpdate = try members.decode(String.self, forKey: .sessionUpdate)
            if members.contains(.title) {
                let text = try members.decodeIfPresent(String.self, forKey: .title)
                title = text.map { .text($0) } ?? Title.none
            }
            updatedAt = try members.decodeIfPresent(Time.self, forKey: .updatedAt)
            meta = try members.decodeIfPresent(Meta<News>.self, forKey: .meta)
        }

        package func write(to writer: inout JSONWriter) {
            writer.object {
                $0.member("sessionUpdate", sessionUpdate)
                if let title {
                    $0.key("title")
                    if case .text(let text) = title { $0.string(text) } else { $0.null() }
                }
                $0.optional("updatedAt", updatedAt)
                guard let news = meta?.convod else { return }
                $0.member("_meta") { $0.member("convod") { news.writeMembers(to: &$0) } }
            }
        }
    }
}

extension Wire.SessionInfoUpdate.News {
    fileprivate func writeMembers(to writer: inout JSONWriter) {
        writer.optional("turnId", turnId)
        writer.optional("state", state?.rawValue)
        writer.optional("promptId", promptId)
        writer.optional("messageId", messageId)
        writer.optional("position", position)
        if let moved { writer.member("moved", moved) }
        writer.optional("upstream", upstream)
        writer.optional("attempt", attempt)
        writer.optional("retryInMs", retryInMs)
        writer.optional("waitMs", waitMs)
        writer.optional("reason", reason)
        writer.optional("stopReason", stopReason?.rawValue)
        if let left { writer.member("left", left) }
        if let error { writer.failure(error) }
        writer.optional("branch", branch)
    }
}
