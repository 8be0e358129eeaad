internal import JSON

extension Method {
    /// `_convod/branch/delete`: removes a branch with the messages that only it has.
    package enum BranchDelete: Contract {
        package static let method = Method.branchDelete
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package typealias Parameters = OneBranch

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// How many only it had.
            package var deletedMessages: Int

            package init(deletedMessages: Int) {
                self.deletedMessages = deletedMessages
            }
        }
    }
}
