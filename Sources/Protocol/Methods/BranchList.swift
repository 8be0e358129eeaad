package import Conversation
internal import JSON

extension Method {
    /// `_convod/branch/list`: the branches of a session.
    package enum BranchList: Contract {
        package static let method = Method.branchList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// Rows of the page.
            package var limit: Int
            /// Where the page before ended; nil begins with the oldest branch.
            package var cursor: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? limits.pageRows
                cursor = try reader.name("cursor")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Oldest first.
            package var branches: [Branch]
            /// Absent at the end.
            package var nextCursor: String?

            package init(branches: [Branch], nextCursor: String? = nil) {
                self.branches = branches
                self.nextCursor = nextCursor
            }

            /// One line of messages.
            package struct Branch: Codable, Sendable {
                /// Its number.
                package var branch: Int
                /// The one that it leaves; absent for a session's first.
                package var parent: Int?
                /// The last message that it shares with that.
                package var forkSeq: Int
                /// Its newest message.
                package var headSeq: Int
                /// Its newest message's ID; absent when there is no message.
                package var headId: MessageID?
                /// Messages that it does not share with its parent.
                package var ownMessages: Int
                /// The estimate over its path.
                package var tokens: Int
                package var createdAt: Wire.Time
                /// Whether prompts go on from it.
                package var active: Bool
                /// The first message of its own; absent when it has none.
                package var first: Beginning?

                package init(
                    branch: Int, parent: Int? = nil, forkSeq: Int, headSeq: Int, headId: MessageID? = nil,
                    ownMessages: Int, tokens: Int, createdAt: Wire.Time, active: Bool, first: Beginning? = nil
                ) {
                    self.branch = branch
                    self.parent = parent
                    self.forkSeq = forkSeq
                    self.headSeq = headSeq
                    self.headId = headId
                    self.ownMessages = ownMessages
                    self.tokens = tokens
                    self.createdAt = createdAt
                    self.active = active
                    self.first = first
                }
            }

            /// As much of the first message of its own as a list shows.
            package struct Beginning: Codable, Sendable {
                package var messageId: MessageID
                package var role: Message.Role
                package var status: Message.Status
                /// Its first line, at most 80 characters.
                package var text: String

                package init(messageId: MessageID, role: Message.Role, status: Message.Status, text: String) {
                    self.messageId = messageId
                    self.role = role
                    self.status = status
                    self.text = text
                }
            }
        }
    }
}
