extension Method {
    /// `_convod/summary/delete`: throws a summary away; the messages that it covered go to the model again as far as they fit.
    package enum SummaryDelete: Contract {
        package static let method = Method.summaryDelete
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package typealias Parameters = OneSummary
        package typealias Result = Done
    }
}
