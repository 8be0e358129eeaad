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
        case notification(method: String, params: JSONView?)
        /// The number of a signal that came on the caller's descriptor.
        case signal(Int32)
        /// Nobody reads the caller's output any more; told once a call.
        case closedOutput
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
    /// `signals` is a descriptor as `Signals.descriptor` makes it, `output` one that the caller writes to and wants to hear of
    /// when its other end is closed; `onEvent` may send notifications.
    package func call(
        _ method: Method, _ params: [UInt8] = Array("{}".utf8), milliseconds: Int? = nil,
        signals: Int32? = nil, output: Int32? = nil, onEvent: (Event) -> Void = { _ in }
    ) throws(ClientError) -> JSONView {
        try call(
            named: method.rawValue, params, milliseconds: milliseconds, signals: signals, output: output,
            onEvent: onEvent)
    }

    /// The same for a method that this build may not know.
    package func call(
        named method: String, _ params: [UInt8] = Array("{}".utf8), milliseconds: Int? = nil,
        signals: Int32? = nil, output: Int32? = nil, onEvent: (Event) -> Void = { _ in }
    ) throws(ClientError) -> JSONView {
        var output = output
        last += 1
        let id = last
        try send(Protocol.Outgoing.request(.number(id), method, params))
        let deadline = milliseconds.map { Machine.monotonic() + UInt64($0) * 1_000_000 }
        while true {
            while let message = try nextMessage() {
                if let answer = try answer(to: id, in: message) { return answer }
                deliver(message, onEvent)
            }
            if try wait(until: deadline, signals: signals, output: output, onEvent) { output = nil }
        }
    }

    /// Sends a notification.
    package func notify(_ method: Method, _ params: [UInt8]) throws(ClientError) {
        try send(Protocol.Outgoing.notification(method.rawValue, params))
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
        until deadline: UInt64?, signals: Int32?, output: Int32?, _ onEvent: (Event) -> Void
    ) throws(ClientError) -> Bool {
        var left: Int32 = -1
        if let deadline {
            let now = Machine.monotonic()
            guard now < deadline else {
                throw ClientError(.timedOut, "the daemon took the connection but does not answer")
            }
            left = Int32((deadline - now) / 1_000_000 + 1)
        }
        let ready = try readable(
            [socket.raw] + (signals.map { [$0] } ?? []), broken: output.map { [$0] } ?? [], milliseconds: left
        )
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
