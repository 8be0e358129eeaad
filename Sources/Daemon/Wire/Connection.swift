internal import EventLoop
internal import Posix
internal import Protocol

/// One client: its socket, its lines in, its bounded lines out.
final class Connection {
    /// Names the connection in logs and lists.
    let number: Int
    let peer: Peer
    let isAdmin: Bool

    private let socket: Descriptor
    private let loop: EventLoop
    private let limits: Limits
    private weak var owner: (any ConnectionOwner)?
    private var framer: LineFramer
    private var outbox = Outbox()
    private var writing: [UInt8] = []
    private var written = 0
    private var chunkWriter = ChunkWriter()
    private var watched: Readiness = .reading
    private var isFlushDue = false
    private var isReadingPaused = false
    private var hasEnded = false
    /// Whether lines wait in the framer until this client has read more of its answers.
    private var hasMoreLines = false
    private var isTakeDue = false
    private var closing: Closing = .no
    private var drained: [() -> Void] = []
    /// Requests that have no answer yet.
    private(set) var unanswered: Set<RequestID> = []

    private enum Closing { case no, afterFlush, done }

    init(
        _ socket: consuming Descriptor, number: Int, peer: Peer, isAdmin: Bool, loop: EventLoop,
        limits: Limits, owner: any ConnectionOwner
    ) {
        self.socket = socket
        self.number = number
        self.peer = peer
        self.isAdmin = isAdmin
        self.loop = loop
        self.limits = limits
        self.owner = owner
        framer = LineFramer(limit: limits.line)
    }

    var isOpen: Bool { closing != .done }
    var waitingBytes: Int { outbox.bytes + writing.count - written }

    /// Starts listening to the client.
    func begin() throws(PosixError) {
        try loop.watch(socket.raw, .reading) { [unowned self] in ready($0) }
    }

    // MARK: Out

    /// Queues a line.
    ///
    /// What a client asked for is never dropped; a push to a client that does not read ends it.
    func send(_ line: [UInt8], isPush: Bool = false) {
        guard closing == .no else { return }
        outbox.add(line)
        queued(isPush: isPush)
    }

    /// Queues a piece of an answer; it may be merged with those that wait.
    ///
    /// A replay's pieces were asked for.
    func send(_ chunk: Chunk, isPush: Bool = true) {
        guard closing == .no else { return }
        outbox.add(chunk)
        queued(isPush: isPush)
    }

    private func queued(isPush: Bool) {
        if isPush && outbox.bytes > limits.outbox {
            flush()  // one oversized line may be on its way beside those that wait
            if outbox.bytes > limits.outbox { return dropSlowReader() }
        }
        wantFlush()
    }

    /// A client that is far behind is told so in one line, given a second, and closed.
    ///
    /// It costs nobody else.
    private func dropSlowReader() {
        outbox.clear()
        let message =
            "this client reads too slowly: more than \(limits.outbox) bytes waited; reconnect and resume with a cursor"
        outbox.add(Outgoing.notification("_convod/closing", WireError(.overloaded, message).asParameters))
        closing = .afterFlush
        watch()
        flush()
        loop.after(milliseconds: 1000) { [weak self] in self?.close() }
    }

    /// Bytes waiting below which a paced sender goes on.
    private static let low = 64 << 10

    /// Runs `action` once nearly everything is written, never from inside this call.
    func whenDrained(_ action: @escaping () -> Void) {
        drained.append(action)
        wantFlush()
    }

    /// Writes what the socket takes.
    func flush() {
        isFlushDue = false
        do {
            while closing != .done {
                if written == writing.count {
                    if outbox.isEmpty { break }
                    writing = outbox.take(64 << 10, &chunkWriter)
                    written = 0
                }
                guard let n = try System.send(socket.raw, writing, from: written) else { break }
                written += n
                if written == writing.count {
                    writing = []
                    written = 0
                }
            }
        } catch { return close() }
        let isEmpty = outbox.isEmpty && writing.isEmpty
        if isEmpty && (closing == .afterFlush || (hasEnded && unanswered.isEmpty && !hasMoreLines)) {
            return close()
        }
        if hasMoreLines && !isTakeDue && waitingBytes < limits.outbox / 4 {
            isTakeDue = true
            loop.after(milliseconds: 0) { [weak self] in self?.takeLines() }
        }
        if waitingBytes < Connection.low && !drained.isEmpty {
            let actions = drained
            drained = []
            // On the next turn, so that one client with much to read does not hold up the others.
            loop.after(milliseconds: 0) { for action in actions { action() } }
        }
        watch()
    }

    // MARK: In

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writing) { flush() }
        if readiness.contains(.reading) && closing == .no && !hasEnded && !isReadingPaused { read() }
        if !readiness.isDisjoint(with: .closed) && (hasEnded || !readiness.contains(.reading)) { close() }
    }

    private func read() {
        let got: Int?
        do {
            got = try framer.fill { (buffer) throws(PosixError) in
                try System.read(socket.raw, into: &buffer, most: 64 << 10)
            }
        } catch { return close() }
        guard let got else { return }
        if got == 0 {
            hasEnded = true
            framer.terminate()
        }
        takeLines()
    }

    /// Handles the lines that are there, until the client must wait for its own answers.
    private func takeLines() {
        isTakeDue = false
        hasMoreLines = false
        while closing == .no, let output = nextLine() { take(output) }
        if hasEnded { wantFlush() }  // which closes when nothing is left to answer
        watch()
    }

    private func nextLine() -> LineFramer.Output? {
        if waitingBytes >= limits.outbox / 2 {
            hasMoreLines = true
            return nil
        }
        return framer.next()
    }

    private func wantFlush() {
        if isFlushDue { return }
        isFlushDue = true
        owner?.wantsFlush(self)
    }

    private func take(_ output: LineFramer.Output) {
        switch output {
        case .line(let bytes): owner?.received(bytes, self)
        case .tooLong:
            let message =
                "a line may have \(limits.line) bytes, this one has more; its rest is skipped up to the next newline"
            send(Outgoing.failure(.null, WireError(.lineTooLong, message)))
        }
    }

    /// Notes a request that will be answered; false when its ID is in use.
    func expectAnswer(_ id: RequestID) -> Bool { unanswered.insert(id).inserted }

    /// The request is answered by the next line that is sent.
    func forget(_ id: RequestID) {
        unanswered.remove(id)
        if hasEnded && unanswered.isEmpty { wantFlush() }
    }

    private func watch() {
        guard closing != .done else { return }
        let isFull = waitingBytes >= limits.outbox / 2
        isReadingPaused = isFull
        var wanted: Readiness = hasEnded || isFull || closing == .afterFlush ? [] : .reading
        if !outbox.isEmpty || !writing.isEmpty { wanted.insert(.writing) }
        if wanted != watched {
            watched = wanted
            do { try loop.change(socket.raw, wanted) } catch { return close() }
        }
    }

    /// Sends a last line and closes once it is written.
    func closeAfter(_ line: [UInt8]) {
        send(line)
        closing = .afterFlush
        flush()
    }

    /// Closes now; what waits is lost.
    func close() {
        guard closing != .done else { return }
        closing = .done
        loop.unwatch(socket.raw)
        UnixSocket.shutdown(socket.raw)
        outbox.clear()
        drained = []
        owner?.closed(self)
    }
}

/// Who a connection belongs to.
protocol ConnectionOwner: AnyObject {
    func received(_ line: [UInt8], _ connection: Connection)
    func closed(_ connection: Connection)
    func wantsFlush(_ connection: Connection)
}
