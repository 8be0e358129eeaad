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
    private var homes: [UInt32: String] = [:]
    /// Sessions that are on their way to a store, and how many requests bring them there.
    var claims: [Claim: (isEphemeral: Bool, count: Int)] = [:]

    /// A session that an ID of a user's names.
    struct Claim: Hashable {
        let id: SessionID
        let owner: UInt32
    }

    init(_ services: Services, engine: TurnEngine, server: ServerFacts) {
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

    /// The session as this client may see it: its own, or for administrators anybody's; and where it only observes it, only
    /// for what observers may ask.
    func session(_ id: SessionID, _ call: Call, orTrashed: Bool = false) throws(WireError) -> SessionRecord {
        let uid = call.connection.peer.uid
        var found: SessionRecord?
        do throws(StoreError) {
            for reader in [services.memory?.reader, services.store.reader].compactMap(\.self)
            where found == nil {
                found = try reader.session(id, owner: uid)
                if found == nil && call.connection.isAdmin { found = try reader.session(id) }
            }
        } catch { throw WireError(error) }
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

    /// A turn as this client may see it, with its session.
    func turn(_ id: TurnID, _ call: Call) throws(WireError) -> (StoredTurn, SessionRecord) {
        var found: (StoredTurn, SessionRecord)?
        do throws(StoreError) {
            for reader in [services.memory?.reader, services.store.reader].compactMap(\.self)
            where found == nil {
                // Another's turn costs what none costs: it is not read before it is known whose it is.
                guard let owner = try reader.owner(ofTurn: id),
                    owner == call.connection.peer.uid || call.connection.isAdmin
                else { continue }
                if let stored = try reader.turn(id), let session = try reader.session(row: stored.sessionRow)
                {
                    found = (stored, session)
                }
            }
        } catch { throw WireError(error) }
        if let found {
            try checkAccess(call, found.1)
            return found
        }
        throw WireError(.notFound, "there is no turn '\(id)'; '_convod/turn/list' shows those of a session")
    }

    /// Where a session of this client lives when it does not say.
    func home(of call: Call) -> String {
        let uid = call.connection.peer.uid
        if let known = homes[uid] { return known }
        let home = Process.home(of: uid).flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/"
        homes[uid] = home
        return home
    }

    /// Reads the store for a call.
    func read<Value>(_ body: (Reader) throws(StoreError) -> Value) throws(WireError) -> Value {
        do { return try body(services.store.reader) } catch { throw WireError(error) }
    }

    /// Reads the store that a session lives in.
    func read<Value>(_ record: SessionRecord, _ body: (Reader) throws(StoreError) -> Value)
        throws(WireError) -> Value
    {
        do { return try body(services.store(of: record.row).reader) } catch { throw WireError(error) }
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
