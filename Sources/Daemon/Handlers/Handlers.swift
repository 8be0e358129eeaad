internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Protocol
internal import Store
internal import Transcripts

/// What answers the methods; each resource has its own file, with the table of its methods at the top.
final class Handlers {
    let archives: Archives
    let channels: Channels
    let engine: TurnEngine
    let askers: Askers
    let routes: Routes
    let summaries: Summaries
    let configuration: CurrentConfiguration
    let clocks: Clocks
    let ids: IDSource
    let loop: EventLoop
    let server: ServerFacts
    let lists: WatchedLists
    let formats: TranscriptFormats
    let purges = Purges()
    let tally = RequestTally()
    var series = MetricSeries()
    let imports = Imports()
    /// Exports that are under way, and previews that a provider counts.
    let exports = UserShares("exports", most: 8),
        counts = UserShares("previews that a provider counts", most: 4)
    let searches = SearchSlices()
    /// Who waits for a copy, by its path.
    var backups: [String: Request<Method.StoreBackup>] = [:]
    private var homes: [UserID: String] = [:]

    init(
        archives: Archives, channels: Channels, engine: TurnEngine, askers: Askers, routes: Routes,
        summaries: Summaries, configuration: CurrentConfiguration, clocks: Clocks, ids: IDSource,
        loop: EventLoop,
        server: ServerFacts, lists: WatchedLists, formats: TranscriptFormats
    ) {
        self.archives = archives
        self.channels = channels
        self.engine = engine
        self.askers = askers
        self.routes = routes
        self.summaries = summaries
        self.configuration = configuration
        self.clocks = clocks
        self.ids = ids
        self.loop = loop
        self.server = server
        self.lists = lists
        self.formats = formats
        archives.purged = { [purges] in purges.purged($0, $1) }
    }

    /// Every method's handler; a test holds it against `Method.allCases`.
    ///
    /// It is put together from the resources' own tables, so that a new method is written in one file of this target.
    static let table: [Method: Handler] = {
        let all =
            branches + checking + context + export + finding + importing + measuring + messages + opening
            + purging
            + searching
            + serving
            + sessions
            + summarizing + turns + upstreams + usage + watching
        return Dictionary(all.map { ($0.contract.method, $0) }) { first, _ in
            preconditionFailure("'\(first.contract.method.rawValue)' has two handlers")
        }
    }()

    /// Runs a call; what it throws is its answer.
    func handle(_ call: Client.Call) throws(WireError) {
        guard let handler = Handlers.table[call.method] else {
            throw WireError(.methodNotFound, "there is no method '\(call.method.rawValue)'")
        }
        try archives.asking(for: call.client.user) { () throws(WireError) in try handler.run(self, call) }
    }

    // MARK: Looks

    /// Goes on with a call once a look for it is back, unless it was cancelled meanwhile; what `body` throws is its answer.
    ///
    /// Until then nothing behind it that is about the same begins, so that looks and changes keep their order.
    func looking<Value>(_ call: Client.Call, _ body: @escaping (Value) throws(WireError) -> Void)
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
        _ call: Client.Call, _ look: Read, of row: SessionRow,
        _ body: @escaping (Read.Output) throws(WireError) -> Void
    ) {
        archives.read(look, of: row, then: looking(call, body))
    }

    /// Rows and bytes of a list that are read and written down on the loop.
    static let short = (rows: 100, bytes: 128 << 10)

    /// Looks for a page of a list, which `map` writes down: a short one on the loop, a longer one away from it.
    ///
    /// `look` makes the look for so many rows and bytes; `isWhole` tells whether what was found is all that was asked for.
    func lookForList<Read: LocalRead, Value: Sendable>(
        _ call: Client.Call, of row: SessionRow, limit: Int, _ look: (_ rows: Int, _ bytes: Int) -> Read,
        isWhole: @escaping (Read.Output) -> Bool, map: @escaping @Sendable (Read.Output) -> Value,
        _ body: @escaping (Value) throws(WireError) -> Void
    ) {
        let bytes = configuration.limits.pageBytes, short = Handlers.short
        let whole = look(limit, bytes)
        self.look(call, look(min(limit, short.rows), min(bytes, short.bytes)), of: row) {
            [self] (found) throws(WireError) in
            if isWhole(found) { return try body(map(found)) }
            archives.readAway(whole, of: row, map: map, then: looking(call, body))
        }
    }

    /// Finds the session as this client may see it: its own, or for administrators anybody's; and where it only observes it,
    /// only for what observers may ask.
    func withSession(
        _ call: Client.Call, _ id: SessionID, orTrashed: Bool = false,
        _ body: @escaping (SessionRecord) throws(WireError) -> Void
    ) {
        session(id, call, orTrashed: orTrashed) { (found) throws(WireError) in try body(try found.get()) }
    }

    /// The same, where one that is not there is no failure yet.
    func session(
        _ id: SessionID, _ call: Client.Call, orTrashed: Bool = false,
        _ body: @escaping (Result<SessionRecord, WireError>) throws(WireError) -> Void
    ) {
        archives.session(
            id, owner: call.client.user, orAnyones: call.client.seesAll,
            then: looking(call) { [self] (found: SessionRecord?) throws(WireError) in
                try body(Result { () throws(WireError) in try seen(found, id, call, orTrashed) })
            })
    }

    /// A session that was found, where the caller may see it; those in the trash only where they are asked for.
    func seen(_ found: SessionRecord?, _ id: SessionID, _ call: Client.Call, _ orTrashed: Bool)
        throws(WireError) -> SessionRecord
    {
        guard let found else { throw .noSession(id) }
        call.isAbout(found.session)
        try checkAccess(call, found)
        guard orTrashed || found.session.trashedAt == nil else {
            throw WireError(
                .notFound,
                "session '\(id.text)' is in the trash; '_convod/session/restore' or 'convo restore \(id.text)' brings it back"
            )
        }
        return found
    }

    private func checkAccess(_ call: Client.Call, _ record: SessionRecord) throws(WireError) {
        guard call.method.contract.callers == .controllers, call.client.isObserver(of: record.row) else {
            return
        }
        throw Handlers.observes(record.session.id)
    }

    static func observes(_ id: SessionID) -> WireError {
        WireError(
            .permissionDenied,
            "this client observes session '\(id.text)'; resume it with 'role': \"controller\" to change it")
    }

    /// Finds a turn as this client may see it, with its session.
    func withTurn(
        _ call: Client.Call, _ id: TurnID,
        _ body: @escaping (StoredTurn, SessionRecord) throws(WireError) -> Void
    ) {
        archives.turn(
            id, owner: call.client.seesAll ? nil : call.client.user,
            then: looking(call) { [self] (found: TurnFound?) throws(WireError) in
                guard let found else {
                    throw WireError(
                        .notFound, "there is no turn '\(id)'; '_convod/turn/list' shows those of a session")
                }
                call.isAbout(found.session.session)
                try checkAccess(call, found.session)
                try body(found.stored, found.session)
            })
    }

    /// Finds the session as it is while what runs on it is as it is now: neither older nor newer.
    func withSteadySession(
        _ call: Client.Call, _ id: SessionID, _ body: @escaping (SessionRecord) throws(WireError) -> Void
    ) {
        let moves = engine.moves
        withSession(call, id) { [self] (record) throws(WireError) in
            if engine.moves == moves { return try body(record) }
            steady(call, record, body)
        }
    }

    /// Reads a session again until nothing began or ended on it meanwhile.
    func steady(
        _ call: Client.Call, _ record: SessionRecord,
        _ body: @escaping (SessionRecord) throws(WireError) -> Void
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
        _ call: Client.Call, _ id: SessionID, owner: UserID, isEphemeral: Bool,
        _ body: @escaping (SessionRecord?, _ release: @escaping () -> Void) throws(WireError) -> Void
    ) {
        call.beginLook()
        archives.claim(id, owner: owner, isEphemeral: isEphemeral) { result in
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
    func home(of client: Client) -> String {
        if let known = homes[client.user] { return known }
        let home = Process.home(of: client.user.number).flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/"
        homes[client.user] = home
        return home
    }
}
