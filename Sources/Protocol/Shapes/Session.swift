package import Conversation
package import JSON

extension Wire {
    /// A session as lists show it.
    package struct SessionSummary: Codable, Sendable, JSONWritable {
        package var sessionId: SessionID
        /// Absent when it has none.
        package var title: String?
        /// An absolute path, which need not be there on this machine.
        package var cwd: String
        /// The user ID of whose it is.
        package var owner: Int
        /// Messages on its active path.
        package var messageCount: Int
        /// The estimate over that.
        package var tokens: Int
        /// Absent: as configured.
        package var upstream: String?
        /// Absent: the upstream's own.
        package var model: String?
        package var tags: [String]
        package var archived: Bool
        /// True where it lives in memory only.
        package var ephemeral: Bool?
        package var createdAt: Time
        /// When it changed last.
        package var updatedAt: Time
        /// Absent when it is not in the trash.
        package var trashedAt: Time?

        /// What lists show of a stored session.
        package init(_ session: Conversation.Session) {
            sessionId = session.id
            title = session.title
            cwd = session.cwd
            owner = Int(session.owner.number)
            messageCount = session.messageCount
            tokens = session.tokens
            upstream = session.settings.upstream
            model = session.settings.model
            tags = session.tags
            archived = session.isArchived
            ephemeral = session.isEphemeral ? true : nil
            createdAt = Time(session.createdAt)
            updatedAt = Time(session.updatedAt)
            trashedAt = session.trashedAt.map { Time($0) }
        }

        package func write(to writer: inout JSONWriter) {
            writer.begin("{")
            writeMembers(to: &writer)
            writer.end("}")
        }

        /// Writes a stored session as lists show it, without making one of the wire's of it.
        package static func write(_ session: Conversation.Session, to writer: inout JSONWriter) {
            let settings = session.settings
            writer.begin("{")
            writeMembers(
                session.id, session.title, session.cwd, Int(session.owner.number), session.messageCount,
                session.tokens, settings.upstream, settings.model, session.tags,
                session.isArchived, session.isEphemeral ? true : nil, session.createdAt, session.updatedAt,
                session.trashedAt, to: &writer)
            writer.end("}")
        }

        /// Writes the members; behind them others may stand.
        func writeMembers(to writer: inout JSONWriter) {
            Self.writeMembers(
                sessionId, title, cwd, owner, messageCount, tokens, upstream, model, tags, archived,
                ephemeral, createdAt.milliseconds, updatedAt.milliseconds, trashedAt?.milliseconds,
                to: &writer)
        }

        @inline(__always)
        private static func writeMembers(
            _ id: SessionID, _ title: String?, _ cwd: String, _ owner: Int, _ messageCount: Int,
            _ tokens: Int, _ upstream: String?, _ model: String?, _ tags: [String], _ isArchived: Bool,
            _ isEphemeral: Bool?, _ createdAt: Int64, _ updatedAt: Int64, _ trashedAt: Int64?,
            to writer: inout JSONWriter
        ) {
            writer.then("\"sessionId\":")
            writer.string(id.text)
            if let title {
                writer.then(",\"title\":")
                writer.string(title)
            }
            writer.then(",\"cwd\":")
            writer.string(cwd)
            writer.then(",\"owner\":")
            writer.int(owner)
            writer.then(",\"messageCount\":")
            writer.int(messageCount)
            writer.then(",\"tokens\":")
            writer.int(tokens)
            writer.optional("upstream", upstream)
            writer.optional("model", model)
            if tags.isEmpty {
                writer.then(",\"tags\":[]")
            } else {
                writer.then(",\"tags\":")
                writer.array { for tag in tags { $0.string(tag) } }
            }
            writer.then(isArchived ? ",\"archived\":true" : ",\"archived\":false")
            if let isEphemeral {
                writer.then(",\"ephemeral\":")
                writer.bool(isEphemeral)
            }
            writer.then(",\"createdAt\":")
            writer.string(time: createdAt)
            writer.then(",\"updatedAt\":")
            writer.string(time: updatedAt)
            if let trashedAt {
                writer.then(",\"trashedAt\":")
                writer.string(time: trashedAt)
            }
        }
    }

    /// A session with all that its own page shows.
    package struct Session: Codable, JSONWritable, MethodResult {
        /// Its members stand beside the others on the wire.
        package var summary: SessionSummary
        /// The system prompt; absent when there is none.
        package var system: String?
        /// What a client brought along behind it; absent for nothing.
        package var appendedSystem: String?
        /// What of the window is set otherwise than configured.
        package var window: RawJSON?
        /// What the session may use in all.
        package var quota: RawJSON?
        /// An object, byte for byte as the client gave it; absent when it gave none.
        package var metadata: RawJSON?
        /// What an ACP client said of its MCP servers.
        package var mcpServers: RawJSON
        /// The turn that runs or begins on it.
        package var running: TurnID?
        /// Prompts that wait in its queue.
        package var queued: Int

        /// A stored session with what goes on in it: `queued` turns wait.
        package init(_ session: Conversation.Session, running: TurnID?, queued: Int) {
            summary = SessionSummary(session)
            system = session.system
            appendedSystem = session.appendedSystem
            window = session.settings.window.map { RawJSON($0) }
            quota = session.settings.quota.map { RawJSON($0) }
            metadata = session.metadata.map { RawJSON($0) }
            mcpServers = RawJSON(session.mcpServers)
            self.running = running
            self.queued = queued
        }

        private enum CodingKeys: String, CodingKey {
            case system, appendedSystem, window, quota, metadata, mcpServers, running, queued
        }

        package init(from decoder: any Decoder) throws {
            summary = try SessionSummary(from: decoder)
            let members = try decoder.container(keyedBy: CodingKeys.self)
            system = try members.decodeIfPresent(String.self, forKey: .system)
            appendedSystem = try members.decodeIfPresent(String.self, forKey: .appendedSystem)
            window = try members.decodeIfPresent(RawJSON.self, forKey: .window)
            quota = try members.decodeIfPresent(RawJSON.self, forKey: .quota)
            metadata = try members.decodeIfPresent(RawJSON.self, forKey: .metadata)
            mcpServers = try members.decode(RawJSON.self, forKey: .mcpServers)
            running = try members.decodeIfPresent(TurnID.self, forKey: .running)
            queued = try members.decode(Int.self, forKey: .queued)
        }

        package func write(to writer: inout JSONWriter) {
            writer.object {
                summary.writeMembers(to: &$0)
                $0.optional("system", system)
                $0.optional("appendedSystem", appendedSystem)
                $0.optional("window", raw: window?.bytes)
                $0.optional("quota", raw: quota?.bytes)
                $0.optional("metadata", raw: metadata?.bytes)
                $0.member("mcpServers", raw: mcpServers.bytes)
                $0.optional("running", running)
                $0.member("queued", queued)
            }
        }
    }

    /// A session that was made or opened anew.
    package struct NewSession: Codable, MethodResult {
        package var sessionId: SessionID
        /// All that the session has, with their values.
        package var configOptions: [ConfigOption]
        package var meta: Meta<Extras>

        /// What convod adds.
        package struct Extras: Codable, Sendable {
            /// Whether it was not there before.
            package var created: Bool
        }

        /// `isNew` is false for a session that was there before.
        package init(sessionId: SessionID, configOptions: [ConfigOption], isNew: Bool) {
            self.sessionId = sessionId
            self.configOptions = configOptions
            meta = Meta(Extras(created: isNew))
        }

        private enum CodingKeys: String, CodingKey {
            case sessionId, configOptions
            case meta = "_meta"
        }
    }

    /// A session that a client joined.
    package struct OpenedSession: Codable, MethodResult {
        /// All that the session has, with their values.
        package var configOptions: [ConfigOption]
        package var meta: Meta<Extras>

        /// Where the session stands, as convod adds it.
        package struct Extras: Codable, Sendable {
            /// The newest message.
            package var headId: MessageID?
            /// Messages on its active path.
            package var messageCount: Int
            /// The turn that runs on it.
            package var running: TurnID?
            /// The newest turn, where none runs.
            package var lastTurn: LastTurn?
            /// Where the client must cut what it holds: its cursor was further than the message.
            package var rewind: Rewind?

            package init(
                headId: MessageID?, messageCount: Int, running: TurnID?, lastTurn: LastTurn?, rewind: Rewind?
            ) {
                self.headId = headId
                self.messageCount = messageCount
                self.running = running
                self.lastTurn = lastTurn
                self.rewind = rewind
            }
        }

        /// How a session's newest turn ended.
        package struct LastTurn: Codable, Sendable {
            package var turnId: TurnID
            package var state: TurnRecord.State
            /// Its answer, where something of it is stored.
            package var messageId: MessageID?
            /// Absent when it failed or was cut.
            package var stopReason: StopReason?
            /// Absent when nothing failed.
            package var error: Failure?
            package var endedAt: Time

            /// `hasMessage` says whether the answer is a message of the path.
            package init(_ turn: TurnRecord, hasMessage: Bool) {
                turnId = turn.id
                state = turn.state
                messageId = hasMessage ? turn.answerID : nil
                stopReason = turn.stopReason
                error = turn.error.map { Failure(kind: $0.kind, message: $0.message) }
                endedAt = Time(turn.endedAt ?? turn.createdAt)
            }
        }

        /// A place in a message.
        package struct Rewind: Codable, Sendable {
            package var messageId: MessageID
            /// UTF-8 bytes of it that hold.
            package var offset: Int

            package init(messageId: MessageID, offset: Int) {
                self.messageId = messageId
                self.offset = offset
            }
        }

        /// The extras go into `_meta.convod`.
        package init(configOptions: [ConfigOption], _ extras: Extras) {
            self.configOptions = configOptions
            meta = Meta(extras)
        }

        private enum CodingKeys: String, CodingKey {
            case configOptions
            case meta = "_meta"
        }
    }

    /// What of ACP's results is convod's own: `_meta.convod`.
    package struct Meta<Extras: Codable & Sendable>: Codable, Sendable {
        /// The members that ACP does not know.
        package var convod: Extras
        /// Wraps what is to stand under `_meta.convod`.
        package init(_ extras: Extras) { convod = extras }
    }

    /// One of ACP's options of a session (acp.md 1.5).
    package struct ConfigOption: Codable, Sendable, Equatable {
        /// What `session/set_config_option` calls it.
        package var id: String
        /// The name for people.
        package var name: String
        /// Absent when there is nothing to say.
        package var description: String?
        /// What clients group it by; an underscore begins those that ACP does not know (acp.md 1.5).
        package var category: String
        /// Always `select`, the only type that convod uses.
        package var type: String
        /// The `value` of the choice that holds.
        package var currentValue: String
        package var options: [Choice]

        /// One of the values that it may have.
        package struct Choice: Codable, Sendable, Equatable {
            /// What is sent to choose it.
            package var value: String
            /// The name for people.
            package var name: String
            /// Absent when there is nothing to say.
            package var description: String?
        }

        /// An option to choose among values that are their own names.
        package init(id: String, name: String, category: String, value: String, choices: [String]) {
            self.id = id
            self.name = name
            self.category = category
            type = "select"
            currentValue = value
            options = choices.map { Choice(value: $0, name: $0) }
        }
    }

    /// Which path of a session is active now.
    package struct ActivePath: Codable, MethodResult {
        package var sessionId: SessionID
        /// The branch's number.
        package var branch: Int
        /// Messages on the path; also the seq of the newest.
        package var messageCount: Int
        /// The newest message.
        package var headId: MessageID?
        /// Summaries that told of a message that was marked, and are dropped; nil for none.
        package var summariesDropped: Int?

        package init(sessionId: SessionID, branch: Int, messageCount: Int, headId: MessageID?) {
            self.sessionId = sessionId
            self.branch = branch
            self.messageCount = messageCount
            self.headId = headId
        }
    }
}
