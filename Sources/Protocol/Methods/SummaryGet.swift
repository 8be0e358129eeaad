internal import JSON

extension Method {
    /// `_convod/summary/get`: one summary, with the tries that made it.
    package enum SummaryGet: Contract {
        package static let method = Method.summaryGet
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package typealias Parameters = OneSummary

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var summary: Wire.Summary
            /// All tries, in order.
            package var attempts: [Wire.Attempt]

            package init(summary: Wire.Summary, attempts: [Wire.Attempt]) {
                self.summary = summary
                self.attempts = attempts
            }
        }
    }
}
