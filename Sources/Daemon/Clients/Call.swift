internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions

extension Client {
    /// One request that is being worked on; it is answered exactly once.
    final class Call {
        /// Where it stands among its client's requests.
        enum Stage {
            /// It waits for others before it.
            case waiting
            /// Its handler was called.
            case begun
            /// What it changes is stored: requests behind it may look at the store.
            case settled
        }

        let id: RequestID
        let client: Client
        let method: Method
        /// What it was asked with; gone once its handler has read it, since it may be large and a turn long.
        private(set) var params: JSONView?
        /// What to do when the client cancels the request; nil when it cannot be.
        var onCancel: (() -> Void)?
        /// Why it is not begun any more; nil when it may be.
        var refusal: () -> WireError? = { nil }
        /// Its number among those that wait for each other.
        var number: RequestLanes.Number?
        private(set) var isAnswered = false
        private(set) var stage = Stage.waiting
        /// The session that it turned out to be about; nil where it is about none, or was refused before.
        private(set) var session: (id: SessionID, owner: UserID, isEphemeral: Bool)?
        private let answer: (Call, Result<[UInt8], WireError>) -> Void
        /// Looks into the archive that it waits for before it does what it was asked; see `Handlers.looking`.
        private var looks = 0
        /// Bytes that its client holds until it is settled, or dropped.
        private let size: Int

        init(
            _ id: RequestID, _ method: Method, _ params: JSONView?, _ client: Client, size: Int = 0,
            answer: @escaping (Call, Result<[UInt8], WireError>) -> Void
        ) {
            self.id = id
            self.method = method
            self.params = params
            self.client = client
            self.size = size
            self.answer = answer
            client.link.hold(size)
        }

        deinit { if stage != .settled { client.link.letGo(size) } }

        /// Whether it waits for a look, so that what is behind it waits for it.
        var isLooking: Bool { looks > 0 }
        /// Whether nothing of it was done yet that could not be taken back.
        var isUnbegun: Bool { stage == .waiting || isLooking }

        /// Notes which session it is about.
        func isAbout(_ session: Session) { self.session = (session.id, session.owner, session.isEphemeral) }

        /// Answers the request; a second answer is a bug.
        func reply(_ result: Result<[UInt8], WireError>) {
            precondition(!isAnswered, "a request is answered once")
            isAnswered = true
            onCancel = nil
            // Ahead of the answers to what it held up, but where an operator's change must be in the audit first.
            answer(self, result)
            settled()
        }

        func fail(_ error: WireError) { reply(.failure(error)) }

        /// Its handler is called now.
        func begin() {
            stage = .begun
            onCancel = nil
        }

        /// What the request changes is stored: requests behind it may look at the store.
        func settled() {
            if stage == .settled { return }
            stage = .settled
            client.link.letGo(size)
            // One that still looks holds the others up until that look is back.
            guard let number, !isLooking else { return }
            client.waiting[number] = nil
            client.lanes.settled(number)
            release()
        }

        /// Its handler has read what it was asked.
        func dropParameters() { params = nil }

        /// A look goes out; until it is back the request can be cancelled.
        func beginLook() { looks += 1 }

        /// A look is back, and what follows from it was done.
        func endLook() {
            looks -= 1
            if looks == 0 { looked() }
        }

        /// It waits for no look any more: what is behind it may look too.
        func looked() {
            dropParameters()
            guard let number else { return }
            if stage == .settled { client.lanes.settled(number) } else { client.lanes.looked(number) }
            release()
        }

        /// Others may begin now that waited for it.
        private func release() { if client.hasWaiting { client.link.release() } }

        /// The client wants no more of it.
        func cancel() { if isLooking { cancelUnbegun() } else { onCancel?() } }

        /// The client took back what was not begun yet.
        func cancelUnbegun() {
            if isAnswered { return }
            if method.contract.beginsTurn { return reply(.success(TurnAnswers.cancelledUnstored)) }
            fail(WireError(.cancelled, "the request was cancelled before it began"))
        }
    }
}
