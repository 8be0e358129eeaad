internal import Archive
internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Store
internal import Upstream

/// What the server knows of itself.
final class ServerFacts {
    var socket = ""
    var database = ""
    var configuration: String?
    /// Milliseconds since 1970.
    var startedAt: Int64 = 0
    let uid = Process.userID
    var user: UserID { UserID(uid) }
    var connections: () -> Int = { 0 }

    /// The OpenRPC description, without the white space that would end a line.
    lazy var description: [UInt8] = {
        var out: [UInt8] = []
        var isInString = false, isEscaped = false
        for byte in EmbeddedSchema.protocolDescription {
            if isInString {
                isInString = isEscaped || byte != 0x22
                isEscaped = !isEscaped && byte == 0x5C
            } else if byte <= 0x20 {
                continue
            } else if byte == 0x22 {
                isInString = true
            }
            out.append(byte)
        }
        return out
    }()
}

extension Handlers {
    func initialize(_ call: Call) throws(WireError) {
        // Whatever version it asks for, 1 is the newest that is spoken.
        _ = try InitializeParameters(call.params)
        call.reply {
            $0.member("protocolVersion", Version.protocolNumber)
            $0.member("agentCapabilities") {
                $0.member("loadSession", true)
                $0.member("promptCapabilities") {
                    $0.member("image", true)
                    $0.member("audio", true)
                    $0.member("embeddedContext", true)
                }
                $0.member("mcpCapabilities") {
                    $0.member("http", false)
                    $0.member("sse", false)
                }
                $0.member("sessionCapabilities") {
                    for name in ["list", "resume", "fork", "close", "delete"] { $0.member(name) { _ in } }
                }
                $0.member("_meta") {
                    $0.member("convod") {
                        $0.member("version", Version.text)
                        $0.key("methods")
                        $0.array {
                            for method in Method.allCases where method.rawValue.hasPrefix("_") {
                                $0.string(method.rawValue)
                            }
                        }
                    }
                }
            }
            $0.member("agentInfo") {
                $0.member("name", "convod")
                $0.member("title", "convod")
                $0.member("version", Version.text)
            }
            $0.key("authMethods")
            $0.array { _ in }
        }
    }

    func info(_ call: Call) throws(WireError) {
        var reader = try ParameterReader(call.params)
        let wantsConfig = try reader.bool("config") ?? false
        try reader.finish()
        if wantsConfig && !call.connection.isAdmin {
            throw WireError(.permissionDenied, "only administrators may see the configuration")
        }
        guard services.configuration.isImplicit else {
            return info(call, wantsConfig, services.configuration)
        }
        // Without a configuration it shows at this moment who would be asked: Ollama may just have been started.
        services.upstreams.resolve(nil, model: nil) { [self] found in
            var configuration = services.configuration
            if let names = try? found.get().map(\.upstream.name) {
                configuration.routes[Configuration.defaultRoute] = names
            }
            info(call, wantsConfig, configuration)
        }
    }

    private func info(_ call: Call, _ wantsConfig: Bool, _ configuration: Configuration) {
        let environment = services.environment
        call.reply {
            $0.member("name", "convod")
            $0.member("version", Version.text)
            $0.member("protocolVersion", Version.protocolNumber)
            $0.member("pid", Int(Process.id))
            $0.member("startedAt", Wire.time(server.startedAt))
            $0.member("uptimeMs", Int(max(0, services.clock() - server.startedAt)))
            $0.member("socket", server.socket)
            // What others do, and where things lie, is for those who may see all.
            if call.connection.isAdmin {
                $0.member("database", server.database)
                $0.optional("configuration", server.configuration)
            }
            $0.member("engine", services.archives.engine)
            $0.member("uid", Int(call.connection.peer.uid))
            $0.member("isAdmin", call.connection.isAdmin)
            $0.member("connections", server.connections())
            if call.connection.isAdmin { $0.member("sessionsRunning", engine.live.count) }
            $0.member("limits") { write(configuration.limits, to: &$0) }
            $0.key("upstreams")
            $0.array { for upstream in services.upstreams.all { write(upstream, configuration, to: &$0) } }
            $0.member("routes") {
                for (name, names) in configuration.routes.sorted(by: { $0.key < $1.key }) {
                    $0.key(name)
                    $0.array { for name in names { $0.string(name) } }
                }
            }
            $0.member("isImplicit", configuration.isImplicit)
            if call.connection.isAdmin {
                $0.member("environment") {
                    $0.key("keys")
                    $0.array {
                        for name in Configuration.keyVariables where !(environment[name]?.isEmpty ?? true) {
                            $0.string(name)
                        }
                    }
                }
            }
            if wantsConfig {
                $0.member(
                    "config", raw: configuration.masked(socket: server.socket, database: server.database))
            }
        }
    }

    private func write(_ limits: Limits, to writer: inout JSONWriter) {
        writer.member("lineBytes", limits.line)
        writer.member("depth", limits.depth)
        writer.member("connections", limits.connections)
        writer.member("outboxBytes", limits.outbox)
        writer.member("pageRows", limits.pageRows)
        writer.member("pageBytes", limits.pageBytes)
        writer.member("batch", IncomingLine.longestBatch)
        writer.member("queue", limits.queue)
        writer.member("queuedBytes", limits.queued)
        writer.member("requests", limits.requests)
        writer.member("unstoredBytes", limits.unstored)
        writer.member("unstoredAllBytes", limits.unstoredAll)
        writer.member("bufferBytes", limits.buffers)
        writer.member("userBufferBytes", limits.userBuffers)
        writer.member("keys", Limits.keys)
        writer.member("values", Limits.values)
        writer.member("parts", Limits.parts)
        writer.member("cwdBytes", Limits.directory)
        writer.member("settingsBytes", Limits.settings)
        writer.member("paramsBytes", Limits.parameters)
        writer.member("sessionIdLength", 128)
    }

    private func write(_ upstream: any Upstream, _ configuration: Configuration, to writer: inout JSONWriter)
    {
        writer.object {
            $0.member("name", upstream.name)
            $0.member("kind", upstream.kind)
            $0.optional("model", upstream.model)
            let base = configuration.upstreams.first { $0.name == upstream.name }?.baseURL ?? ""
            if !base.isEmpty { $0.member("baseURL", base) }
            $0.member("hasKey", upstream.hasKey)
        }
    }

    func listModels(_ call: Call) throws(WireError) {
        var reader = try ParameterReader(call.params)
        let name = try reader.name("upstream")
        try reader.finish()
        let asked = services.upstreams.all.filter { name == nil || $0.name == name }
        if asked.isEmpty { throw .invalid("there is no upstream '\((name ?? "").prefix(60))'") }
        var answers: [String: Result<[ModelDescription], UpstreamFailure>] = [:]
        var questions: [any UpstreamQuestion] = []
        call.onCancel = {
            for question in questions { question.cancel() }
            call.fail(WireError(.cancelled, "the request was cancelled"))
        }
        for upstream in asked {
            questions.append(
                upstream.listModels { result in
                    answers[upstream.name] = result
                    if answers.count == asked.count && !call.isAnswered {
                        Handlers.reply(call, asked, answers)
                    }
                })
        }
    }

    private static func reply(
        _ call: Call, _ asked: [any Upstream],
        _ answers: [String: Result<[ModelDescription], UpstreamFailure>]
    ) {
        call.reply {
            $0.key("models")
            $0.array {
                for upstream in asked {
                    guard case .success(let models)? = answers[upstream.name] else { continue }
                    for model in models {
                        $0.object {
                            $0.member("upstream", upstream.name)
                            $0.member("id", model.id)
                            $0.member("isDefault", model.id == upstream.model)
                            $0.optional(
                                "contextLength", model.contextLength ?? upstream.contextLength(of: model.id))
                        }
                    }
                }
            }
            $0.key("errors")
            $0.array {
                for upstream in asked {
                    guard case .failure(let failure)? = answers[upstream.name] else { continue }
                    $0.object {
                        $0.member("upstream", upstream.name)
                        // One look is made for all who ask: what the server said goes to administrators alone.
                        let said = call.connection.isAdmin ? failure : failure.withoutWords
                        $0.member("message", said.message)
                    }
                }
            }
        }
    }
}
