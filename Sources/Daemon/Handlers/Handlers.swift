internal import Archive
internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Store

/// All handlers, by method; each resource has its own file.
final class Handlers {
    let services: Services
    let engine: TurnEngine
    let server: ServerFacts
    let lists: WatchedLists
    private var homes: [UserID: String] = [:]
    init(_ services: Services, engine: TurnEngine, server: ServerFacts, lists: WatchedLists) {
        self.lists = lists
        self.services = services
        self.engine = engine
        self.server = server
    }

    /// Runs a call; what it throws is its answer.
    func handle(_ call: Call) throws(WireError) {
        switch call.method {
        case .branchCompare: try compareBranches(call)
        case .branchDelete: try deleteBranch(call)
        case .branchList: try listBranches(call)
        case .branchSwitch: try switchBranch(call)
        case .messageSet: try setMessage(call)
        case .sessionFork: try forkSession(call, isOwn: false)
        case .sessionForkOwn: try forkSession(call, isOwn: true)
        case .turnContinue: try continueTurn(call)
        case .turnRetry: try retryTurn(call)
        case .turnSet: try setTurn(call)
        case .watch: try watch(call)
        case .authenticate:
            throw .invalid(
                "there are no authentication methods; the socket's peer credentials say who you are")
        case .cancelRequest: break
        case .contextBuild: try buildContext(call)
        case .contextPreview: try previewContext(call)
        case .contextReceipt: try receipt(call)
        case .discover: call.reply(.success(server.description))
        case .export: try export(call)
        case .initialize: try initialize(call)
        case .messageAppend: try appendMessages(call)
        case .messageList: try listMessages(call)
        case .modelList: try listModels(call)
        case .serverInfo: try info(call)
        case .sessionCancel: try cancelSession(call)
        case .sessionClose: try closeSession(call)
        case .sessionDelete: try deleteSession(call)
        case .sessionFind: try findSessions(call)
        case .sessionGet: try getSession(call)
        case .sessionList: try listSessions(call)
        case .sessionLoad: try openSession(call, replaysAll: true)
        case .sessionNew: try newSession(call)
        case .sessionPrompt: try prompt(call)
        case .sessionRestore: try restoreSession(call)
        case .sessionResume: try openSession(call, replaysAll: false)
        case .sessionSet: try setSession(call)
        case .sessionSetConfigOption: try setConfigOption(call)
        case .turnCancel: try cancelTurn(call)
        case .turnGet: try getTurn(call)
        case .turnList: try listTurns(call)
        case .turnStart: try startTurn(call)
        case .upstreamList: try listUpstreams(call)
        case .upstreamTest: try testUpstream(call)
        }
    }

    // MARK: Looks

    /// Goes on with a call once a look for it is back, unless it was cancelled meanwhile; what `body` throws is its answer.
    ///
    /// Until then nothing else of its client begins, so that looks and changes keep their order.
    func looking<Value>(_ call: Call, _ body: @escaping (Value) throws(WireError) -> Void)
        -> (Result<Value, ArchiveError>) -> Void
    {
        call.beginLook()
        return { result in
            defer { call.endLook() }
            if call.isAnswered { return }
            do throws(WireError) {
                switch result {
                case .success(let value): try body(value)
                case .failure(let error): throw WireError(error)
                }
            } catch { if !call.isAnswered { call.fail(error) } }
        }
    }

    /// Looks where a session lives, for a call.
    func look<Read: LocalRead>(
        _ call: Call, _ look: Read, of row: SessionRow,
        _ body: @escaping (Read.Output) throws(WireError) -> Void
    ) {
        services.archives.read(look, of: row, then: looking(call, body))
    }

    /// Rows and bytes of a list that are read and written down on the loop.
    static let short = (rows: 100, bytes: 128 << 10)

    /// Looks for a page of a list, which `map` writes down: a short one on the loop, a longer one away from it.
    ///
    /// `look` makes the look for so many rows and bytes; `isWhole` tells whether what was found is all that was asked for.
    func lookForList<Read: LocalRead, Value: Sendable>(
        _ call: Call, of row: SessionRow, limit: Int, _ look: (_ rows: Int, _ bytes: Int) -> Read,
        isWhole: @escaping (Read.Output) -> Bool, map: @escaping @Sendable (Read.Output) -> Value,
        _ body: @escaping (Value) throws(WireError) -> Void
    ) {
        let bytes = services.configuration.limits.pageBytes, short = Handlers.short
        let whole = look(limit, bytes)
        self.look(call, look(min(limit, short.rows), min(bytes, short.bytes)), of: row) {
            [self] (found) throws(WireError) in
            if isWhole(found) { return try body(map(found)) }
            services.archives.readAway(whole, of: row, map: map, then: looking(call, body))
        }
    }

    /// Finds the session as this client may see it: its own, or for administrators anybody's; and where it only observes it,
    /// only for what observers may ask.
    func withSession(
        _ call: Call, _ id: SessionID, orTrashed: Bool = false,
        _ body: @escaping (SessionRecord) throws(WireError) -> Void
    ) {
        session(id, call, orTrashed: orTrashed) { (found) throws(WireError) in try body(try found.get()) }
    }

    /// The same, where one that is not there is no failure yet.
    func session(
        _ id: SessionID, _ call: Call, orTrashed: Bool = false,
        _ body: @escaping (Result<SessionRecord, WireError>) throws(WireError) -> Void
    ) {
        let connection = call.connection
        services.archives.session(
            id, owner: connection.user, orAnyones: connection.isAdmin,
            then: looking(call) { [self] (found: SessionRecord?) throws(WireError) in
                try body(Result { () throws(WireError) in try seen(found, id, call, orTrashed) })
            })
    }

    private func seen(_ found: SessionRecord?, _ id: SessionID, _ call: Call, _ orTrashed: Bool)
        throws(WireError) -> SessionRecord
    {
        guard let found else { throw .noSession(id) }
        try checkAccess(call, found)
        guard orTrashed || found.session.trashedAt == nil else {
            throw WireError(
                .notFound,
                "session '\(id.text)' is in the trash; '_convod/session/restore' or 'convo restore \(id.text)' brings it back"
            )
        }
        return found
    }

    private func checkAccess(_ call: Call, _ record: SessionRecord) throws(WireError) {
        guard !call.method.isOpenToObservers, services.channels.isObserver(call.connection, of: record.row)
        else { return }
        throw WireError(
            .permissionDenied,
            "this client observes session '\(record.session.id.text)'; resume it with 'role': \"controller\" to change it"
        )
    }

    /// Finds a turn as this client may see it, with its session.
    func withTurn(
        _ call: Call, _ id: TurnID, _ body: @escaping (StoredTurn, SessionRecord) throws(WireError) -> Void
    ) {
        let connection = call.connection
        services.archives.turn(
            id, owner: connection.isAdmin ? nil : connection.user,
            then: looking(call) { [self] (found: TurnFound?) throws(WireError) in
                guard let found else {
                    throw WireError(
                        .notFound, "there is no turn '\(id)'; '_convod/turn/list' shows those of a session")
                }
                try checkAccess(call, found.session)
                try body(found.stored, found.session)
            })
    }

    /// Finds the session as it is while what runs on it is as it is now: neither older nor newer.
    func withSteadySession(
        _ call: Call, _ id: SessionID, _ body: @escaping (SessionRecord) throws(WireError) -> Void
    ) {
        let moves = engine.moves
        withSession(call, id) { [self] (record) throws(WireError) in
            if engine.moves == moves { return try body(record) }
            steady(call, record, body)
        }
    }

    /// Reads a session again until nothing began or ended on it meanwhile.
    func steady(
        _ call: Call, _ record: SessionRecord, _ body: @escaping (SessionRecord) throws(WireError) -> Void
    ) {
        let running = engine.running(on: record.row)?.id
        look(call, SessionByRow(record.row), of: record.row) { [self] (found) throws(WireError) in
            guard let found else { throw .noSession(record.session.id) }
            if engine.running(on: record.row)?.id == running { return try body(found) }
            steady(call, found, body)
        }
    }

    /// Keeps an ID for the store that a session is on its way to; `body` gets the session that has it in the other one, and
    /// must see to it that the second value is called once the session is there, or is not.
    func claim(
        _ call: Call, _ id: SessionID, owner: UserID, isEphemeral: Bool,
        _ body: @escaping (SessionRecord?, _ release: @escaping () -> Void) throws(WireError) -> Void
    ) {
        call.beginLook()
        services.archives.claim(id, owner: owner, isEphemeral: isEphemeral) { result in
            defer { call.endLook() }
            if call.isAnswered {
                if case .success(let claimed) = result { claimed.release() }
                return
            }
            do throws(WireError) {
                let (found, release) = try result.get()
                try body(found, release)
            } catch { if !call.isAnswered { call.fail(error) } }
        }
    }

    /// Where a session of this client lives when it does not say.
    func home(of call: Call) -> String {
        let uid = call.connection.user
        if let known = homes[uid] { return known }
        let home = Process.home(of: uid.number).flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/"
        homes[uid] = home
        return home
    }
}

/// An opaque place in a list: a letter for the kind of list and a number.
enum PageCursor {
    static func text(_ kind: Character, _ number: Int64) -> String { "\(kind)\(String(number, radix: 36))" }

    /// Reads a cursor of this kind, or says that it is none.
    static func number(_ kind: Character, _ text: String?) throws(WireError) -> Int64? {
        guard let text else { return nil }
        guard text.first == kind, let number = Int64(text.dropFirst(), radix: 36) else {
            throw .invalid("'cursor' is not one that this list gave; start again without it")
        }
        return number
    }
}
