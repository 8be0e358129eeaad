internal import ContextWindow
internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Store
internal import Upstream

extension Handlers {
    func newSession(_ call: Call) throws(WireError) {
        let asked = try NewSessionParameters(call.params)
        try check(asked.settings)
        let id = asked.id ?? SessionID(services.newID() as ID<SessionID>)
        var session = Session(
            id: id, owner: call.connection.peer.uid, cwd: asked.cwd ?? home(of: call),
            createdAt: services.clock())
        session.mcpServers = asked.mcpServers ?? session.mcpServers
        session.title = asked.title
        session.system = asked.system
        session.settings = asked.settings
        session.tags = asked.tags
        session.metadata = asked.metadata
        if let found = try elsewhere(id, owner: session.owner, isEphemeral: asked.isEphemeral) {
            guard asked.ifExists == .resume else {
                throw WireError(
                    .conflict,
                    "session '\(id.text)' exists already; give 'ifExists': \"resume\" to go on with it")
            }
            return opened(found, isNew: false, call)
        }
        let store = asked.isEphemeral ? try services.memoryStore() : services.store
        let release = try claim(id, owner: session.owner, isEphemeral: asked.isEphemeral)
        store.write(CreateSession(session)) { [self] result in
            release()
            switch result {
            case .success(.created(let record)): opened(record, isNew: true, call)
            case .success(.existed(let record)) where asked.ifExists == .resume:
                opened(record, isNew: false, call)
            case .success(.existed):
                call.fail(
                    WireError(
                        .conflict,
                        "session '\(id.text)' exists already; give 'ifExists': \"resume\" to go on with it"))
            case .success(.trashed): call.fail(inTrash(id))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    /// A session of an ID in the other of the two stores, since an ID names one session wherever that lives.
    func elsewhere(_ id: SessionID, owner: UInt32, isEphemeral: Bool) throws(WireError) -> SessionRecord? {
        let other = isEphemeral ? services.store : services.memory
        let found: SessionRecord?
        do { found = try other?.reader.session(id, owner: owner) } catch { throw WireError(error) }
        if found?.session.trashedAt != nil { throw inTrash(id) }
        return found
    }

    private func inTrash(_ id: SessionID) -> WireError {
        WireError(
            .conflict, "session '\(id.text)' is in the trash; '_convod/session/restore' brings it back")
    }

    /// Keeps an ID for the store that a session is on its way to; call what it gives once the session is there, or is not.
    func claim(_ id: SessionID, owner: UInt32, isEphemeral: Bool) throws(WireError) -> () -> Void {
        let claim = Claim(id: id, owner: owner)
        if let known = claims[claim], known.isEphemeral != isEphemeral {
            throw WireError(
                .conflict, "session '\(id.text)' is being made by another request; choose another ID")
        }
        claims[claim] = (isEphemeral, (claims[claim]?.count ?? 0) + 1)
        return { [self] in
            let left = (claims[claim]?.count ?? 1) - 1
            claims[claim] = left == 0 ? nil : (isEphemeral, left)
        }
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
        let session = try session(asked.id, call)
        engine.close(session: session.row, of: call.connection)
        services.channels.unsubscribe(call.connection, from: session.row)
        call.reply { _ in }
    }

    func deleteSession(_ call: Call) throws(WireError) {
        let asked = try SessionParameters(call.params, isStrict: false)
        let record: SessionRecord
        do throws(WireError) { record = try session(asked.id, call) } catch {
            // One that is not there is as its client wants it.
            guard error.kind == .notFound else { throw error }
            return call.reply { _ in }
        }
        engine.cancelAll(session: record.row)
        services.store(of: record.row).write(TrashSession(record.session.id, owner: record.session.owner)) {
            result in
            if case .failure(let error) = result { call.fail(WireError(error)) } else { call.reply { _ in } }
        }
    }

    func cancelSession(_ call: Call) throws(WireError) {
        let asked = try SessionParameters(call.params, isStrict: false)
        engine.cancel(session: try session(asked.id, call).row, of: call.connection)
    }

    func getSession(_ call: Call) throws(WireError) {
        let asked = try SessionParameters(call.params, isStrict: true)
        let record = try session(asked.id, call)
        reply(call, with: record)
    }

    private func reply(_ call: Call, with record: SessionRecord) {
        let line = engine.lines[record.row]
        call.reply {
            Wire.writeMembers(of: record.session, isWhole: true, to: &$0)
            $0.optional("running", line?.running?.id.description)
            $0.member("queued", line?.queue.count ?? 0)
        }
    }

    func setSession(_ call: Call) throws(WireError) {
        let asked = try SetSessionParameters(call.params)
        let record = try session(asked.id, call)
        if case .set = asked.quota, !call.connection.isAdmin {
            throw WireError(.permissionDenied, "only administrators may set a session's 'quota'")
        }
        var after = record.session
        asked.apply(to: &after)
        try check(after.settings)
        services.store(of: record.row).write(
            UpdateSession(record.session.id, owner: record.session.owner, asked.apply)
        ) {
            [self] result in
            switch result {
            case .success(let changed?):
                if case .set = asked.title { publishTitle(changed, call) }
                reply(call, with: changed)
                if case .set = asked.quota { engine.wakeHeld() }
            case .success(nil): call.fail(.noSession(asked.id))
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
        let record = try session(asked.id, call, orTrashed: true)
        let owner = record.session.owner
        let release = try claim(asked.id, owner: owner, isEphemeral: record.session.isEphemeral)
        let restore = RestoreSession(asked.id, owner: owner)
        services.store(of: record.row).write(restore) { [self] result in
            release()
            switch result {
            case .success(let record?): reply(call, with: record)
            case .success(nil): call.fail(.noSession(asked.id))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    func setConfigOption(_ call: Call) throws(WireError) {
        let asked = try SetConfigOptionParameters(call.params)
        let record = try session(asked.id, call)
        var settings = record.session.settings
        switch asked.configID {
        case "upstream":
            settings.upstream = asked.value
            settings.model = nil
        case "model": settings.model = asked.value
        default:
            throw .invalid(
                "there is no option '\(asked.configID.prefix(60))'; there are 'upstream' and 'model'")
        }
        try check(settings)
        let changed = settings
        services.store(of: record.row).write(
            UpdateSession(record.session.id, owner: record.session.owner) { $0.settings = changed }
        ) { [self] result in
            switch result {
            case .success(let record?):
                let options = JSONWriter.object { writeConfigOptions(record.session, to: &$0) }
                let update = JSONWriter.object {
                    $0.member("sessionUpdate", "config_option_update")
                    writeConfigOptions(record.session, to: &$0)
                }
                services.channels.publish(
                    update: update, of: record.session.id, on: record.row, except: call.connection)
                call.reply(.success(options))
            case .success(nil): call.fail(.noSession(asked.id))
            case .failure(let error): call.fail(WireError(error))
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

extension SetSessionParameters {
    /// Makes the changes that were asked for.
    @Sendable func apply(to session: inout Session) {
        if case .set(let value) = title { session.title = value }
        if case .set(let value) = system { session.system = value }
        if case .set(let value) = upstream { session.settings.upstream = value }
        if case .set(let value) = model { session.settings.model = value }
        if case .set(let value) = window { session.settings.window = value }
        if case .set(let value) = quota { session.settings.quota = value }
        if case .set(let value) = tags { session.tags = value ?? [] }
        if case .set(let value) = metadata { session.metadata = value }
        if let isArchived { session.isArchived = isArchived }
    }
}
