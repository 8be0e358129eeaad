internal import JSON

extension Method {
    /// `_convod/server/metrics`: counters and gauges in the text of OpenMetrics 1.0.
    package enum ServerMetrics: Contract {
        package static let method = Method.serverMetrics
        package static let callers = Callers.administrators
        /// Who watches a machine reads its figures.
        package static let isForWatchers = true
        package static let order = RequestOrder.looks
        package typealias Parameters = NoParameters

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Lines, the last `# EOF`.
            package var text: String
            package init(text: String) { self.text = text }
        }
    }
}
