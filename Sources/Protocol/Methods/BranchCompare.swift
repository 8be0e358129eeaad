package import Conversation
internal import JSON

extension Method {
    /// `_convod/branch/compare`: what two branches share and what each has for itself.
    package enum BranchCompare: Contract {
        package static let method = Method.branchCompare
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// The number of one of them.
            package var branch: Int
            /// The other one; nil means the active one.
            package var with: Int?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                branch = try reader.branch()
                with = try reader.int("with", in: 1...Int(Int32.max))
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Messages that both have, from the beginning.
            package var commonMessages: Int
            /// That of the branch that was asked for, then that of the other one.
            package var sides: [Side]

            package init(commonMessages: Int, sides: [Side]) {
                self.commonMessages = commonMessages
                self.sides = sides
            }

            /// What one of them has for itself.
            package struct Side: Codable, Sendable {
                /// The branch's number.
                package var branch: Int
                /// The first of them behind what both have, oldest first.
                package var messages: [Wire.Message]
                /// Whether it has more than are shown.
                package var more: Bool

                package init(branch: Int, messages: [Wire.Message], more: Bool) {
                    self.branch = branch
                    self.messages = messages
                    self.more = more
                }
            }
        }
    }
}
