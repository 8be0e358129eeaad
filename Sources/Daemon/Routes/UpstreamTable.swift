internal import EventLoop
internal import JSON
internal import Protocol
internal import Upstream

/// One upstream of a route with the model to ask for.
struct Candidate {
    let upstream: any Upstream
    let model: String

    /// Who its thoughts are from.
    var issuer: String { upstream.issuer(of: model) }
}

/// The configured upstreams, and which of them a prompt goes to.
final class UpstreamTable {
    /// How long a server's word about its models is remembered, in milliseconds, and how long that it gave none.
    private static let memory: (said: Int64, failed: Int64) = (30_000, 1_000)

    /// The first model that a server lists, nil where it lists none; else why it did not say.
    private typealias FirstModel = Result<String?, UpstreamFailure>

    private enum Finding {
        /// Who waits for the answer to which request.
        case asking([(FirstModel) -> Void], Int)
        case found(FirstModel, at: Int64)
    }

    private(set) var configuration: Configuration
    private(set) var byName: [String: any Upstream] = [:]
    private var settings: [String: UpstreamSettings] = [:]
    private var findings: [String: Finding] = [:]
    /// The number of the newest request for a list.
    private var newest = 0
    private let loop: EventLoop
    private let environment: [String: String]
    private let clocks: Clocks
    private let client: HTTPClient
    private let log: Log
    /// When it was logged last that a server gives no list.
    private var loggedAt: [String: Int64] = [:]
    private var replaced: [Replaced] = []

    init(
        _ configuration: Configuration, loop: EventLoop, environment: [String: String],
        clocks: Clocks, log: Log
    ) {
        self.log = log
        self.configuration = configuration
        self.loop = loop
        self.environment = environment
        self.clocks = clocks
        client = HTTPClient(loop: loop, environment: environment)
        rebuild(configuration)
    }

    func rebuild(_ configuration: Configuration) {
        self.configuration = configuration
        let questions = findings
        findings = [:]
        defer {
            // Who waits for a list of models asks again: the upstream may be another one, or gone.
            for case (let name, .asking(let waiting, _)) in questions {
                for then in waiting { modelOf(name, then) }
            }
        }
        defer { tellKeys() }
        let before = byName, known = self.settings
        defer {
            // Those that stay are asked by their names.
            let gone = before.values.filter { byName[$0.name] !== $0 }
            replaced = replaced.filter { $0.upstream != nil } + gone.map { Replaced(upstream: $0) }
        }
        byName = [:]
        self.settings = [:]
        for var settings in configuration.upstreams {
            settings.models = configuration.models
            self.settings[settings.name] = settings
            // What was learned of an upstream stays where nothing about it changed.
            if known[settings.name] == settings, let upstream = before[settings.name] {
                byName[settings.name] = upstream
                continue
            }
            byName[settings.name] =
                switch settings.kind.way {
                case .local(let make): make(settings, loop)
                case .server(let make):
                    HTTPUpstream(
                        settings, make(settings), environment: environment, client: client, loop: loop,
                        clock: clocks.now,
                        steady: clocks.steady)
                }
        }
    }

    /// Ends the programs that were run for keys: nobody waits for them any more.
    func stop() {
        for upstream in byName.values { upstream.stop() }
        for upstream in replaced { upstream.upstream?.stop() }
    }

    /// One that a reload took out, for as long as somebody still uses it.
    private struct Replaced {
        weak var upstream: (any Upstream)?
    }

    /// What a reload clears and brings: refused keys are tried again, and each is hidden from others' commands.
    private func tellKeys() {
        func names(_ settings: UpstreamSettings) -> Set<String> {
            Set(
                (settings.keys + [settings.signing?.secret].compactMap(\.self)).compactMap {
                    if case .environment(let name) = $0 { name } else { nil }
                })
        }
        for settings in configuration.upstreams {
            let others = configuration.upstreams.filter { $0.name != settings.name }
            byName[settings.name]?.forgive()
            byName[settings.name]?.hide(
                others.reduce(into: Set()) { $0.formUnion(names($1)) }.subtracting(names(settings)))
        }
    }

    /// The upstreams in the configuration's order.
    var all: [any Upstream] { configuration.upstreams.compactMap { byName[$0.name] } }

    /// Finds who to ask.
    ///
    /// Comes back at once unless a server must first be asked for its models.
    func resolve(_ name: String?, model: String?, _ then: @escaping (Result<[Candidate], WireError>) -> Void)
    {
        guard let route = configuration.route(named: name) else { return then(.failure(unknown(name))) }
        if name == nil && configuration.isImplicit && route == ["echo"] && byName["ollama"] != nil {
            return modelOf("ollama") { [self] found in
                // One that does not run is the usual case.
                let isThere = (try? found.get()) ?? nil
                candidates(isThere == nil ? route : ["ollama"], model, then)
            }
        }
        candidates(route, model, then)
    }

    private func candidates(
        _ names: [String], _ model: String?, _ then: @escaping (Result<[Candidate], WireError>) -> Void
    ) {
        var rest = names[...]
        var found: [Candidate] = []
        func next() {
            guard let name = rest.popFirst() else { return then(.success(found)) }
            guard let upstream = byName[name] else { return then(.failure(unknown(name))) }
            if let chosen = (found.isEmpty ? model : nil) ?? upstream.model {
                found.append(Candidate(upstream: upstream, model: chosen))
                return next()
            }
            modelOf(name) { [self] listed in
                // Another one may have its name by now.
                if case .success(let chosen?) = listed, let upstream = byName[name] {
                    found.append(Candidate(upstream: upstream, model: chosen))
                    next()
                } else if rest.isEmpty && found.isEmpty {
                    then(.failure(nameless(name, listed)))
                } else {
                    next()
                }
            }
        }
        next()
    }

    /// Why an upstream without a model of its own cannot be asked.
    private func nameless(_ name: String, _ listed: FirstModel) -> WireError {
        guard case .failure(let failure) = listed else {
            return WireError(
                .upstreamUnavailable, "upstream '\(name)' lists no model; name one with 'model'")
        }
        let said = failure.withoutWords
        let now = clocks.steady()
        if let last = loggedAt[name], now - last < UpstreamTable.logPause { return refusal(name, said) }
        loggedAt[name] = now
        log.warning(
            "models_not_listed", ("upstream", name), ("kind", said.kind.rawValue),
            ("status", said.answered.map(String.init) ?? "none"), ("reason", said.message))
        return refusal(name, said)
    }

    /// Milliseconds between two lines of the log about one upstream's list.
    private static let logPause: Int64 = 10_000

    private func refusal(_ name: String, _ said: UpstreamFailure) -> WireError {
        let isSilent = said.kind == .unavailable || said.kind == .timeout
        let address = isSilent ? settings[name].map { " at \($0.baseURL)" } ?? "" : ""
        let error = WireError(said)
        return WireError(
            error.kind,
            "upstream '\(name)' has no model of its own, and was asked for its list\(address): \(said.message)",
            retryAfterMs: error.retryAfterMs)
    }

    /// The first model that an upstream lists, remembered for a while.
    private func modelOf(_ name: String, _ then: @escaping (FirstModel) -> Void) {
        switch findings[name] {
        case .asking(var waiting, let number):
            waiting.append(then)
            findings[name] = .asking(waiting, number)
        case .found(let model, let at) where clocks.steady() - at < UpstreamTable.age(model): then(model)
        default:
            guard let upstream = byName[name] else { return then(.success(nil)) }
            newest += 1
            let number = newest
            findings[name] = .asking([then], number)
            _ = upstream.listModels { [weak self] result in
                let model = result.map { $0.first?.id }
                guard let self, case .asking(let waiting, number)? = findings[name] else { return }
                findings[name] = .found(model, at: clocks.steady())
                for then in waiting { then(model) }
            }
        }
    }

    private static func age(_ model: FirstModel) -> Int64 {
        if case .success = model { memory.said } else { memory.failed }
    }

    private func unknown(_ name: String?) -> WireError {
        guard let name else {
            return .invalid("no upstream is configured; add one to 'upstreams' in the configuration")
        }
        let known = Set(configuration.routes.keys).union(configuration.upstreams.map(\.name)).sorted().map {
            "'\($0)'"
        }
        return .invalid(
            "there is no route or upstream '\(name.prefix(60))'; there are \(known.joined(separator: ", "))")
    }
}
