package import JSON
package import Posix
package import Protocol

/// ConvoClient speaks the protocol from the other end.

/// One connection to a daemon, used by one thread: a call sends its line and waits for its answer.
///
/// - Invariant: a call waits on the socket and on nothing else but the signals that the caller names.
package final class Client {
    /// What can come while a call waits.
    package enum Event {
        /// News of the session that the call follows.
        case update(Wire.SessionUpdate)
        /// Anything else that the daemon says, as it came.
        case notification(method: String, params: JSONView?)
        /// The number of a signal that came on the caller's descriptor.
        case signal(Int32)
        /// Nobody reads the caller's output any more; told once a call.
        case closedOutput
        /// So much time went by as the caller wants to hear of.
        case tick
    }

    private static let longestLine = 256 << 20
    private static let deepest = 512  // an answer wraps what a request of 128 levels held

    private let socket: Descriptor
    /// Who listens at the other end, by the kernel's word.
    package let peer: Peer
    private var framer = LineFramer(limit: Client.longestLine)
    private var last = 0

    /// Connects to the socket at a path; a listener that is nobody to trust is refused before a byte is sent.
    package init(connectingTo path: String) throws(ClientError) {
        socket = try Client.connect(path)
        // It was told a moment ago; who cannot be named any more is nobody.
        peer = (try? UnixSocket.peer(of: socket.raw)) ?? Peer(pid: 0, uid: .max, gid: .max, groups: [])
    }

    private static func connect(_ path: String) throws(ClientError) -> Descriptor {
        let socket: Descriptor
        do { socket = try UnixSocket.connect(to: path) } catch {
            throw ClientError(.cannotConnect, "cannot connect to '\(path)': \(error.reason)")
        }
        guard let peer = try? UnixSocket.peer(of: socket.raw) else {
            throw ClientError(.untrusted, "nobody can tell who listens at '\(path)'; nothing was sent to it")
        }
        if let problem = TrustedPeer.problem(peer, at: path) { throw ClientError(.untrusted, problem) }
        return socket
    }

    /// Becomes readable when something came that no call was waiting for.
    package var descriptor: Int32 { socket.raw }

    /// Sends a request and waits for its answer; `onEvent` hears what comes before it, in order.
    ///
    /// News of the session `followed` comes as `update`, and what of it this build cannot read is passed over, as a later
    /// version may send it; all else comes as it is, and costs no reading. `signals` is a descriptor as `Signals.descriptor`
    /// makes it, `output` one that the caller writes to and wants to hear of when its other end is closed; `tick` is the
    /// milliseconds after which it hears that time went by, nil for never; `onEvent` may send notifications.
    package func call<C: Contract>(
        _ contract: C.Type, _ params: [UInt8] = Array("{}".utf8), milliseconds: Int? = nil,
        following followed: String? = nil, signals: Int32? = nil, output: Int32? = nil, tick: Int32? = nil,
        onEvent: (Event) -> Void = { _ in }
    ) throws(ClientError) -> C.Result {
        let result = try call(
            named: C.method.rawValue, params, milliseconds: milliseconds, signals: signals, output: output,
            tick: tick
        ) { event in
            guard let event = Client.event(event, following: followed) else { return }
            onEvent(event)
        }
        return try Client.read(result, of: C.method)
    }

    /// The same where only some members of the result are wanted, which other versions have as well.
    package func call<Value: Decodable>(
        _ method: Method, as type: Value.Type, milliseconds: Int? = nil
    ) throws(ClientError) -> Value {
        try Client.read(try call(named: method.rawValue, milliseconds: milliseconds), of: method)
    }

    private static func read<Value: Decodable>(_ result: JSONView, of method: Method) throws(ClientError)
        -> Value
    {
        do { return try result.decoded(as: Value.self) } catch {
            throw ClientError(
                .protocolViolation,
                "cannot read the daemon's answer to '\(method.rawValue)': \(error.description); convo and convod may be of different versions"
            )
        }
    }

    /// An event as who follows a session hears it, nil for news of that which this build cannot read.
    private static func event(_ event: Event, following followed: String?) -> Event? {
        guard let followed, case .notification("session/update", let params?) = event,
            params["sessionId"]?.string == followed
        else { return event }
        let update = try? params["update"]?.decoded(as: Wire.SessionUpdate.self)
        return update.map { .update($0) }
    }

    /// The same for a method that this build may not know: its result and all events are as they came.
    package func call(
        named method: String, _ params: [UInt8] = Array("{}".utf8), milliseconds: Int? = nil,
        signals: Int32? = nil, output: Int32? = nil, tick: Int32? = nil,
        onEvent: (Event) -> Void = { _ in }
    ) throws(ClientError) -> JSONView {
        var output = output
        last += 1
        let id = last
        do throws(ClientError) {
            try send(Protocol.Outgoing.request(.number(id), method, Client.onOneLine(params)))
        } catch {
            try hearRefusal(of: id)
            throw error
        }
        let deadline = milliseconds.map { Machine.monotonic() + UInt64($0) * 1_000_000 }
        while true {
            while let message = try nextMessage() {
                if let answer = try answer(to: id, in: message) { return answer }
                deliver(message, onEvent)
            }
            if try wait(until: deadline, signals: signals, output: output, tick: tick, onEvent) {
                output = nil
            }
        }
    }

    /// Throws what the daemon said before it closed the connection: whom it does not take it tells so at once.
    private func hearRefusal(of id: Int) throws(ClientError) {
        while true {
            while let message = try nextMessage() { _ = try answer(to: id, in: message) }
            // Nothing may be there, and then the connection's own end is all that is known.
            guard try !readable([socket.raw], milliseconds: 0).isEmpty, (try? receive()) != nil else {
                return
            }
        }
    }

    /// Hears what is said of a session until `isOver`, without a request.
    package func listen(
        following followed: String, signals: Int32?, tick: Int32?, until isOver: () -> Bool,
        onEvent: (Event) -> Void
    ) throws(ClientError) {
        func hear(_ event: Event) {
            if let event = Client.event(event, following: followed) { onEvent(event) }
        }
        while !isOver() {
            if let message = try nextMessage() {
                deliver(message, hear)
            } else {
                _ = try wait(until: nil, signals: signals, output: nil, tick: tick, hear)
            }
        }
    }

    /// Sends a notification.
    package func notify(_ method: Method, _ params: [UInt8]) throws(ClientError) {
        try send(Protocol.Outgoing.notification(method.rawValue, Client.onOneLine(params)))
    }

    /// Line ends between the values of what a person wrote are white space; in the protocol they would end the request.
    private static func onOneLine(_ json: [UInt8]) -> [UInt8] {
        guard json.contains(where: { $0 == 0x0A || $0 == 0x0D }) else { return json }
        return json.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
    }

    /// Asks the daemon to give the running call up; its answer comes all the same.
    ///
    /// Narrower than `session/cancel`, which would also end the running turn of another client.
    package func cancelCall() throws(ClientError) {
        try notify(.cancelRequest, JSONWriter.object { $0.member("requestId", last) })
    }

    /// Sends bytes as they are; the caller ends its lines.
    package func send(_ bytes: [UInt8]) throws(ClientError) {
        var offset = 0
        while offset < bytes.count {
            do { offset += try System.send(socket.raw, bytes, from: offset) ?? 0 } catch {
                throw ClientError(.closed, "the daemon closed the connection: \(error.reason)")
            }
        }
    }

    /// Takes what has come without waiting for more, so that an idle client does not fill the daemon's outbox.
    package func drain(_ onEvent: (Event) -> Void) throws(ClientError) {
        while true {
            while let message = try nextMessage() { deliver(message, onEvent) }
            guard try !readable([socket.raw], milliseconds: 0).isEmpty else { return }
            try receive()
        }
    }

    private func nextMessage() throws(ClientError) -> JSONView? {
        switch framer.next() {
        case nil: return nil
        case .tooLong:
            throw ClientError(
                .protocolViolation, "the daemon sent a line of more than \(Client.longestLine) bytes")
        case .line(let line):
            do { return try JSONDocument(line, depth: Client.deepest).root } catch {
                throw ClientError(
                    .protocolViolation, "the daemon sent a line that is not JSON: \(error.description)")
            }
        }
    }

    /// The result, if the message answers the request; an error without an ID answers a line that could not be read.
    private func answer(to id: Int, in message: JSONView) throws(ClientError) -> JSONView? {
        guard message["method"] == nil else { return nil }
        let answered = message["id"]
        if let error = message["error"], answered?.int == id || answered?.isNull ?? true {
            throw ClientError(RemoteError(error))
        }
        return answered?.int == id ? message["result"] : nil
    }

    private func deliver(_ message: JSONView, _ onEvent: (Event) -> Void) {
        guard let method = message["method"]?.string else { return }
        onEvent(.notification(method: method, params: message["params"]))
    }

    /// Waits for something to come; true when it was told that the output is closed.
    private func wait(
        until deadline: UInt64?, signals: Int32?, output: Int32?, tick: Int32?, _ onEvent: (Event) -> Void
    ) throws(ClientError) -> Bool {
        var wait = tick ?? -1
        if let deadline {
            let now = Machine.monotonic()
            guard now < deadline else {
                throw ClientError(
                    .timedOut,
                    "the daemon took the connection but does not answer; 'convo service status' and 'convo logs' say what it does where systemd starts it"
                )
            }
            let rest = Int32((deadline - now) / 1_000_000 + 1)
            wait = tick.map { min($0, rest) } ?? rest
        }
        let ready = try readable(
            [socket.raw] + (signals.map { [$0] } ?? []), broken: output.map { [$0] } ?? [], milliseconds: wait
        )
        if ready.isEmpty, tick != nil { onEvent(.tick) }
        if let signals, ready.contains(signals) {
            while let number = Signals.next(signals) { onEvent(.signal(number)) }
        }
        let isClosed = output.map(ready.contains) ?? false
        if isClosed { onEvent(.closedOutput) }
        if ready.contains(socket.raw) { try receive() }
        return isClosed
    }

    private func readable(_ descriptors: [Int32], broken: [Int32] = [], milliseconds: Int32)
        throws(ClientError) -> [Int32]
    {
        do { return try System.wait(readable: descriptors, broken: broken, milliseconds: milliseconds) } catch
        {
            throw ClientError(.closed, "cannot wait for the daemon: \(error.reason)")
        }
    }

    private func receive() throws(ClientError) {
        let got: Int?
        do {
            got = try framer.fill { (buffer) throws(PosixError) in
                try System.read(socket.raw, into: &buffer, most: 64 << 10)
            }
        } catch { throw ClientError(.closed, "the daemon closed the connection: \(error.reason)") }
        if got == 0 { throw ClientError(.closed, "the daemon closed the connection") }
    }
}
