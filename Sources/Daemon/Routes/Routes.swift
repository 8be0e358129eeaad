internal import Archive
internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Upstream

/// Who answers: finds the upstreams of a route, makes windows for them, and calls them.
final class Routes {
    let upstreams: UpstreamTable
    let windows: WindowMaker
    /// What of windows was told once.
    let noticed = Noticed()
    private let cache: ResponseCache
    private let configuration: CurrentConfiguration
    private let clocks: Clocks
    private let ids: IDSource
    private let loop: EventLoop
    private let log: Log

    init(
        _ upstreams: UpstreamTable, _ windows: WindowMaker, _ cache: ResponseCache,
        _ configuration: CurrentConfiguration, _ clocks: Clocks, _ ids: IDSource, _ loop: EventLoop,
        _ log: Log
    ) {
        self.upstreams = upstreams
        self.windows = windows
        self.cache = cache
        self.configuration = configuration
        self.clocks = clocks
        self.ids = ids
        self.loop = loop
        self.log = log
    }

    /// Finds who to ask by what a session and a request say.
    func resolve(
        _ session: Session, _ options: TurnOptions,
        _ then: @escaping (Result<[Candidate], WireError>) -> Void
    ) {
        // Checked where it came in.
        let params = options.params.flatMap { try? JSONDocument($0).root }
        let wantsSchema = params?["schema"].map { !$0.isNull } ?? false
        upstreams.resolve(
            options.upstream ?? session.settings.upstream, model: options.model ?? session.settings.model
        ) { found in
            guard wantsSchema, case .success(let candidates) = found,
                let other = candidates.first(where: { !$0.upstream.takesSchema })
            else { return then(found) }
            let name = other.upstream.name
            then(
                .failure(
                    .invalid(
                        "upstream '\(name)' cannot answer in the form of a schema; leave 'params.schema' away, or ask another upstream"
                    )))
        }
    }

    /// The windows of one turn.
    func windows(_ session: SessionRecord, _ question: WindowRequest, _ choice: WindowChoice) -> RouteWindows
    {
        RouteWindows(session, question, choice, windows, log)
    }

    /// A call that is retried and fails over as configured.
    func call(
        _ turn: TurnID, _ candidates: [Candidate], _ requests: any RouteRequests,
        report: @escaping (RouteCall.Report) -> Void
    ) -> RouteCall {
        RouteCall(
            .turn(turn), candidates, requests, retry: { [configuration] in configuration.retry }, cache,
            clocks, ids, loop, report: report)
    }

    /// A call for a summary.
    func summarize(
        _ candidates: [Candidate], _ requests: any RouteRequests,
        report: @escaping (RouteCall.Report) -> Void
    ) -> RouteCall {
        RouteCall(
            .summary, candidates, requests, retry: { [configuration] in configuration.retry }, cache, clocks,
            ids, loop, report: report)
    }

    /// A call that is made once, whatever comes of it.
    func test(
        _ candidate: Candidate, _ request: ModelRequest, owner: UserID,
        report: @escaping (RouteCall.Report) -> Void
    ) -> RouteCall {
        RouteCall(
            .test, [candidate], FixedRequest(request, owner: owner), retry: { RetryPolicy(attempts: 1) },
            cache, clocks, ids, loop, report: report)
    }
}
