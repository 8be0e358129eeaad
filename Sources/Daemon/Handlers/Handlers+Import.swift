internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Store
internal import Transcripts
internal import Upstream

extension Handlers {
    static let importing: [Handler] = [.on(Method.Import.self) { $0.importRecords }]

    private func importRecords(_ request: Request<Method.Import>) throws(WireError) {
        let parameters = request.parameters
        guard let id = parameters.importID else { return try beginImport(request) }
        guard let run = imports.running[id], run.client == request.client.number, !run.isBusy else {
            throw WireError(
                .notFound,
                "there is no import '\(id.prefix(60))' of this client, or a call of it is under way")
        }
        let items = try run.read(parameters.records[...], from: 1)
        store(items, run, request)
    }

    private func beginImport(_ request: Request<Method.Import>) throws(WireError) {
        let parameters = request.parameters, user = request.client.user
        let open = imports.count(of: user)
        if open >= Imports.most {
            throw WireError(
                .busy,
                "\(open) imports of user \(user) have not ended, \(Imports.most) are allowed; end one, or wait two minutes behind its last call"
            )
        }
        let run = ImportRun(client: request.client.number, id: (ids.newID() as MessageID).description)
        guard case .session(var session, let head)? = try run.record(parameters.records[0], 1) else {
            throw .invalid("'records' must begin with a record of type 'session'")
        }
        session.owner = request.client.user
        // What only administrators may set is not brought along by others.
        if !request.client.isAdmin { session.settings.quota = nil }
        // One that an older version made out of a prompt may be longer.
        while let title = session.title, title.utf8.count > Limits.title {
            session.title = String(title.dropLast())
        }
        try Handlers.check(session, configuration.limits)
        run.session = session
        let items = try run.read(parameters.records.dropFirst(), from: 2)
        let then = looking(request.call) { [self] (begun: BeginImport.Output) in
            switch begun {
            case .exists(let id, let isTrashed, let isOlder):
                var result = Method.Import.Result(sessionId: id)
                result.exists = true
                if isTrashed { result.trashed = true }
                if isOlder { result.older = true }
                request.reply(result)
            case .begun(let state):
                run.state = state
                guard !parameters.isDryRun else {
                    return request.reply(Method.Import.Result(sessionId: state.name))
                }
                imports.running[run.id] = run
                store(items, run, request)
            }
        }
        imports.beginning[user, default: 0] += 1
        func done(_ result: Result<BeginImport.Output, ArchiveError>) {
            imports.beginning[user, default: 1] -= 1
            if imports.beginning[user] == 0 { imports.beginning[user] = nil }
            if request.call.isAnswered, !parameters.isDryRun, case .success(.begun(let state)) = result {
                // Somebody took it back meanwhile.
                archives.write(AbandonImport(state.row), isEphemeral: false) { _ in }
            }
            then(result)
        }
        archives.readMemory(NamesOf(user), isShort: false) { [archives] found in
            switch found {
            case .success(let taken):
                let begin = BeginImport(
                    session, head: head, isDryRun: parameters.isDryRun, taken: taken ?? [])
                archives.write(begin, isEphemeral: false, then: done)
            case .failure(let error): done(.failure(error))
            }
        }
    }

    /// Holds a session that is read in to what one may have that is made or changed.
    private static func check(_ session: Session, _ limits: Limits) throws(WireError) {
        let settings = session.settings
        let change = JSONWriter.object {
            $0.member("sessionId", session.id.text)
            $0.optional("title", session.title)
            $0.optional("system", session.system)
            $0.optional("model", settings.model)
            $0.optional("upstream", settings.upstream)
            $0.optional("window", raw: settings.window)
            $0.optional("quota", raw: settings.quota)
            $0.optional("metadata", raw: session.metadata)
            $0.key("tags")
            $0.array { for tag in session.tags { $0.string(tag) } }
        }
        let place = JSONWriter.object {
            $0.optional("system", session.appendedSystem)
            $0.member("cwd", session.cwd)
            $0.member("mcpServers", raw: session.mcpServers)
        }
        do throws(WireError) {
            // Both were written here, and what is raw in them was read before.
            var reader = try ParameterReader(try? JSONDocument(change).root)
            _ = try Method.SessionSet.Parameters(&reader, limits)
            try reader.finish()
            if let problem = settings.model.flatMap(ModelName.problem) {
                throw .invalid("'model' \(problem)")
            }
            if let raw = settings.window, let view = try? JSONDocument(raw).root {  // as above
                do { _ = try WindowPolicy().overridden(by: view) } catch { throw .invalid(error.reason) }
            }
            reader = try ParameterReader(try? JSONDocument(place).root)  // as above
            _ = (try reader.system(), try reader.directory(), try reader.mcpServers())
        } catch { throw .invalid("record 1: \(error.message)") }
    }

    private func store(_ items: [ImportItem], _ run: ImportRun, _ request: Request<Method.Import>) {
        guard let state = run.state else { preconditionFailure("a run that began has a state") }
        run.isBusy = true
        run.uses += 1
        let uses = run.uses
        archives.write(ImportRecords(items, state), isEphemeral: false) { [self] result in
            run.isBusy = false
            switch result {
            case .success(let state):
                run.state = state
                if request.parameters.isEnd { return end(run, state, request) }
                var told = Method.Import.Result(state.counts, state.name)
                told.importId = run.id
                request.reply(told)
                loop.after(milliseconds: Imports.patience) { [weak self] in
                    if run.uses == uses { self?.giveUp(run) }
                }
            case .failure(let error):
                giveUp(run)
                request.fail(WireError(error))
            }
        }
    }

    private func end(_ run: ImportRun, _ state: ImportState, _ request: Request<Method.Import>) {
        imports.running[run.id] = nil
        func done(_ result: Result<EndImport.Output, ArchiveError>) {
            switch result {
            case .success(let record?) where record.row != state.row:
                var told = Method.Import.Result(sessionId: record.session.id)
                told.exists = true
                request.reply(told)
            case .success(let record?): request.reply(.init(state.counts, record.session.id))
            case .success(nil): request.fail(WireError(.conflict, "the import was given up; begin again"))
            case .failure(let error):
                archives.write(AbandonImport(state.row), isEphemeral: false) { _ in }
                request.fail(WireError(error))
            }
        }
        // Nothing in memory takes its ID meanwhile.
        archives.claim(state.name, owner: state.owner, isEphemeral: false) { [archives] claimed in
            // What takes it there just now has it, and this is called otherwise.
            let claim = try? claimed.get(), release = claim?.release ?? {}
            archives.readMemory(NamesOf(state.owner), isShort: false) { found in
                switch found {
                case .success(let taken):
                    let write = EndImport(
                        run.session, state, takesCut: request.parameters.takesCut,
                        taken: (taken ?? []).union(claim == nil ? [state.name] : []))
                    archives.write(write, isEphemeral: false) {
                        release()
                        done($0)
                    }
                case .failure(let error):
                    release()
                    done(.failure(error))
                }
            }
        }
    }

    private func giveUp(_ run: ImportRun) {
        guard imports.running.removeValue(forKey: run.id) != nil, let row = run.state?.row else { return }
        archives.write(AbandonImport(row), isEphemeral: false) { _ in }
    }
}

/// Sessions that are being read in.
final class Imports {
    /// Milliseconds between two calls of one.
    static let patience = 120_000
    /// Imports of one user at one time: what of them is left when the daemon ends goes before it starts again.
    static let most = 64
    var running: [String: ImportRun] = [:]
    /// Imports of a user that are being begun.
    var beginning: [UserID: Int] = [:]

    /// Imports of a user that have not ended.
    func count(of user: UserID) -> Int {
        (beginning[user] ?? 0) + running.values.count { $0.session.owner == user }
    }
}

/// One session that is being read in.
final class ImportRun {
    let client: Int
    let id: String
    var session = Session(id: SessionID(ID(high: 0, low: 0)), owner: UserID(0), cwd: "/", createdAt: 0)
    var state: ImportState?
    /// Whether a call of it is under way, and how many there were.
    var isBusy = false
    var uses = 0
    private var decoder = TranscriptFormat.jsonl.decoder?()

    init(client: Int, id: String) {
        self.client = client
        self.id = id
    }

    /// Reads one record; nil for one of a type that is passed over.
    func record(_ bytes: [UInt8], _ number: Int) throws(WireError) -> TranscriptRecord? {
        do throws(TranscriptError) {
            // In a file a record has one line.
            let line = bytes.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
            return try decoder?.feed(line + [0x0A]).first
        } catch { throw .invalid("record \(number): \(error.reason)") }
    }

    func read(_ records: ArraySlice<[UInt8]>, from first: Int) throws(WireError) -> [ImportItem] {
        var items: [ImportItem] = [], number = first
        for bytes in records {
            defer { number += 1 }
            switch try record(bytes, number) {
            case .message(let message, let isOnPath):
                items.append(
                    .message(
                        NewMessage(message), parent: message.parentID, isOnPath: isOnPath,
                        turn: message.turnID))
            case .turn(let turn): items.append(.turn(turn))
            case .summary(let summary, let end): items.append(.summary(summary, end: end))
            case .session: throw .invalid("record \(number): a session ends with 'end' before another begins")
            case nil: break
            }
        }
        return items
    }
}

extension NewMessage {
    /// A message as it was written down.
    fileprivate init(_ message: Message) {
        self.init(
            id: message.id, role: message.role,
            status: message.status == .streaming ? .interrupted : message.status,
            content: message.content, size: TokenEstimate.size(of: message.parts), metadata: message.metadata,
            createdAt: message.createdAt,
            mark: message.isPinned ? .pin : message.isExcluded ? .exclusion : nil)
        binding = message.binding
        isDeleted = message.isDeleted
    }
}

extension Method.Import.Result {
    fileprivate init(_ counts: ImportState.Counts, _ name: SessionID) {
        self.init(sessionId: name)
        (messages, sharedMessages) = (counts.messages, counts.shared)
        renamedMessages = counts.renamed
        (turns, summaries) = (counts.turns, counts.summaries)
    }
}
