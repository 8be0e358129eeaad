internal import JSON
internal import Protocol

/// A request with what it asks for, read; it is answered by what its contract says.
struct Request<C: Contract> {
    let call: Client.Call
    let parameters: C.Parameters

    var client: Client { call.client }

    /// Answers it.
    func reply(_ result: C.Result) { call.reply(.success(JSONWriter.bytes(of: result))) }

    /// Answers it by a result that is written already.
    func reply(written result: [UInt8]) { call.reply(.success(result)) }

    func fail(_ error: WireError) { call.fail(error) }
}

extension Handlers {
    /// What answers a method.
    struct Handler: Sendable {
        let contract: any Contract.Type
        let run: @Sendable (Handlers, Client.Call) throws(WireError) -> Void

        /// Reads the parameters of a request and hands it on; what that throws is the answer.
        static func on<C: Contract>(
            _ contract: C.Type,
            _ handle: @escaping @Sendable (Handlers) -> (Request<C>) throws(WireError) -> Void
        ) -> Handler {
            Handler(contract: contract) { (handlers, call) throws(WireError) in
                if call.client.role == .watcher {
                    guard C.isForWatchers else {
                        throw WireError(
                            .permissionDenied,
                            "user \(call.client.user) may look at everything and change nothing ('socket.watchers')"
                        )
                    }
                } else if C.callers == .administrators, !call.client.isAdmin {
                    throw WireError(.permissionDenied, "only administrators may ask this")
                }
                let parameters = try C.parameters(call.params, handlers.configuration.limits)
                try handle(handlers)(Request(call: call, parameters: parameters))
            }
        }
    }
}
