package import JSON

extension Method {
    /// `_convod/context/build`: the messages that a prompt would send now.
    package enum ContextBuild: Contract {
        package static let method = Method.contextBuild
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// The session with what a prompt on it would ask for.
            package var question: WindowQuestion
            /// A kind of upstream in whose way messages are written; nil means neutral messages.
            package var dialect: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                question = try WindowQuestion(&reader)
                dialect = try reader.name("dialect")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Messages in the dialect that was asked for.
            package var messages: RawJSON
            /// The system prompt, where it is no message.
            package var system: String?
            /// What is in the window, what was left out, and why.
            package var receipt: Verbatim<Wire.Receipt>
            /// What it would cost; absent where nobody knows.
            package var cost: Wire.CostEstimate?
            /// What `_convod/message/append` takes with the answer, so that its thoughts go back where they may.
            package var windowId: String?
            /// Names of tools that the dialect does not take: the stored one by the one in the messages; absent for none.
            package var toolNames: JSONTable<String>?

            /// No names of tools are those that go as they are.
            package init(
                messages: RawJSON, system: String? = nil, receipt: Verbatim<Wire.Receipt>,
                cost: Wire.CostEstimate? = nil, windowId: String? = nil, toolNames: [String: String] = [:]
            ) {
                self.cost = cost
                self.windowId = windowId
                self.toolNames = toolNames.isEmpty ? nil : JSONTable(toolNames)
                self.messages = messages
                self.system = system
                self.receipt = receipt
            }
        }
    }
}
