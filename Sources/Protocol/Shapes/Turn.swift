package import Conversation
package import JSON

extension Wire {
    /// A turn: a prompt, what was asked with it, and how it stands or ended.
    package struct Turn: Codable, Sendable, JSONWritable {
        package var turnId: TurnID
        package var sessionId: SessionID
        package var state: TurnRecord.State
        /// The prompt's message; absent where the turn goes on without one.
        package var promptId: MessageID?
        /// The answer's message, whether there is something of it or not.
        package var messageId: MessageID
        /// The parts of a prompt that waits, or never became a message.
        package var prompt: RawJSON?
        /// The client's key for sending once.
        package var requestId: String?
        /// Absent until it ends, and when it failed.
        package var stopReason: StopReason?
        /// What the provider said of the end: `stop`, `length`, `tool_calls`, `content_filter`, or its own word.
        package var finish: String?
        /// Why it ended so, in the provider's words.
        package var detail: String?
        /// True where the answer came out of the cache.
        package var cached: Bool?
        /// Absent when nothing failed.
        package var error: Failure?
        /// Absent until somebody is asked.
        package var upstream: String?
        /// Absent until somebody is asked.
        package var model: String?
        /// Tokens as the provider counted them; absent when it counted nothing.
        package var usage: Usage?
        /// When its prompt came in.
        package var createdAt: Time
        /// Absent while it waits.
        package var startedAt: Time?
        /// Absent until it ends.
        package var endedAt: Time?

        /// A stored turn in the names of the wire.
        package init(_ turn: TurnRecord, session: SessionID) {
            turnId = turn.id
            sessionId = session
            state = turn.state
            promptId = turn.promptID
            messageId = turn.answerID
            prompt = turn.queuedPrompt.map { RawJSON($0) }
            requestId = turn.requestID
            stopReason = turn.stopReason
            finish = turn.finish
            detail = turn.detail
            cached = turn.isCached ? true : nil
            error = turn.error.map { Failure(kind: $0.kind, message: $0.message) }
            upstream = turn.upstream
            model = turn.model
            usage = turn.usage
            createdAt = Time(turn.createdAt)
            startedAt = turn.startedAt.map { Time($0) }
            endedAt = turn.endedAt.map { Time($0) }
        }

        package func write(to writer: inout JSONWriter) { writer.object { writeMembers(to: &$0) } }

        func writeMembers(to writer: inout JSONWriter) {
            writer.member("turnId", turnId)
            writer.member("sessionId", sessionId.text)
            writer.member("state", state.name)
            writer.optional("promptId", promptId)
            writer.member("messageId", messageId)
            writer.optional("prompt", raw: prompt?.bytes)
            writer.optional("requestId", requestId)
            writer.optional("stopReason", stopReason?.rawValue)
            writer.optional("finish", finish)
            writer.optional("detail", detail)
            if let cached { writer.member("cached", cached) }
            if let error { writer.failure(error) }
            writer.optional("upstream", upstream)
            writer.optional("model", model)
            if let usage { writer.usage(usage) }
            writer.member("createdAt", createdAt)
            writer.optional("startedAt", startedAt)
            writer.optional("endedAt", endedAt)
        }
    }

    /// A turn with its receipt and its tries.
    package struct TurnDetails: Codable, JSONWritable, MethodResult {
        /// Its members stand beside the others on the wire.
        package var turn: Turn
        /// What was sent, and what was left out.
        package var receipt: Verbatim<Receipt>?
        /// All tries, in order.
        package var attempts: [Attempt]

        /// `receipt` is raw JSON as it was stored, nil when nothing was sent.
        package init(_ turn: Turn, receipt: [UInt8]?, attempts: [Attempt]) {
            self.turn = turn
            self.receipt = receipt.map { Verbatim($0) }
            self.attempts = attempts
        }

        private enum CodingKeys: String, CodingKey { case receipt, attempts }

        package init(from decoder: any Decoder) throws {
            turn = try Turn(from: decoder)
            let members = try decoder.container(keyedBy: CodingKeys.self)
            receipt = try members.decodeIfPresent(Verbatim<Receipt>.self, forKey: .receipt)
            attempts = try members.decode([Attempt].self, forKey: .attempts)
        }

        package func write(to writer: inout JSONWriter) {
            writer.object {
                turn.writeMembers(to: &$0)
                $0.optional("receipt", raw: receipt?.bytes)
                $0.member("attempts", raw: JSONWriter.bytes(of: attempts))
            }
        }
    }

    /// One try at an upstream.
    package struct Attempt: Codable, Sendable, JSONRepresentable {
        /// From 1.
        package var number: Int
        package var upstream: String
        package var model: String
        package var startedAt: Time
        /// When its first words came.
        package var firstAt: Time?
        package var endedAt: Time
        /// `complete` or the kind of error.
        package var outcome: String
        /// The HTTP status; absent when none came.
        package var status: Int?
        /// One sentence, without content and secrets.
        package var detail: String?

        package init(
            number: Int, upstream: String, model: String, startedAt: Time, firstAt: Time? = nil,
            endedAt: Time, outcome: String, status: Int? = nil, detail: String? = nil
        ) {
            self.number = number
            self.upstream = upstream
            self.model = model
            self.startedAt = startedAt
            self.firstAt = firstAt
            self.endedAt = endedAt
            self.outcome = outcome
            self.status = status
            self.detail = detail
        }
    }

    /// How a turn ended, for who asked for it (ACP `PromptResponse`).
    package struct StopResult: Codable, JSONWritable, MethodResult {
        package var stopReason: StopReason
        /// Absent where the prompt was cancelled before it was stored: it has no turn, and nothing of it is kept.
        package var meta: Meta<Extras>?

        /// What convod adds.
        package struct Extras: Codable, Sendable {
            package var turnId: TurnID
            /// The answer, where something of it is stored.
            package var messageId: MessageID?
            /// What the provider said of the end; absent when it said nothing.
            package var finish: String?
            /// Why it ended so, in the provider's words; absent when there is nothing to say.
            package var detail: String?
            /// Further answers, each on a branch of its own.
            package var alternatives: [MessageID]?
            /// Tokens as the provider counted them; absent when it counted nothing.
            package var usage: Usage?
            /// Absent when nothing was sent.
            package var receipt: Verbatim<Receipt>?
            /// Who answered; absent when nobody was asked.
            package var upstream: String?
            /// The model that was asked; absent when none was.
            package var model: String?
            /// Whether the answer came out of the cache.
            package var cached: Bool
            /// True where the request was sent before: this is how it ended then.
            package var repeated: Bool?

            package init(
                turnId: TurnID, messageId: MessageID? = nil, finish: String? = nil, detail: String? = nil,
                alternatives: [MessageID]? = nil, usage: Usage? = nil, receipt: Verbatim<Receipt>? = nil,
                upstream: String? = nil, model: String? = nil, cached: Bool, repeated: Bool? = nil
            ) {
                self.turnId = turnId
                self.messageId = messageId
                self.finish = finish
                self.detail = detail
                self.alternatives = alternatives
                self.usage = usage
                self.receipt = receipt
                self.upstream = upstream
                self.model = model
                self.cached = cached
                self.repeated = repeated
            }
        }

        /// Without extras nothing of the prompt is kept.
        package init(stopReason: StopReason, _ extras: Extras?) {
            self.stopReason = stopReason
            meta = extras.map { Meta($0) }
        }

        private enum CodingKeys: String, CodingKey {
            case stopReason
            case meta = "_meta"
        }

        package func write(to writer: inout JSONWriter) {
            writer.object {
                $0.member("stopReason", stopReason.rawValue)
                guard let extras = meta?.convod else { return }
                $0.member("_meta") { $0.member("convod") { extras.writeMembers(to: &$0) } }
            }
        }
    }

    /// What was sent for a turn, what was left out, and why.
    package struct Receipt: Codable, Sendable {
        /// How the history was cut.
        package var strategy: Strategy
        /// What made the cut; `fits` where nothing did.
        package var rule: String
        /// Tokens that there was room for.
        package var budget: Int
        /// Tokens of what was sent, estimated.
        package var estimate: Int
        /// The first and the last number of the newest messages that were sent.
        package var sent: [Int]?
        /// Pins before the newest messages counted too.
        package var sentMessages: Int
        /// Messages of the path that were not sent.
        package var leftOutMessages: Int
        /// Tokens of those, estimated.
        package var leftOutTokens: Int
        /// Pinned messages and those that must go with them, also those not listed.
        package var pinnedMessages: Int
        /// All that somebody excluded, also those not listed.
        package var excludedMessages: Int
        /// Those of the left out ones for which a summary was sent.
        package var summarizedMessages: Int
        /// The summary that was sent.
        package var summary: Summary?
        /// The number of the message with which the newest ones begin until the next cut.
        package var anchor: Int?
        /// What was sent otherwise than it is stored.
        package var mapped: Mapped?
        /// Thoughts that went back to who made them; absent where there were none.
        package var thoughts: Thoughts?
        /// The numbers of pinned messages that were sent, at most 100.
        package var pinned: [Int]?
        /// The numbers of excluded messages among those that were read for it, at most 100.
        package var excluded: [Int]?
        /// The numbers of messages that were not sent since the tool calls that they answer were not, at most 100.
        package var unpaired: [Int]?
        /// For which upstream it was made.
        package var upstream: String?
        /// Upstreams of the route that could not hold it.
        package var tooSmall: [TooSmall]?
        /// Tokens of what was sent as the provider counted them.
        package var counted: Int?
        /// Dollars of the answer's call by the table of models; absent where nothing was counted or there is no price.
        package var cost: Double?
        /// Tokens that the provider was seen to count for one estimated of plain text; absent where nothing was learned.
        package var ratio: Double?
        /// Bytes of the request's body.
        package var bytes: Int?
        /// Bytes with which it begins as the request before to the same model, to 256; absent where that is not known.
        package var prefixBytesShared: Int?
        /// What the provider's cache did; absent where it did not say.
        package var cache: Cache?
        /// What the provider did to the request before the model read it, in its words; absent where it did not say.
        package var transformations: [Transformation]?
        /// True where the server took part of the context away without a word.
        package var cutByServer: Bool?
        /// Parameters that were asked for and did not go out: the upstream has no place for them, or its model refused them.
        package var unsentParameters: [String]?

        /// A summary that was sent in the place of messages.
        package struct Summary: Codable, Sendable {
            package var id: SummaryID
            /// The numbers of the first and the last message that it covers.
            package var from: Int
            package var to: Int
            /// Tokens of it, estimated.
            package var tokens: Int
        }

        /// Tokens of a request that a provider read from its cache, and put into it.
        package struct Cache: Codable, Sendable {
            package var read: Int?
            package var written: Int?
            /// Why the cache had less than it might have, in the provider's words.
            package var missReason: String?
        }

        /// Something that was done to parts of a request, such as leaving out a thought that the model cannot read.
        package struct Transformation: Codable, Sendable {
            package var type: String
            package var reason: String
            /// How many parts.
            package var count: Int
        }

        /// How many of a window's thoughts went back to who made them.
        package struct Thoughts: Codable, Sendable {
            package var sent: Int
            /// They are another provider's, or bound to what does not stand before them any more.
            package var leftOut: Int
            /// Which of these, as `foreign`, `changed`, `full` or `both`; absent where none stayed out, and in old receipts.
            package var reason: String?
            /// Whether the model was told not to think, since the thought of its open tool loop stayed out; absent otherwise.
            package var disabled: Bool?
        }

        /// An upstream that could not hold what had to be sent.
        package struct TooSmall: Codable, Sendable {
            package var upstream: String
            package var model: String
            /// Tokens that must be sent; absent when nobody said.
            package var needed: Int?
            /// Tokens that may be sent; absent when nobody said.
            package var budget: Int?
        }

        /// The strategy that a window was made by.
        package struct Strategy: Codable, Sendable {
            /// As `slide`.
            package var chosen: String
            /// Why it was this one; empty in receipts of versions that had one strategy.
            package var why: String

            package init(from decoder: any Decoder) throws {
                // Else it is an object.
                if let word = try? decoder.singleValueContainer().decode(String.self) {
                    (chosen, why) = (word, "")
                    return
                }
                let members = try decoder.container(keyedBy: CodingKeys.self)
                chosen = try members.decode(String.self, forKey: .chosen)
                why = try members.decode(String.self, forKey: .why)
            }
        }

        /// What was sent otherwise than it is stored, by kind and count.
        package struct Mapped: Codable, Sendable {
            /// Tool calls whose arguments were no object.
            package var arguments: Int?
            /// Names of tools that the dialect does not take.
            package var names: Int?
            /// IDs of calls that it does not take.
            package var ids: Int?
            /// Media, and bytes that no model reads, for which a text was sent.
            package var parts: Int?
            /// Messages of the system that joined the system prompt, or were said by the user.
            package var systems: Int?
            /// Calls without a result, which got one that says so.
            package var closed: Int?
            /// 1 where words of the user went before an answer with which the messages began.
            package var opened: Int?
        }
    }
}

extension Wire.StopResult.Extras {
    fileprivate func writeMembers(to writer: inout JSONWriter) {
        writer.member("turnId", turnId)
        writer.optional("messageId", messageId)
        writer.optional("finish", finish)
        writer.optional("detail", detail)
        if let alternatives {
            writer.key("alternatives")
            writer.array { for id in alternatives { $0.string(id) } }
        }
        if let usage { writer.usage(usage) }
        writer.optional("receipt", raw: receipt?.bytes)
        writer.optional("upstream", upstream)
        writer.optional("model", model)
        writer.member("cached", cached)
        if let repeated { writer.member("repeated", repeated) }
    }
}

extension JSONWriter {
    /// The member `error`.
    mutating func failure(_ failure: Wire.Failure) {
        member("error") {
            $0.member("kind", failure.kind)
            $0.member("message", failure.message)
        }
    }

    /// The member `usage`.
    mutating func usage(_ usage: Usage) {
        key("usage")
        usage.write(to: &self)
    }
}
