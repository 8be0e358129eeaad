internal import Conversation
internal import EventLoop
internal import Posix
internal import Protocol

/// One client's socket: its lines in, its bounded lines out.
final class Connection: ClientLink {
    /// Bytes from which on a line waits for its turn; a commit of as many takes some of a millisecond.
    static let large = 16 << 10
    /// Nanoseconds for one client at a time, and those while others wait for theirs; a single request may take longer.
    private static let slice: UInt64 = 500_000, shortSlice: UInt64 = 100_000

    /// Names the connection in logs and lists.
    let number: Int
    let peer: Peer

    /// Closed with the connection, not with the last turn that somebody waited for over it.
    private var socket: Descriptor?
    private let fd: Int32
    private let loop: EventLoop
    private var limits: Limits
    private weak var owner: (any Owner)?
    private var framer: LineFramer
    private var outbox = Outbox()
    private var writing: [UInt8] = []
    private var written = 0
    private var chunkWriter = ChunkWriter()
    /// Whether what was written last was not the end of a line.
    private var isMidLine = false
    private var watched: Readiness = .reading
    private var isFlushDue = false
    /// A long line that waits for its turn, and one whose turn has come.
    private var setAside: [UInt8]?
    private var admitted: [UInt8]?
    /// Long lines that are worked on.
    private var largeLines = 0
    /// What was taken and put off: entries of a batch, and requests that are no part of a conversation.
    private var steps = Fifo<() -> Void>()
    /// Whether there may be something to take: lines, entries, or requests that were held up.
    private var hasMore = false
    private var taking = Taking.nothing
    private var state = State.serving
    private var drained: [() -> Void] = []
    /// Bytes of requests that are being worked on.
    private var heldBytes = 0
    /// Sessions that it sees.
    private var joined = 0
    /// Bytes of what it brought along for its sessions.
    private var keptBytes = 0
    /// About the bytes that a session takes for each client that sees it.
    private static let joinedBytes = 256
    /// Bytes that the client costs: half lines, requests that are not done, answers that it has not read, sessions that it
    /// sees.
    private(set) var cost = 0
    /// Whether it is one of the daemon's clients, whose costs count.
    var isCounted = false
    /// Whether it stands in the line of those that have more to do; see `TakingTurns`.
    var isInLine = false

    /// What of what the client sent is being done now.
    private enum Taking {
        case nothing
        case lines
        /// What was put off too; else it waits for a turn of its own.
        case linesAndSteps
    }

    /// How far it has come; it only goes on.
    private enum State {
        case serving
        /// The client sends nothing more, and gets what it asked for.
        case finishing
        /// It gets what waits, and is closed.
        case flushing
        case closed
    }

    /// Whether it was read no further when that was looked at last, since others need the room.
    private(set) var waitsForRoom = false
    /// Lines that were no messages, one behind the other, since the last that was one.
    private var nonsense = 0
    /// How many of those make a client one that is heard behind the others, and how many bytes of a line without its end.
    private static let mostNonsense = 4, longLine = 64 << 10

    /// Whether the client is answered still.
    private var isServing: Bool { state == .serving || state == .finishing }

    init(
        _ socket: consuming Descriptor, number: Int, peer: Peer, loop: EventLoop, limits: Limits,
        owner: any Owner
    ) {
        fd = socket.raw
        self.socket = .some(consume socket)
        self.number = number
        self.peer = peer
        self.loop = loop
        self.limits = limits
        self.owner = owner
        framer = LineFramer(limit: limits.line)
    }

    /// Holds it to other limits from now on.
    func hold(to limits: Limits) {
        self.limits = limits
        framer.limit = limits.line
    }

    var isOpen: Bool { state != .closed }
    var waitingBytes: Int { outbox.bytes + writing.count - written }

    /// Starts listening to the client.
    func begin() throws(PosixError) {
        try loop.watch(fd, .reading) { [unowned self] in ready($0) }
    }

    // MARK: Out

    /// Queues a line.
    ///
    /// What a client asked for is never dropped; a push to a client that does not read ends it.
    func send(_ line: [UInt8], isPush: Bool) {
        guard isServing else { return }
        outbox.add(line)
        queued(isPush: isPush)
    }

    /// Queues a piece of an answer; it may be merged with those that wait.
    ///
    /// A replay's pieces were asked for.
    func send(_ chunk: Chunk, isPush: Bool) {
        guard isServing else { return }
        outbox.add(chunk)
        queued(isPush: isPush)
    }

    private func queued(isPush: Bool) {
        if isPush && outbox.bytes > limits.outbox {
            flush()  // one oversized line may be on its way beside those that wait
            if outbox.bytes > limits.outbox {
                return closeForGood(
                    WireError(
                        .overloaded,
                        "this client reads too slowly: more than \(limits.outbox) bytes waited; reconnect and resume with a cursor"
                    ))
            }
        }
        wantFlush()
    }

    /// Gives up on a client: it is told why in one line, given a second, and closed.
    ///
    /// What it held is free at once.
    func closeForGood(_ error: WireError) {
        guard isServing else { return }
        // First, since what is dropped lets go of what it holds, and nothing is to go on by that.
        state = .flushing
        outbox.clear()
        framer = LineFramer(limit: limits.line)
        steps.removeAll()
        if writing.count - written > Connection.little {
            // A line so long is not written to its end for one who does not read; its newline is, so that the next one
            // is whole.
            writing = [0x0A]
            written = 0
        } else if writing.isEmpty ? isMidLine : writing.last != 0x0A {
            writing.append(0x0A)  // the rest of a line in pieces is gone
        }
        outbox.add(Outgoing.notification("_convod/closing", error.asParameters))
        account()
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

    /// Bytes that are written at once when the socket takes them; more waits for its turn.
    private static let little = 8 << 10
    /// Bytes that are written at one time at most, so that one who reads fast does not hold up the others.
    private static let mostAtOnce = 256 << 10

    /// Writes what the socket takes.
    func flush() {
        isFlushDue = false
        var room = Connection.mostAtOnce
        do {
            while state != .closed, room > 0 {
                if written == writing.count {
                    if outbox.isEmpty { break }
                    writing = outbox.take(64 << 10, &chunkWriter)
                    written = 0
                }
                guard let n = try System.send(fd, writing, from: written) else {
                    dropWritten()
                    break
                }
                written += n
                room -= n
                if written == writing.count {
                    isMidLine = writing.last != 0x0A
                    writing = []
                    written = 0
                }
            }
        } catch { return close() }
        account()
        let isEmpty = outbox.isEmpty && writing.isEmpty
        if isEmpty && (state == .flushing || state == .finishing && !isAwaited && !hasMore) {
            return close()
        }
        if hasMore && waitingBytes < limits.outbox / 4 { mayGoOn() }
        if waitingBytes < Connection.low && !drained.isEmpty {
            let actions = drained
            drained = []
            // On the next turn, so that one client with much to read does not hold up the others.
            loop.after(milliseconds: 0) { for action in actions { action() } }
        }
        watch()
    }

    /// Frees what the socket took of a long line whose rest must wait; what is copied for that is less than what was sent.
    private func dropWritten() {
        guard written >= Connection.low, written >= writing.count - written else { return }
        writing = Array(writing[written...])
        written = 0
    }

    // MARK: In

    /// The long line that waits may be taken, of so many bytes; nil where there is none.
    func admit() -> Int? {
        guard isServing, let line = setAside.take() else { return nil }
        admitted = line
        mayGoOn()
        return line.count
    }

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writing) {
            // Who has much to read gets it in its turn, as who has much to ask.
            if waitingBytes <= Connection.little || owner?.isNext(self, isPutOff: true) ?? false {
                flush()
            } else {
                watch()  // it is ready all the time until then
            }
        }
        if readiness.contains(.reading) && state == .serving {
            if !isBraked && !isHolding && owner?.isNext(self, isPutOff: isNoise) ?? false {
                serve(runsSteps: true)
            } else {
                watch()
            }
        }
        if !readiness.isDisjoint(with: .closed) && (state == .finishing || !readiness.contains(.reading)) {
            close()
        }
    }

    /// Whether nothing more is taken from the client for now: it must read, or leave room for others.
    private var isBraked: Bool {
        waitsForRoom = owner?.isOverBudget(self) ?? false
        return waitsForRoom || waitingBytes >= limits.outbox / 2
    }

    /// Whether no further line is begun until some of those that were are stored or answered.
    private var isHolding: Bool {
        setAside != nil || heldBytes >= limits.unstored || heldBytes > 0 && owner?.isHoldingMuch ?? false
    }

    /// Whether something of what is there may be done: what has begun lets go of what it holds only by going on.
    private var mayDoMore: Bool {
        !isBraked && (!isHolding || !steps.isEmpty || owner?.hasWaiting(self) ?? false)
    }

    /// Writes and takes what is there for a slice of time: first what was taken and had to wait, then what the socket
    /// holds; with `runsSteps` also what was put off.
    func serve(runsSteps: Bool) {
        if state == .flushing { return flush() }
        guard isServing else { return }
        let start = loop.now
        if watched.contains(.writing) { flush() }
        guard isServing else { return }
        takeLines(from: start, runsSteps: runsSteps)
        if !hasMore && state == .serving && !isBraked && !isHolding {
            read()
            takeLines(from: start, runsSteps: runsSteps)
        }
        if state == .finishing { wantFlush() }  // which closes when nothing is left to answer
        // Here, so that what a long answer costs counts to the slice of who asked for it.
        if isFlushDue { flush() } else { watch() }
    }

    private func read() {
        let got: Int?
        do {
            let room = framer.room
            got = try framer.fill { (buffer) throws(PosixError) in
                try System.read(fd, into: &buffer, most: room)
            }
        } catch { return close() }
        account()
        guard let got else { return }
        if got == 0 {
            state = .finishing
            framer.terminate()
        }
    }

    /// Handles what is there until the slice is over or the client must wait.
    private func takeLines(from start: UInt64, runsSteps: Bool) {
        guard taking == .nothing else { return }
        taking = runsSteps ? .linesAndSteps : .lines
        hasMore = true
        let slice = owner?.isCrowded ?? false ? Connection.shortSlice : Connection.slice
        while isServing, !isBraked, loop.now &- start < slice {
            if owner?.takesWaiting(self) ?? false { continue }
            if !steps.isEmpty {
                guard runsSteps, let step = steps.popFirst() else { break }
                step()
            } else if let line = admitted.take() {
                receive(line)
            } else if isHolding {
                break
            } else if let output = framer.next() {
                take(output)
            } else {
                hasMore = false
                break
            }
        }
        taking = .nothing
        // Where nothing is left the slice was long enough.
        if hasMore && steps.isEmpty && framer.pending == 0 && setAside == nil && admitted == nil {
            hasMore = owner?.hasWaiting(self) ?? false
        }
        account()
        if hasMore && isServing && mayDoMore { owner?.hasMore(self, isPutOff: !steps.isEmpty || isNoise) }
    }

    /// Something that was waited for is there: the client's next requests may be looked at.
    func mayGoOn() {
        guard taking == .nothing, isServing else { return }
        guard hasMore && mayDoMore else { return watch() }
        owner?.hasMore(self, isPutOff: !steps.isEmpty || isNoise)
    }

    /// Requests that were held up may run now, at once where the client is not being served already.
    func release() {
        hasMore = true
        if taking == .nothing { takeLines(from: loop.now, runsSteps: true) }
    }

    /// Puts something off; it is done in its order among what the client sent, before its next line is looked at.
    func add(step: @escaping () -> Void) { steps.append(step) }

    private func wantFlush() {
        if isFlushDue { return }
        isFlushDue = true
        owner?.wantsFlush(self)
    }

    private func receive(_ line: [UInt8]) {
        guard line.count >= Connection.large else { return owner?.received(line, self) ?? () }
        largeLines += 1
        let held = heldBytes, inWork = largeLines
        owner?.received(line, self)
        // One that nobody works on is done.
        if heldBytes <= held && largeLines == inWork { endLarge() }
    }

    private func endLarge() {
        largeLines -= 1
        owner?.largeEnded()
    }

    private func take(_ output: LineFramer.Output) {
        switch output {
        case .line(let bytes):
            if owner?.mayTake(bytes.count, of: self) ?? true { receive(bytes) } else { setAside = bytes }
        case .tooLong:
            heard(isMessage: false)
            let message =
                "a line may have \(limits.line) bytes, this one has more; its rest is skipped up to the next newline"
            send(Outgoing.failure(.null, WireError(.lineTooLong, message)), isPush: false)
        }
    }

    /// Whether a request that is no part of a conversation is put off now, so that others' conversations go on.
    var putsOff: Bool { taking != .linesAndSteps && (owner?.isCrowded ?? false) }

    /// Whether it has requests without an answer.
    private var isAwaited: Bool { owner?.isAwaited(self) ?? false }

    func heard(isMessage: Bool) { nonsense = isMessage ? 0 : nonsense + 1 }

    /// Whether it has said nothing that anybody understands for long: where it is crowded, those who talk are heard before.
    private var isNoise: Bool {
        nonsense >= Connection.mostNonsense || framer.isSkipping
            || !hasMore && framer.pending >= Connection.longLine
    }

    func answered(isLast: Bool) { if state == .finishing && isLast { wantFlush() } }

    func joined(by change: Int) {
        joined += change
        account()
    }

    func kept(by change: Int) {
        keptBytes += change
        account()
    }

    /// A request of so many bytes is being worked on.
    func hold(_ bytes: Int) {
        heldBytes += bytes
        owner?.heldChanged(by: bytes)
    }

    /// It is stored or answered.
    func letGo(_ bytes: Int) {
        let wasHolding = isHolding
        heldBytes -= bytes
        owner?.heldChanged(by: -bytes)
        if bytes >= Connection.large && largeLines > 0 { endLarge() }
        if state == .closed { return }
        account()
        if wasHolding && !isHolding { mayGoOn() }
    }

    /// Tells the budget what the client costs by now.
    private func account() {
        // Who is being closed is about to leave its sessions.
        let sees = isServing ? joined * Connection.joinedBytes : 0
        let waitingLine = (setAside?.count ?? 0) + (admitted?.count ?? 0)
        let unread = outbox.bytes + writing.count  // of a line in halves the first one is still there
        let now = state == .closed ? 0 : framer.capacity + heldBytes + keptBytes + unread + sees + waitingLine
        let change = now - cost
        guard change != 0, isCounted else { return }
        cost = now
        owner?.costChanged(self, by: change)
    }

    private func watch() {
        guard state != .closed else { return }
        let isPaused = state != .serving || isInLine || isBraked || isHolding
        var wanted: Readiness = isPaused ? [] : .reading
        if !isInLine && (!outbox.isEmpty || !writing.isEmpty) { wanted.insert(.writing) }
        if wanted != watched {
            watched = wanted
            do { try loop.change(fd, wanted) } catch { return close() }
        }
    }

    /// Sends a last line and closes once it is written.
    func closeAfter(_ line: [UInt8]) {
        send(line, isPush: false)
        state = .flushing
        flush()
    }

    /// Closes now; what waits is lost.
    func close() {
        guard state != .closed else { return }
        state = .closed
        loop.unwatch(fd)
        UnixSocket.shutdown(fd)
        socket = nil
        outbox.clear()
        writing = []
        written = 0
        framer = LineFramer(limit: limits.line)
        steps.removeAll()
        setAside = nil
        admitted = nil
        drained = []
        owner?.closed(self)
    }
}
