internal import JSON

extension Method {
    /// `authenticate` (ACP v1): always refused, since the socket says who the caller is.
    package enum Authenticate: Contract {
        package static let method = Method.authenticate
        package static let callers = Callers.everyone
        package static let order = RequestOrder.free
        package typealias Parameters = NoParameters
        package typealias Result = Done
    }
}
