internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions

/// Brings lines to their handlers: decodes and starts them in the order in which they arrive, but for what waits for others
/// of its client; see `RequestLanes`.
///
/// - Invariant: nothing here calls itself in what a client sends: what was held up is started from the connection's own
///   loop, one request after the other.
final class Dispatcher {
    private let limits: () -> Limits
    private let handler: (Client.Call) throws(WireError) -> Void
    private let leave: (SessionID, Client) -> Void
    private let tally: RequestTally

    /// Begins with no requests.
    ///
    /// `handler` runs a call, and what it throws is the answer; `leave` ends what a client alone asked for on a session.
    init(
        limits: @escaping () -> Limits, tally: RequestTally = RequestTally(),
        handler: @escaping (Client.Call) throws(WireError) -> Void,
        leave: @escaping (SessionID, Client) -> Void
    ) {
        self.limits = limits
        self.handler = handler
        self.leave = leave
        self.tally = tally
    }

    /// Takes a line as it came.
    func receive(_ bytes: [UInt8], _ client: Client) {
        let link = client.link
        switch IncomingLine(bytes, depth: limits().depth) {
        case .single(let incoming): receive(incoming, client, nil) { link.send($0, isPush: false) }
        case .batch(let entries):
            let batch = Batch(entries, line: bytes.count, link, most: limits().outbox)
            for entry in entries {
                link.add { [weak self, weak client] in
                    guard let self, let client else { return }
                    receive(entry, client, batch) { batch.add($0, to: entry) }
                }
            }
            link.add { batch.letGo(bytes.count) }
        }
    }

    /// A client has gone; what it asked for goes on, but nobody is answered.
    func forget(_ client: Client) {
        client.waiting = [:]
        for call in client.calls.values where !call.method.contract.beginsTurn || call.stage == .waiting {
            call.cancel()
        }
        // Those that were put off are never answered, and would hold their client, and so themselves, for good.
        client.calls = [:]
    }

    private func receive(
        _ incoming: Incoming, _ client: Client, _ batch: Batch?, _ send: @escaping ([UInt8]) -> Void
    ) {
        let isMessage = if case .invalid = incoming { false } else { true }
        client.link.heard(isMessage: isMessage)
        switch incoming {
        case .response: break
        case .invalid(let id, let error): send(Outgoing.failure(id, error))
        case .notification(let name, let params): notify(name, params, client)
        case .request(let id, let name, let params):
            guard let method = Method(rawValue: name), !method.isNotification else {
                let error = WireError(
                    .methodNotFound,
                    "there is no method '\(name.prefix(80))'; 'rpc.discover' lists those there are")
                return send(Outgoing.failure(id, error))
            }
            if let refusal = refusal(id, method, params, client, isInBatch: batch != nil) {
                return send(Outgoing.failure(id, refusal))
            }
            start(call(id, method, params, client, batch, send), client)
        }
    }

    /// Why a request is not taken at all.
    private func refusal(
        _ id: RequestID, _ method: Method, _ params: JSONView?, _ client: Client, isInBatch: Bool
    ) -> WireError? {
        if isInBatch && method == .sessionPrompt {
            return WireError(.invalidRequest, "'session/prompt' cannot stand in a batch; send it alone")
        }
        if let params, params.kind == .array {
            return .invalid("'params' must be an object; parameters are given by name")
        }
        guard client.calls.count < limits().requests || method.contract.order == .overtakes else {
            return WireError(
                .overloaded,
                "\(client.calls.count) requests of this client have no answer yet, that is the limit; wait for some of them"
            )
        }
        guard client.calls[id] == nil else {
            return WireError(
                .invalidRequest,
                "the ID \(String(decoding: id.raw.prefix(80), as: UTF8.self)) belongs to a request that still runs; use another"
            )
        }
        return nil
    }

    private func call(
        _ id: RequestID, _ method: Method, _ params: JSONView?, _ client: Client, _ batch: Batch?,
        _ send: @escaping ([UInt8]) -> Void
    ) -> Client.Call {
        // A batch holds its line until the last of it has begun.
        let size = batch == nil ? params?.documentCost : params?.raw.count
        let session = method.isAudited ? params?["sessionId"]?.string : nil
        let call = Client.Call(id, method, params, client, size: size ?? 0) { [tally] call, result in
            let kind: ErrorKind? = if case .failure(let error) = result { error.kind } else { nil }
            tally.note(call, session, kind) {
                client.calls[id] = nil
                client.link.answered(isLast: client.calls.isEmpty)
                switch result {
                case .success(let body): send(Outgoing.result(id, body))
                case .failure(let error): send(Outgoing.failure(id, error))
                }
            }
        }
        if let batch { call.refusal = { batch.refusal } }
        client.calls[id] = call
        return call
    }

    private func start(_ call: Client.Call, _ client: Client) {
        let contract = call.method.contract
        let (number, begins) = client.lanes.arrived(contract.order, contract.reach(of: call.params))
        call.number = number
        guard begins else {
            // A prompt that is being prepared must not keep the session open; the rest is closed in its turn.
            if call.method == .sessionClose { endPrompts(of: call.params, client, leave) }
            call.onCancel = { [weak call] in call?.cancelUnbegun() }
            client.waiting[number] = call
            return
        }
        if !contract.isConversation, client.link.putsOff {
            call.onCancel = { [weak call] in call?.cancelUnbegun() }
            return client.link.add { [weak self] in self?.run(call) }
        }
        run(call)
    }

    private func run(_ call: Client.Call) {
        if call.isAnswered { return }
        if let refusal = call.refusal() { return call.fail(refusal) }
        call.begin()
        handle(call)
    }

    /// Hands a call to its handler; while that looks what it is about, what is behind it waits.
    private func handle(_ call: Client.Call) {
        do { try handler(call) } catch { if !call.isAnswered { call.fail(error) } }
        if !call.isLooking { call.looked() }
    }

    /// Starts the oldest request of a client that waited and may begin now; false when there is none.
    func takesWaiting(_ client: Client) -> Bool { client.takesWaiting(run) }

    private func notify(_ name: String, _ params: JSONView?, _ client: Client) {
        switch Method(rawValue: name) {
        case .cancelRequest:
            // What is wrong with a notification nobody is told.
            guard let parameters = try? Method.CancelRequest.parameters(params), let id = parameters.id else {
                return
            }
            client.calls[id]?.cancel()
        case .sessionCancel:
            endPrompts(of: params, client) { _, _ in
                handle(Client.Call(.null, .sessionCancel, params, client, answer: { _, _ in }))
            }
        default: break  // a notification is never answered
        }
    }

    /// Ends what a client has asked for on a session, ahead of what it sent before: prompts that have not begun too, and by
    /// `rest` what has.
    private func endPrompts(of params: JSONView?, _ client: Client, _ rest: (SessionID, Client) -> Void) {
        // What is wrong with it a request is told in its turn, and a notification never.
        guard let session = params?["sessionId"]?.string, let id = SessionID(session) else { return }
        for call in client.calls.values
        where call.isUnbegun && call.method.contract.beginsTurn
            && call.params?["sessionId"]?.string == session
        {
            call.cancel()
        }
        rest(id, client)
    }
}
