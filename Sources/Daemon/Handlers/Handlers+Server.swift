internal import Archive
internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Store
internal import Upstream

extension Handlers {
    static let serving: [Handler] = [
        .on(Method.CancelRequest.self) { _ in { _ in } },  // a notification; see `Dispatcher`
        .on(Method.ServerClients.self) { $0.listClients },
        .on(Method.ServerInfo.self) { $0.info },
        .on(Method.ServerReload.self) { $0.reload },
        .on(Method.Authenticate.self) { $0.authenticate },
        .on(Method.Initialize.self) { $0.initialize },
        .on(Method.Discover.self) { $0.discover },
    ]

    /// It may come again, and the newest word counts.
    private func initialize(_ request: Request<Method.Initialize>) throws(WireError) {
        request.client.shows = request.parameters.shows
        request.reply(.init())
    }

    private func authenticate(_ request: Request<Method.Authenticate>) throws(WireError) {
        throw .invalid("there are no authentication methods; the socket's peer credentials say who you are")
    }

    private func discover(_ request: Request<Method.Discover>) throws(WireError) {
        request.reply(written: server.description)
    }

    private func listClients(_ request: Request<Method.ServerClients>) throws(WireError) {
        let clients = server.clients().sorted { $0.number < $1.number }
        request.reply(
            .init(
                clients: clients.map {
                    let role =
                        switch $0.role {
                        case .user: "user"
                        case .watcher: "watcher"
                        case .administrator: "administrator"
                        }
                    return .init(
                        number: $0.number, uid: Int($0.user.number), pid: $0.pid > 0 ? $0.pid : nil,
                        role: role,
                        connectedAt: Wire.Time($0.connectedAt), sessions: $0.subscriptions.count,
                        requests: $0.calls.count, isSelf: $0 === request.client)
                }))
    }

    private func reload(_ request: Request<Method.ServerReload>) throws(WireError) {
        do throws(ConfigurationError) {
            request.reply(.init(restartNeeded: try server.reload()))
        } catch {
            throw WireError(
                .conflict, "the configuration is not taken up, and the one before stays: \(error.description)"
            )
        }
    }

    private func info(_ request: Request<Method.ServerInfo>) throws(WireError) {
        if request.parameters.wantsConfig && !request.client.isAdmin {
            throw WireError(.permissionDenied, "only administrators may see the configuration")
        }
        guard configuration.isImplicit else { return info(request, configuration.value) }
        // Without a configuration it shows at this moment who would be asked: Ollama may just have been started.
        routes.upstreams.resolve(nil, model: nil) { [self] found in
            var shown = configuration.value
            if let names = try? found.get().map(\.upstream.name) {
                shown.routes[Configuration.defaultRoute] = names
            }
            info(request, shown)
        }
    }

    private func info(_ request: Request<Method.ServerInfo>, _ configuration: Configuration) {
        let client = request.client, isAdmin = client.isAdmin
        var result = Method.ServerInfo.Result(
            name: "convod", version: Version.text, protocolVersion: Version.protocolNumber,
            pid: Int(Process.id), startedAt: Wire.Time(server.startedAt),
            uptimeMs: Int(clocks.steady() - server.startedSteady), socket: server.socket,
            engine: archives.engine, http: HTTPLibrary.version, uid: Int(client.user.number),
            isAdmin: isAdmin,
            connections: server.connections(), limits: .init(configuration.limits),
            upstreams: routes.upstreams.all.map { upstream in
                let base = configuration.upstreams.first { $0.name == upstream.name }?.baseURL ?? ""
                return .init(
                    name: upstream.name, kind: upstream.kind, model: upstream.model,
                    baseURL: base.isEmpty ? nil : base, hasKey: upstream.hasKey)
            }, routes: JSONTable(configuration.routes), isImplicit: configuration.isImplicit)
        // What others do, and where things lie, is for those who may see all.
        if isAdmin {
            result.database = server.database
            result.configuration = server.configuration
            result.sessionsRunning = engine.live.count
            result.environment = .init(keys: server.keyVariables)
        }
        if request.parameters.wantsConfig {
            result.config = RawJSON(
                configuration.masked(socket: server.socket, database: server.database))
        }
        request.reply(result)
    }
}
