internal import JSON
internal import Protocol

/// Brings lines to their handlers: decodes and starts them in the order in which they arrive.
final class Dispatcher {
    /// What one client has under way.
    private final class Client {
        var calls: [RequestID: Call] = [:]
        var changes = 0
        var held: [() -> Void] = []
    }

    /// Answers gathered for one batch.
    private final class Batch {
        var left = 0
        var lines: [[UInt8]] = []
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
        case .single(let incoming): receive(incoming, connection) { connection.send($0) }
        case .batch(let entries):
            let batch = Batch()
            batch.left = entries.count {
                if case .request = $0 { true } else if case .invalid = $0 { true } else { false }
            }
            for entry in entries {
                receive(entry, connection, isBatch: true) { line in
                    batch.lines.append(line)
                    batch.left -= 1
                    if batch.left == 0 { connection.send(Dispatcher.array(of: batch.lines)) }
                }
            }
        }
    }

    /// Forgets a client; what it asked for goes on, but nobody is answered.
    func forget(_ connection: Connection) {
        guard let client = clients.removeValue(forKey: connection.number) else { return }
        client.held = []
        for call in client.calls.values where !call.method.beginsTurn || !call.hasBegun {
            call.onCancel?()
        }
    }

    private func receive(
        _ incoming: Incoming, _ connection: Connection, isBatch: Bool = false,
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
            if isBatch && method == .sessionPrompt {
                return send(
                    Outgoing.failure(
                        id, .init(.invalidRequest, "'session/prompt' cannot stand in a batch; send it alone"))
                )
            }
            start(id, method, params, connection, send)
        }
    }

    private func start(
        _ id: RequestID, _ method: Method, _ params: JSONView?, _ connection: Connection,
        _ send: @escaping ([UInt8]) -> Void
    ) {
        if let params, params.kind == .array {
            return send(
                Outgoing.failure(id, .invalid("'params' must be an object; parameters are given by name")))
        }
        guard connection.expectAnswer(id) else {
            let error = WireError(
                .invalidRequest,
                "the ID \(String(decoding: id.raw.prefix(80), as: UTF8.self)) belongs to a request that still runs; use another"
            )
            return send(Outgoing.failure(id, error))
        }
        let client = clients[connection.number] ?? Client()
        clients[connection.number] = client
        let isChange = method.order == .changes || method.order == .looksAndChanges
        let call = Call(id, method, params, connection) { [weak self] in
            guard isChange else { return }
            client.changes -= 1
            self?.release(client)
        } answer: { result in
            client.calls[id] = nil
            connection.forget(id)
            switch result {
            case .success(let body): send(Outgoing.result(id, body))
            case .failure(let error): send(Outgoing.failure(id, error))
            }
        }
        client.calls[id] = call
        if method.order == .overtakes || method.order == .free { return run(call, client, isChange: false) }
        if client.held.isEmpty && (method.order == .changes || client.changes == 0) {
            return run(call, client, isChange: isChange)
        }
        call.onCancel = { [weak call] in
            call?.fail(WireError(.cancelled, "the request was cancelled before it began"))
        }
        client.held.append { [weak self] in self?.run(call, client, isChange: isChange) }
    }

    private func run(_ call: Call, _ client: Client, isChange: Bool) {
        if call.isAnswered { return }
        call.hasBegun = true
        call.onCancel = nil
        if isChange { client.changes += 1 }
        do { try handle(call) } catch { if !call.isAnswered { call.fail(error) } }
    }

    /// Starts what waited for changes to be stored, in its order.
    private func release(_ client: Client) {
        while client.changes == 0, !client.held.isEmpty { client.held.removeFirst()() }
    }

    private func notify(_ name: String, _ params: JSONView?, _ connection: Connection) {
        switch Method(rawValue: name) {
        case .cancelRequest:
            guard let view = params?["requestId"], let id = RequestID(view) else { return }
            clients[connection.number]?.calls[id]?.onCancel?()
        case .sessionCancel:
            let call = Call(.null, .sessionCancel, params, connection, settle: {}, answer: { _ in })
            try? handle(call)
        default: break  // a notification is never answered
        }
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
