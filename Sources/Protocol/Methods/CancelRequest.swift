internal import JSON

extension Method {
    /// `$/cancel_request`: gives up a request that has no answer yet; a notification.
    package enum CancelRequest: Contract {
        package static let method = Method.cancelRequest
        package static let callers = Callers.everyone
        package static let order = RequestOrder.overtakes
        package static let isConversation = true

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// The request; nil for what is no ID, which no request has.
            package var id: RequestID?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = reader.nullable("requestId").flatMap { RequestID($0) }
            }
        }
        package typealias Result = Done
    }
}
