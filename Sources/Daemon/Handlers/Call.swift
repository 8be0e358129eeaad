internal import JSON
internal import Protocol

/// One request that is being worked on; it is answered exactly once.
final class Call {
    let id: RequestID
    let connection: Connection
    let method: Method
    /// What it was asked with; gone once its handler has read it, since it may be large and a turn long.
    private(set) var params: JSONView?
    /// What to do when the client cancels the request; nil when it cannot be.
    var onCancel: (() -> Void)?

    private let answer: (Result<[UInt8], WireError>) -> Void
    private let settle: (_ hasBegun: Bool) -> Void
    /// Why it is not begun any more; nil when it may be.
    var refusal: () -> WireError? = { nil }
    private(set) var isAnswered = false
    /// Whether its handler was called; before that it waits for others, and holds up nobody.
    var hasBegun = false
    private var isSettled = false
    /// Looks into the archive that it waits for before it does what it was asked; see `Handlers.looking`.
    private var looks = 0
    /// Whether it waits for such a look, so that its client's next requests wait for it.
    var isLooking: Bool { looks > 0 }
    /// Called when it waits for none any more.
    var looked: (() -> Void)?
    /// Bytes that its client holds until it is settled, or dropped.
    private let size: Int

    init(
        _ id: RequestID, _ method: Method, _ params: JSONView?, _ connection: Connection, size: Int = 0,
        settle: @escaping (_ hasBegun: Bool) -> Void,
        answer: @escaping (Result<[UInt8], WireError>) -> Void
    ) {
        self.id = id
        self.method = method
        self.params = params
        self.connection = connection
        self.size = size
        self.settle = settle
        self.answer = answer
        connection.hold(size)
    }

    deinit { if !isSettled { connection.letGo(size) } }

    /// Answers the request; a second answer is a bug.
    func reply(_ result: Result<[UInt8], WireError>) {
        precondition(!isAnswered, "a request is answered once")
        isAnswered = true
        onCancel = nil
        answer(result)  // ahead of the answers to what it held up
        settled()
    }

    func reply(_ body: (inout JSONWriter) -> Void) { reply(.success(JSONWriter.object(body))) }

    func fail(_ error: WireError) { reply(.failure(error)) }

    /// What the request changes is stored: requests behind it may look at the store.
    func settled() {
        if isSettled { return }
        isSettled = true
        connection.letGo(size)
        settle(hasBegun)
    }

    /// Its handler has read what it was asked.
    func dropParameters() { params = nil }

    /// A look goes out; until it is back the request can be cancelled.
    func beginLook() {
        looks += 1
    }

    /// A look is back, and what follows from it was done.
    func endLook() {
        looks -= 1
        if looks > 0 { return }
        looked.take()?()
    }

    /// The client wants no more of it.
    func cancel() { if isLooking { cancelUnbegun() } else { onCancel?() } }

    /// The client took back what was not begun yet.
    func cancelUnbegun() {
        if isAnswered { return }
        if method.beginsTurn { return reply(.success(TurnAnswers.cancelledUnstored)) }
        fail(WireError(.cancelled, "the request was cancelled before it began"))
    }
}

extension Method {
    /// Whether it begins a turn, which goes on without its client unless that asked otherwise.
    var beginsTurn: Bool {
        switch self {
        case .sessionPrompt, .turnContinue, .turnRetry, .turnStart: true
        default: false
        }
    }

    /// Whether somebody waits for an answer in a conversation: what else is asked may wait a little for that.
    var isConversation: Bool {
        switch self {
        case .cancelRequest, .sessionCancel, .sessionLoad, .sessionPrompt, .sessionResume, .turnCancel,
            .turnContinue, .turnRetry, .turnStart:
            true
        default: false
        }
    }

    /// Whether a client that only observes a session may ask it of that session; all else changes it.
    var isOpenToObservers: Bool {
        switch self {
        case .branchCompare, .branchList, .contextBuild, .contextPreview, .contextReceipt, .export,
            .messageList, .sessionClose, .sessionFind, .sessionFork, .sessionForkOwn, .sessionGet,
            .sessionList, .sessionLoad, .sessionResume, .turnGet, .turnList, .watch:
            true
        // These are about no session.
        case .authenticate, .cancelRequest, .discover, .initialize, .modelList, .serverInfo, .sessionNew,
            .upstreamList, .upstreamTest:
            true
        case .branchDelete, .branchSwitch, .messageAppend, .messageSet, .sessionCancel, .sessionDelete,
            .sessionPrompt, .sessionRestore, .sessionSet, .sessionSetConfigOption, .turnCancel, .turnContinue,
            .turnRetry, .turnSet, .turnStart:
            false
        }
    }

    /// What may pass what on one connection.
    enum Order {
        /// Acts at once, ahead of everything that waits.
        case overtakes
        /// Neither changes nor looks at sessions.
        case free
        /// Changes the store; the writer keeps the order, so several may be on their way.
        case changes
        /// Looks at the store, so it waits until this client's changes are in it.
        case looks
        /// Looks at the store and then changes it: those behind it wait for that.
        case looksAndChanges
    }

    /// Whether it changes the store, so that what looks at the store behind it must wait.
    var isChange: Bool { order == .changes || order == .looksAndChanges }

    var order: Order {
        switch self {
        case .cancelRequest, .sessionCancel, .turnCancel: .overtakes
        case .authenticate, .discover, .initialize, .modelList, .serverInfo, .upstreamList, .upstreamTest:
            .free
        case .messageAppend, .sessionNew: .changes
        case .branchCompare, .branchList, .contextBuild, .contextPreview, .contextReceipt, .export,
            .messageList, .sessionClose, .sessionFind, .sessionGet, .sessionList, .sessionLoad,
            .sessionResume, .turnGet, .turnList, .watch:
            .looks
        case .branchDelete, .branchSwitch, .messageSet, .sessionDelete, .sessionFork, .sessionForkOwn,
            .sessionPrompt, .sessionRestore, .sessionSet, .sessionSetConfigOption, .turnContinue,
            .turnRetry, .turnSet, .turnStart:
            .looksAndChanges
        }
    }
}
