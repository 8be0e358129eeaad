internal import JSON
internal import Protocol

/// Brings lines to their handlers: decodes and starts them in the order in which they arrive.
///
/// - Invariant: nothing here calls itself in what a client sends: what was held up is started from the connection's own
///   loop, one request after the other.
final class Dispatcher {
    /// What one client has under way.
    private final class Client {
        var calls: [RequestID: Call] = [:]
        var changes = 0
        /// Requests that look what they are about; what comes behind them waits, so that looks may come late.
        var looking = 0
        /// Whether what was held may begin.
        var isFree: Bool { changes == 0 && looking == 0 }
        var held = Fifo<() -> Void>()
    }

    /// Answers gathered for one batch.
    private final class Batch {
        var left = 0
        var lines: [[UInt8]] = []
        var bytes = 0
        private let connection: Connection
        private var held = 0

        init(_ connection: Connection) { self.connection = connection }
        deinit { letGo(held) }

        /// Its client holds so many bytes more, until they are let go of or the batch is dropped.
        func hold(_ bytes: Int) {
            held += bytes
            connection.hold(bytes)
        }

        func letGo(_ bytes: Int) {
            held -= bytes
            connection.letGo(bytes)
        }
    }

    private let limits: () -> Limits
    private let handle: (Call) throws(WireError) -> Void
    private var clients: [Int: Client] = [:]

    /// `handle` runs a call; what it throws is the answer.
    init(limits: @escaping () -> Limits, handle: @escaping (Call) throws(WireError) -> Void) {
        self.limits = limits
        self.handle = handle
    }

    /// Takes a line as it came.
    func receive(_ bytes: [UInt8], _ connection: Connection) {
        switch IncomingLine(bytes, depth: limits().depth) {
        case .single(let incoming): receive(incoming, connection, nil) { connection.send($0) }
        case .batch(let entries):
            let batch = Batch(connection)
            batch.left = entries.count {
                if case .request = $0 { true } else if case .invalid = $0 { true } else { false }
            }
            batch.hold(bytes.count)
            for entry in entries {
                connection.add { [weak self, weak connection] in
                    guard let self, let connection else { return }
                    receive(entry, connection, batch) { [self] line in
                        gather(line, of: entry, in: batch, connection)
                    }
                }
            }
            connection.add { batch.letGo(bytes.count) }
        }
    }

    /// Keeps one answer of a batch; what goes past the bound is told to be asked for alone.
    private func gather(
        _ line: [UInt8], of entry: Incoming, in batch: Batch, _ connection: Connection
    ) {
        var line = line
        if batch.bytes > 0, batch.bytes + line.count > limits().outbox, case .request(let id, _, _) = entry {
            line = Outgoing.failure(id, batchIsFull())
        }
        batch.lines.append(line)
        batch.bytes += line.count
        batch.left -= 1
        batch.hold(line.count)
        guard batch.left == 0 else { return }
        connection.send(Dispatcher.array(of: batch.lines))
        batch.letGo(batch.bytes)
        batch.lines = []
    }

    private func batchIsFull() -> WireError {
        WireError(
            .overloaded,
            "the answers of this batch have more than \(limits().outbox) bytes; send this request alone")
    }

    /// Forgets a client; what it asked for goes on, but nobody is answered.
    func forget(_ connection: Connection) {
        guard let client = clients.removeValue(forKey: connection.number) else { return }
        client.held.removeAll()
        for call in client.calls.values where !call.method.beginsTurn || !call.hasBegun {
            call.cancel()
        }
        // Those that were put off are never answered, and would hold their client, and so themselves, for good.
        client.calls = [:]
    }

    private func receive(
        _ incoming: Incoming, _ connection: Connection, _ batch: Batch?,
        _ send: @escaping ([UInt8]) -> Void
    ) {
        switch incoming {
        case .response: break
        case .invalid(let id, let error): send(Outgoing.failure(id, error))
        case .notification(let name, let params): notify(name, params, connection)
        case .request(let id, let name, let params):
            guard let method = Method(rawValue: name), !method.isNotification else {
                let error = WireError(
                    .methodNotFound,
                    "there is no method '\(name.prefix(80))'; 'rpc.discover' lists those there are")
                return send(Outgoing.failure(id, error))
            }
            if batch != nil && method == .sessionPrompt {
                return send(
                    Outgoing.failure(
                        id, .init(.invalidRequest, "'session/prompt' cannot stand in a batch; send it alone"))
                )
            }
            start(id, method, params, connection, batch, send)
        }
    }

    private func start(
        _ id: RequestID, _ method: Method, _ params: JSONView?, _ connection: Connection, _ batch: Batch?,
        _ send: @escaping ([UInt8]) -> Void
    ) {
        if let params, params.kind == .array {
            return send(
                Outgoing.failure(id, .invalid("'params' must be an object; parameters are given by name")))
        }
        let client = clients[connection.number] ?? Client()
        clients[connection.number] = client
        guard client.calls.count < limits().requests || method.order == .overtakes else {
            let message =
                "\(client.calls.count) requests of this client have no answer yet, that is the limit; wait for some of them"
            return send(Outgoing.failure(id, WireError(.overloaded, message)))
        }
        guard connection.expectAnswer(id) else {
            let error = WireError(
                .invalidRequest,
                "the ID \(String(decoding: id.raw.prefix(80), as: UTF8.self)) belongs to a request that still runs; use another"
            )
            return send(Outgoing.failure(id, error))
        }
        // A batch holds its line until the last of it has begun.
        let size = batch == nil ? params?.documentCost : params?.raw.count
        let call = call(id, method, params, connection, client, size ?? 0, send)
        if let batch {
            call.refusal = { [weak self] in
                guard let self, batch.bytes > limits().outbox else { return nil }
                return batchIsFull()
            }
        }
        client.calls[id] = call
        if method.order == .overtakes { return run(call, client) }
        // A prompt that is being prepared must not keep the session open; the rest is closed in its turn.
        if method == .sessionClose, !mayBegin(method, client) { endPrompts(method, params, connection) }
        if !method.isConversation, mayBegin(method, client), connection.putsOff {
            return connection.add { [weak self] in self?.begin(call, client) }
        }
        begin(call, client)
    }

    /// Begins a request, or keeps it until the changes before it are stored.
    private func begin(_ call: Call, _ client: Client) {
        if mayBegin(call.method, client) { return run(call, client) }
        if call.isAnswered { return }
        call.onCancel = { [weak call] in call?.cancelUnbegun() }
        client.held.append { [weak self] in self?.run(call, client) }
    }

    private func call(
        _ id: RequestID, _ method: Method, _ params: JSONView?, _ connection: Connection, _ client: Client,
        _ size: Int, _ send: @escaping ([UInt8]) -> Void
    ) -> Call {
        Call(id, method, params, connection, size: size) { hasBegun in
            guard hasBegun, method.isChange else { return }
            client.changes -= 1
            connection.release()
        } answer: { result in
            client.calls[id] = nil
            connection.forget(id)
            switch result {
            case .success(let body): send(Outgoing.result(id, body))
            case .failure(let error): send(Outgoing.failure(id, error))
            }
        }
    }

    /// Whether a request need not wait for others of its own client.
    private func mayBegin(_ method: Method, _ client: Client) -> Bool {
        method.order == .free
            || client.held.isEmpty && client.looking == 0 && (method.order == .changes || client.changes == 0)
    }

    private func run(_ call: Call, _ client: Client) {
        if call.isAnswered { return }
        if let refusal = call.refusal() { return call.fail(refusal) }
        call.hasBegun = true
        call.onCancel = nil
        if call.method.isChange { client.changes += 1 }
        handle(call, client)
    }

    /// Hands a call to its handler; while that looks what it is about, nothing else of its client begins.
    private func handle(_ call: Call, _ client: Client) {
        do { try handle(call) } catch { if !call.isAnswered { call.fail(error) } }
        guard call.isLooking else { return call.dropParameters() }
        client.looking += 1
        call.looked = { [unowned call] in
            client.looking -= 1
            call.dropParameters()
            call.connection.release()
        }
    }

    /// Starts the oldest request that waited for changes to be stored; false when none may begin.
    func takesHeld(_ connection: Connection) -> Bool {
        guard let client = clients[connection.number], client.isFree,
            let begin = client.held.popFirst()
        else { return false }
        begin()
        return true
    }

    /// Whether there is such a request.
    func hasHeld(_ connection: Connection) -> Bool {
        guard let client = clients[connection.number] else { return false }
        return client.isFree && !client.held.isEmpty
    }

    private func notify(_ name: String, _ params: JSONView?, _ connection: Connection) {
        switch Method(rawValue: name) {
        case .cancelRequest:
            guard let view = params?["requestId"], let id = RequestID(view) else { return }
            clients[connection.number]?.calls[id]?.cancel()
        case .sessionCancel: endPrompts(.sessionCancel, params, connection)
        default: break  // a notification is never answered
        }
    }

    /// Ends what a client has asked for on a session, ahead of what it sent before: prompts that have not begun too.
    private func endPrompts(_ method: Method, _ params: JSONView?, _ connection: Connection) {
        let client = clients[connection.number] ?? Client()
        clients[connection.number] = client
        if let session = params?["sessionId"]?.string {
            for call in client.calls.values
            where (!call.hasBegun || call.isLooking) && call.method.beginsTurn
                && call.params?["sessionId"]?.string == session
            {
                call.cancel()
            }
        }
        // What is wrong with it a request is told in its turn, and a notification never.
        handle(Call(.null, method, params, connection, settle: { _ in }, answer: { _ in }), client)
    }

    /// Lines without their LF as one array.
    private static func array(of lines: [[UInt8]]) -> [UInt8] {
        var out: [UInt8] = [0x5B]
        for line in lines {
            if out.count > 1 { out.append(0x2C) }
            out += line.dropLast()
        }
        return out + [0x5D, 0x0A]
    }
}
