package import Conversation
package import JSON

extension Wire {
    /// What stands in a window for older messages.
    package struct Summary: Codable, Sendable, MethodResult {
        package var summaryId: SummaryID
        /// The numbers of the first and the last message that it covers.
        package var from: Int
        package var to: Int
        /// Absent where none came of it.
        package var text: String?
        /// Why there is no text.
        package var problem: String?
        /// Whether somebody asked for it: what it covers is not sent any more.
        package var requested: Bool
        /// Messages of the session when it was made.
        package var madeAt: Int
        /// Who made it; absent where nobody was asked.
        package var upstream: String?
        package var model: String?
        /// Tokens of it in a window, estimated.
        package var tokens: Int?
        /// Tokens that making it took; absent where nobody answered.
        package var inputTokens: Int?
        package var outputTokens: Int?
        /// Dollars that making it cost; absent where nobody knows.
        package var cost: Double?
        package var createdAt: Time
        /// When somebody gave it other words; absent where nobody did.
        package var editedAt: Time?

        /// A stored one; `tokens` are those of it in a window.
        package init(_ summary: Conversation.Summary, tokens: Int?) {
            summaryId = summary.id
            from = summary.first
            to = summary.last
            text = summary.text
            problem = summary.problem
            requested = summary.isRequested
            madeAt = summary.madeAt
            upstream = summary.upstream
            model = summary.model
            self.tokens = tokens
            inputTokens = summary.inputTokens
            outputTokens = summary.outputTokens
            cost = summary.cost.map { Double($0) / 1_000_000 }
            createdAt = Time(summary.createdAt)
            editedAt = summary.editedAt.map { Time($0) }
        }
    }

    /// How a summary goes, to clients that show such (acp-2.md 1.2); one that was made is replayed where it stands.
    package struct CompactionUpdate: Codable, Sendable, JSONRepresentable {
        static let word = "compaction_update"

        /// Where it stands.
        package enum Status: String, Codable, Sendable {
            case inProgress = "in_progress"
            case completed, failed, cancelled
        }

        /// Always `compaction_update`.
        package var sessionUpdate = CompactionUpdate.word
        /// The summary's ID.
        package var compactionId: SummaryID
        package var status: Status
        /// Its words as content blocks; absent where there are none.
        package var summary: [RawJSON]?
        /// Why there are none.
        package var error: String?

        /// Says of a summary how it goes.
        package init(_ summary: Conversation.Summary, _ status: Status) {
            compactionId = summary.id
            self.status = status
            if status == .completed, let text = summary.text {
                self.summary = [
                    RawJSON(
                        JSONWriter.object {
                            $0.member("type", "text")
                            $0.member("text", text)
                        })
                ]
            }
            if status == .failed { error = summary.problem }
        }
    }
}
