internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store
internal import Upstream

extension Handlers {
    func newSession(_ call: Call) throws(WireError) {
        let asked = try NewSessionParameters(call.params)
        try check(asked.settings)
        let id = asked.id ?? SessionID(services.newID() as ID<SessionID>)
        var session = Session(
            id: id, owner: call.connection.user, cwd: asked.cwd ?? home(of: call),
            createdAt: services.clock())
        session.mcpServers = asked.mcpServers ?? session.mcpServers
        session.title = asked.title
        session.system = asked.system
        session.settings = asked.settings
        session.tags = asked.tags
        session.metadata = asked.metadata
        if asked.isEphemeral { try services.archives.makeMemory() }
        let made = session
        claim(call, id, owner: session.owner, isEphemeral: asked.isEphemeral) {
            [self] (found, release) throws(WireError) in
            guard let found else { return create(made, asked, call, release) }
            release()
            if found.session.trashedAt != nil { throw inTrash(id) }
            guard asked.ifExists == .resume else { throw exists(id) }
            opened(found, isNew: false, call)
        }
    }

    private func create(
        _ session: Session, _ asked: NewSessionParameters, _ call: Call, _ release: @escaping () -> Void
    ) {
        services.archives.write(CreateSession(session), isEphemeral: asked.isEphemeral) { [self] result in
            release()
            switch result {
            case .success(.created(let record)): opened(record, isNew: true, call)
            case .success(.existed(let record)) where asked.ifExists == .resume:
                opened(record, isNew: false, call)
            case .success(.existed): call.fail(exists(session.id))
            case .success(.trashed): call.fail(inTrash(session.id))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    private func exists(_ id: SessionID) -> WireError {
        WireError(
            .conflict, "session '\(id.text)' exists already; give 'ifExists': \"resume\" to go on with it")
    }

    func inTrash(_ id: SessionID) -> WireError {
        WireError(
            .conflict, "session '\(id.text)' is in the trash; '_convod/session/restore' brings it back")
    }

    func opened(_ record: SessionRecord, isNew: Bool, _ call: Call) {
        if call.connection.isOpen { services.channels.subscribe(call.connection, to: record.row) }
        call.reply {
            $0.member("sessionId", record.session.id.text)
            writeConfigOptions(record.session, to: &$0)
            $0.member("_meta") { $0.member("convod") { $0.member("created", isNew) } }
        }
    }

    /// Refuses settings that no prompt could use.
    func check(_ settings: SessionSettings) throws(WireError) {
        if let name = settings.upstream, services.configuration.route(named: name) == nil {
            throw .invalid("there is no route or upstream '\(name.prefix(60))'")
        }
        if let problem = settings.model.flatMap(ModelName.problem) {
            throw .invalid("'model' \(problem)")
        }
        if let raw = settings.window, let view = try? JSONDocument(raw).root {
            do { _ = try services.configuration.window.overridden(by: view) } catch {
                throw .invalid(error.reason)
            }
        }
    }

    func closeSession(_ call: Call) throws(WireError) {
        let asked = try SessionParameters(call.params, isStrict: false)
        engine.close(session: asked.id, of: call.connection)
        withSession(call, asked.id) { [self] session in
            services.channels.unsubscribe(call.connection, from: session.row)
            call.reply { _ in }
        }
    }

    func deleteSession(_ call: Call) throws(WireError) {
        let asked = try SessionParameters(call.params, isStrict: false)
        session(asked.id, call) { [self] (found) throws(WireError) in
            let record: SessionRecord
            do throws(WireError) { record = try found.get() } catch {
                // One that is not there is as its client wants it.
                guard error.kind == .notFound else { throw error }
                return call.reply { _ in }
            }
            engine.cancelAll(session: record.row)
            let trash = TrashSession(record.session.id, owner: record.session.owner)
            services.archives.write(trash, of: record.row) { result in
                if case .failure(let error) = result {
                    call.fail(WireError(error))
                } else {
                    call.reply { _ in }
                }
            }
        }
    }

    func cancelSession(_ call: Call) throws(WireError) {
        let asked = try SessionParameters(call.params, isStrict: false)
        engine.cancel(session: asked.id, of: call.connection)
    }

    func getSession(_ call: Call) throws(WireError) {
        let asked = try SessionParameters(call.params, isStrict: true)
        withSteadySession(call, asked.id) { [self] record in reply(call, with: record) }
    }

    private func reply(_ call: Call, with record: SessionRecord) {
        let line = engine.line(on: record.row)
        call.reply {
            Wire.writeMembers(of: record.session, isWhole: true, to: &$0)
            $0.optional("running", self.engine.live(on: record.row)?.id.description)
            $0.member("queued", line?.queue.count ?? 0)
        }
    }

    func setSession(_ call: Call) throws(WireError) {
        let asked = try SetSessionParameters(call.params)
        if case .set = asked.change.quota, !call.connection.isAdmin {
            throw WireError(.permissionDenied, "only administrators may set a session's 'quota'")
        }
        withSession(call, asked.id) { [self] (record) throws(WireError) in
            try change(record, asked.change, call) { [self] changed in
                if case .set = asked.change.title { publishTitle(changed, call) }
                reply(call, with: changed)
                if case .set = asked.change.quota { engine.wakeHeld() }
            }
        }
    }

    /// Changes a session's own fields, if they make sense together.
    private func change(
        _ record: SessionRecord, _ change: SessionChange, _ call: Call,
        _ then: @escaping (SessionRecord) -> Void
    ) throws(WireError) {
        var after = record.session
        change.apply(to: &after)
        try check(after.settings)
        let update = UpdateSession(record.session.id, owner: record.session.owner, change)
        services.archives.write(update, of: record.row) { result in
            switch result {
            case .success(let changed?): then(changed)
            case .success(nil): call.fail(.noSession(record.session.id))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    private func publishTitle(_ record: SessionRecord, _ call: Call) {
        let update = JSONWriter.object {
            $0.member("sessionUpdate", "session_info_update")
            $0.key("title")
            if let title = record.session.title { $0.string(title) } else { $0.null() }
            $0.member("updatedAt", Timestamp.text(record.session.updatedAt))
        }
        services.channels.publish(
            update: update, of: record.session.id, on: record.row, except: call.connection)
    }

    func restoreSession(_ call: Call) throws(WireError) {
        let asked = try SessionParameters(call.params, isStrict: true)
        withSession(call, asked.id, orTrashed: true) { [self] record in
            let owner = record.session.owner
            claim(call, asked.id, owner: owner, isEphemeral: record.session.isEphemeral) {
                [self] _, release in
                let restore = RestoreSession(asked.id, owner: owner)
                services.archives.write(restore, of: record.row) { [self] result in
                    release()
                    switch result {
                    case .success(let record?): reply(call, with: record)
                    case .success(nil): call.fail(.noSession(asked.id))
                    case .failure(let error): call.fail(WireError(error))
                    }
                }
            }
        }
    }

    func setConfigOption(_ call: Call) throws(WireError) {
        let asked = try SetConfigOptionParameters(call.params)
        var wanted = SessionChange()
        switch asked.configID {
        case "upstream":
            wanted.upstream = .set(asked.value)
            wanted.model = .set(nil)
        case "model": wanted.model = .set(asked.value)
        default:
            throw .invalid(
                "there is no option '\(asked.configID.prefix(60))'; there are 'upstream' and 'model'")
        }
        let changes = wanted
        withSession(call, asked.id) { [self] (record) throws(WireError) in
            try change(record, changes, call) { [self] record in
                let options = JSONWriter.object { writeConfigOptions(record.session, to: &$0) }
                let update = JSONWriter.object {
                    $0.member("sessionUpdate", "config_option_update")
                    writeConfigOptions(record.session, to: &$0)
                }
                services.channels.publish(
                    update: update, of: record.session.id, on: record.row, except: call.connection)
                call.reply(.success(options))
            }
        }
    }

    /// ACP's options of a session: the upstream or route, and the model; each with its present value among the choices.
    func writeConfigOptions(_ session: Session, to writer: inout JSONWriter) {
        let configuration = services.configuration
        let route = session.settings.upstream ?? Configuration.defaultRoute
        let names =
            configuration.routes.keys.sorted()
            + configuration.upstreams.map(\.name).filter { configuration.routes[$0] == nil }
        let first = configuration.route(named: route)?.first.flatMap { services.upstreams.byName[$0] }
        let models = [session.settings.model, first?.model].compactMap(\.self).reduce(into: [String]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        writer.key("configOptions")
        writer.array {
            if names.contains(route) {
                write(option: "upstream", "Upstream", "_upstream", route, names, to: &$0)
            }
            if let model = models.first { write(option: "model", "Model", "model", model, models, to: &$0) }
        }
    }

    private func write(
        option id: String, _ name: String, _ category: String, _ value: String, _ choices: [String],
        to writer: inout JSONWriter
    ) {
        writer.object {
            $0.member("id", id)
            $0.member("name", name)
            $0.member("category", category)
            $0.member("type", "select")
            $0.member("currentValue", value)
            $0.key("options")
            $0.array {
                for choice in choices {
                    $0.object {
                        $0.member("value", choice)
                        $0.member("name", choice)
                    }
                }
            }
        }
    }
}
