package import JSON

extension Method {
    /// `_convod/context/preview`: the request that a prompt would make now.
    package enum ContextPreview: Contract {
        package static let method = Method.contextPreview
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// The session with what a prompt on it would ask for.
            package var question: WindowQuestion
            /// Whether the upstream is asked how many tokens the request has.
            package var isCounted: Bool

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                question = try WindowQuestion(&reader)
                isCounted = try reader.bool("count") ?? false
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// The name of the upstream that would be asked.
            package var upstream: String
            /// The upstream's kind, and so its dialect.
            package var kind: String
            /// The model by the provider's name for it.
            package var model: String
            /// Absent for one without a server.
            package var url: String?
            /// The body, as the provider takes it.
            package var request: RawJSON
            /// What is in the window, what was left out, and why.
            package var receipt: Verbatim<Wire.Receipt>
            /// Tokens as the provider counts them, where that was asked for.
            package var counted: Int?
            /// What it would cost; absent where nobody knows.
            package var cost: Wire.CostEstimate?

            package init(
                upstream: String, kind: String, model: String, url: String? = nil, request: RawJSON,
                receipt: Verbatim<Wire.Receipt>, counted: Int? = nil, cost: Wire.CostEstimate? = nil
            ) {
                self.cost = cost
                self.upstream = upstream
                self.kind = kind
                self.model = model
                self.url = url
                self.request = request
                self.receipt = receipt
                self.counted = counted
            }
        }
    }
}
