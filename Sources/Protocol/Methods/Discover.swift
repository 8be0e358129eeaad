package import JSON

extension Method {
    /// `rpc.discover` (OpenRPC): what `schema/protocol.json` says.
    package enum Discover: Contract {
        package static let method = Method.discover
        package static let callers = Callers.everyone
        package static let order = RequestOrder.free
        package typealias Parameters = NoParameters
        package typealias Result = RawJSON
    }
}
