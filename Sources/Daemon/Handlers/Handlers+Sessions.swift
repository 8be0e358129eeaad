internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store
internal import Upstream

extension Handlers {
    static let sessions: [Handler] = [
        .on(Method.SessionGet.self) { $0.getSession },
        .on(Method.SessionRestore.self) { $0.restoreSession },
        .on(Method.SessionSet.self) { $0.setSession },
        .on(Method.SessionCancel.self) { $0.cancelSession },
        .on(Method.SessionClose.self) { $0.closeSession },
        .on(Method.SessionDelete.self) { $0.deleteSession },
        .on(Method.SessionNew.self) { $0.newSession },
        .on(Method.SessionSetConfigOption.self) { $0.setConfigOption },
    ]

    private func newSession(_ request: Request<Method.SessionNew>) throws(WireError) {
        let parameters = request.parameters, call = request.call
        try check(parameters.settings)
        let id = parameters.id ?? SessionID(ids.newID() as ID<SessionID>)
        var session = Session(
            id: id, owner: request.client.user, cwd: parameters.cwd ?? home(of: request.client),
            createdAt: clocks.now())
        session.mcpServers = parameters.mcpServers ?? session.mcpServers
        session.title = parameters.title
        session.system = parameters.system
        session.settings = parameters.settings
        if let brought = parameters.systemPrompt, brought.mode == .append, !brought.text.isEmpty {
            session.appendedSystem = brought.text
        }
        session.tags = parameters.tags
        session.metadata = parameters.metadata
        if parameters.isEphemeral { try archives.makeMemory() } else { call.isAbout(session) }
        let new = session
        claim(call, id, owner: session.owner, isEphemeral: parameters.isEphemeral) {
            [self] (found, release) throws(WireError) in
            guard let found else { return create(new, request, release) }
            release()
            if found.session.trashedAt != nil { throw inTrash(id) }
            guard parameters.ifExists == .resume else { throw exists(id, Handlers.resumes) }
            resume(found, request)
        }
    }

    /// Opens a session that was there, with what the client brings along.
    private func resume(_ record: SessionRecord, _ request: Request<Method.SessionNew>) {
        // It stays what it is, and an observer changes nothing.
        if request.parameters.systemPrompt != nil, request.client.isObserver(of: record.row) {
            return request.fail(Handlers.observes(record.session.id))
        }
        take(request.parameters.systemPrompt, on: record, request.call) { [self] record in
            request.reply(opened(record, isNew: false, request.client))
        }
    }

    /// Takes a system prompt that a client brings along, and goes on with the session as it is then.
    func take(
        _ brought: SystemPrompt?, on record: SessionRecord, _ call: Client.Call,
        _ then: @escaping (SessionRecord) -> Void
    ) {
        guard let brought else { return then(record) }
        if call.client.role == .watcher {
            return call.fail(
                WireError(
                    .permissionDenied,
                    "user \(call.client.user) may look at everything and change nothing: open the session without 'systemPrompt'"
                ))
        }
        override(brought, on: record.row, call.client)
        if brought.mode == .override { return then(record) }
        // Clients bring the same along with every setup; that is no change, says the store.
        var change = SessionChange()
        change.appendedSystem = .set(brought.text.isEmpty ? nil : brought.text)
        // What is behind it about the session waits for the change as it does for a look.
        call.beginLook()
        write(change, of: record, call) { [self] result in
            defer { call.endLook() }
            guard let changed = result else { return }
            if changed.session.appendedSystem != record.session.appendedSystem {
                noteChange(call, of: record.session.id, on: record.row)
            }
            if !call.isAnswered { then(changed) }
        }
    }

    /// Keeps what stands in place of a session's own prompt for a client; what is appended takes that away.
    private func override(_ brought: SystemPrompt, on row: SessionRow, _ client: Client) {
        client.override(row, by: brought.mode == .override && !brought.text.isEmpty ? brought.text : nil)
    }

    private func create(
        _ session: Session, _ request: Request<Method.SessionNew>, _ release: @escaping () -> Void
    ) {
        let parameters = request.parameters
        archives.write(CreateSession(session), isEphemeral: parameters.isEphemeral) { [self] result in
            release()
            switch result {
            case .success(.created(let record)):
                if let brought = parameters.systemPrompt { override(brought, on: record.row, request.client) }
                request.reply(opened(record, isNew: true, request.client))
            case .success(.existed(let record)) where parameters.ifExists == .resume:
                resume(record, request)
            case .success(.existed): request.fail(exists(session.id, Handlers.resumes))
            case .success(.trashed): request.fail(inTrash(session.id))
            case .failure(let error): request.fail(WireError(error))
            }
        }
    }

    /// An ID is taken; `advice` says what to do next.
    func exists(_ id: SessionID, _ advice: String) -> WireError {
        WireError(.conflict, "session '\(id.text)' exists already; \(advice)")
    }

    private static let resumes = "give 'ifExists': \"resume\" to go on with it"

    func inTrash(_ id: SessionID) -> WireError {
        WireError(
            .conflict, "session '\(id.text)' is in the trash; '_convod/session/restore' brings it back")
    }

    /// Joins a client to a session that it made, and tells it of that.
    func opened(_ record: SessionRecord, isNew: Bool, _ client: Client) -> Wire.NewSession {
        if client.isOpen { channels.subscribe(client, to: record.row) }
        return Wire.NewSession(
            sessionId: record.session.id, configOptions: configOptions(record.session), isNew: isNew)
    }

    /// Refuses settings that no prompt could use.
    func check(_ settings: SessionSettings) throws(WireError) {
        if let name = settings.upstream, configuration.value.route(named: name) == nil {
            throw .invalid("there is no route or upstream '\(name.prefix(60))'")
        }
        if let problem = settings.model.flatMap(ModelName.problem) {
            throw .invalid("'model' \(problem)")
        }
        if let raw = settings.window, let view = try? JSONDocument(raw).root {
            do { _ = try configuration.window.overridden(by: view) } catch { throw .invalid(error.reason) }
        }
    }

    private func closeSession(_ request: Request<Method.SessionClose>) throws(WireError) {
        let id = request.parameters.id
        engine.close(session: id, of: request.client)
        withSession(request.call, id) { [self] session in
            channels.unsubscribe(request.client, from: session.row)
            request.reply(Done())
        }
    }

    private func deleteSession(_ request: Request<Method.SessionDelete>) throws(WireError) {
        session(request.parameters.id, request.call) { [self] (found) throws(WireError) in
            let record: SessionRecord
            do throws(WireError) { record = try found.get() } catch {
                // One that is not there is as its client wants it.
                guard error.kind == .notFound else { throw error }
                return request.reply(Done())
            }
            engine.cancelAll(session: record.row)
            let trash = TrashSession(record.session.id, owner: record.session.owner)
            archives.write(trash, of: record.row) { result in
                if case .failure(let error) = result {
                    request.fail(WireError(error))
                } else {
                    request.reply(Done())
                }
            }
        }
    }

    private func cancelSession(_ request: Request<Method.SessionCancel>) throws(WireError) {
        let id = request.parameters.id, client = request.client
        func cancel() {
            guard let row = engine.cancel(session: id, of: client) else { return }
            noteChange(request.call, of: id, on: row)
        }
        guard client.isAdmin, !engine.hasOwn(id, of: client) else { return cancel() }
        // Who has a session of this ID means that one, though nothing runs on it.
        archives.session(id, owner: client.user, orAnyones: false) { found in
            if case .success(nil) = found { cancel() }
        }
    }

    private func getSession(_ request: Request<Method.SessionGet>) throws(WireError) {
        withSteadySession(request.call, request.parameters.id) { [self] record in
            request.reply(whole(record))
        }
    }

    /// A session with what runs and waits on it.
    func whole(_ record: SessionRecord) -> Wire.Session {
        Wire.Session(
            record.session, running: engine.live(on: record.row)?.id,
            queued: engine.line(on: record.row)?.queue.count ?? 0)
    }

    private func setSession(_ request: Request<Method.SessionSet>) throws(WireError) {
        let wanted = request.parameters.change
        if case .set = wanted.quota, !request.client.isAdmin {
            throw WireError(.permissionDenied, "only administrators may set a session's 'quota'")
        }
        withSession(request.call, request.parameters.id) { [self] (record) throws(WireError) in
            try change(record, wanted, request.call) { [self] changed in
                if case .set = wanted.title { publishTitle(changed, request.client) }
                request.reply(whole(changed))
                if case .set = wanted.quota { engine.wakeQueues() }
            }
        }
    }

    /// Changes a session's own fields, if they make sense together.
    private func change(
        _ record: SessionRecord, _ change: SessionChange, _ call: Client.Call,
        _ then: @escaping (SessionRecord) -> Void
    ) throws(WireError) {
        var after = record.session
        change.apply(to: &after)
        try check(after.settings)
        write(change, of: record, call) { if let changed = $0 { then(changed) } }
    }

    /// Stores a change of a session's own fields; the call fails where it cannot be, and then there is no session.
    private func write(
        _ change: SessionChange, of record: SessionRecord, _ call: Client.Call,
        _ then: @escaping (SessionRecord?) -> Void
    ) {
        let update = UpdateSession(record.session.id, owner: record.session.owner, change)
        archives.write(update, of: record.row) { result in
            switch result {
            case .success(let changed?): return then(changed)
            case .success(nil): call.fail(.noSession(record.session.id))
            case .failure(let error): call.fail(WireError(error))
            }
            then(nil)
        }
    }

    /// Tells a session's other clients what it is called now.
    func publishTitle(_ record: SessionRecord, _ client: Client) {
        let update = Wire.SessionInfoUpdate(
            title: record.session.title.map { .text($0) } ?? Wire.SessionInfoUpdate.Title.none,
            updatedAt: Wire.Time(record.session.updatedAt))
        channels.publish(update, of: record.session.id, on: record.row, except: client.number)
    }

    private func restoreSession(_ request: Request<Method.SessionRestore>) throws(WireError) {
        let id = request.parameters.id
        withSession(request.call, id, orTrashed: true) { [self] record in
            let owner = record.session.owner
            claim(request.call, id, owner: owner, isEphemeral: record.session.isEphemeral) {
                [self] _, release in
                archives.write(RestoreSession(id, owner: owner), of: record.row) { [self] result in
                    release()
                    switch result {
                    case .success(let record?): request.reply(whole(record))
                    case .success(nil): request.fail(.noSession(id))
                    case .failure(let error): request.fail(WireError(error))
                    }
                }
            }
        }
    }

    private func setConfigOption(_ request: Request<Method.SessionSetConfigOption>) throws(WireError) {
        let parameters = request.parameters
        var change = SessionChange()
        switch parameters.configID {
        case "upstream":
            change.upstream = .set(parameters.value)
            change.model = .set(nil)
        case "model": change.model = .set(parameters.value)
        default:
            throw .invalid(
                "there is no option '\(parameters.configID.prefix(60))'; there are 'upstream' and 'model'")
        }
        let wanted = change
        withSession(request.call, parameters.id) { [self] (record) throws(WireError) in
            try self.change(record, wanted, request.call) { [self] record in
                let options = configOptions(record.session)
                channels.publish(
                    Wire.ConfigOptionUpdate(configOptions: options), of: record.session.id, on: record.row,
                    except: request.client.number)
                request.reply(.init(configOptions: options))
            }
        }
    }

    /// ACP's options of a session: the upstream or route, and the model; each with its present value among the choices.
    func configOptions(_ session: Session) -> [Wire.ConfigOption] {
        let configuration = configuration.value
        let route = session.settings.upstream ?? Configuration.defaultRoute
        let names =
            configuration.routes.keys.sorted()
            + configuration.upstreams.map(\.name).filter { configuration.routes[$0] == nil }
        let first = configuration.route(named: route)?.first.flatMap { routes.upstreams.byName[$0] }
        let models = [session.settings.model, first?.model].compactMap(\.self).reduce(into: [String]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        var options: [Wire.ConfigOption] = []
        if names.contains(route) {
            options.append(
                Wire.ConfigOption(
                    id: "upstream", name: "Upstream", category: "_upstream", value: route, choices: names))
        }
        if let model = models.first {
            options.append(
                Wire.ConfigOption(
                    id: "model", name: "Model", category: "model", value: model, choices: models))
        }
        return options
    }
}
