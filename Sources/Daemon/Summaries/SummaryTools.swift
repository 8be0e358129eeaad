internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store

/// What a round needs.
struct SummaryTools {
    let archives: Archives
    let channels: Channels
    let routes: Routes
    let quotas: QuotaKeeper
    let configuration: CurrentConfiguration
    let ids: IDSource
    let clocks: Clocks
    let loop: EventLoop
    let log: Log
}

extension SummaryTools {
    /// Who is asked for a session's summaries and titles: never an upstream outside the session's own route, unless the
    /// configuration names it.
    ///
    /// The route of a session whose prompts name one is that of the newest that was answered.
    func candidates(
        for session: SessionRecord, _ then: @escaping (Result<[Candidate], WireError>) -> Void
    ) {
        let settings = configuration.summarizer, own = session.session.settings
        func resolve(_ name: String?, _ model: String?) {
            routes.upstreams.resolve(name, model: model) { result in
                if case .success(let found) = result, found.isEmpty {
                    return then(.failure(.invalid("the route is empty")))
                }
                then(result)
            }
        }
        if let named = settings.upstream { return resolve(named, settings.model) }
        if let named = own.upstream { return resolve(named, settings.model ?? own.model) }
        let newest = TurnList(session.row, .all, before: nil, limit: 20, bytes: 256 << 10)
        archives.read(newest, of: session.row) { result in
            switch result {
            case .success(let found):
                let answered = found.turns.first {
                    $0.turn.state == .complete || $0.turn.state == .interrupted
                }
                let asked = answered?.turn.options
                resolve(asked?.upstream, settings.model ?? asked?.model ?? own.model)
            case .failure(let error): then(.failure(WireError(error)))
            }
        }
    }

    /// Tells a session's clients how a summary goes.
    func tell(_ summary: Summary, _ status: Wire.CompactionUpdate.Status, of session: SessionRecord?) {
        guard let session else { return }
        let id = session.session.id
        channels.tell(Wire.CompactionUpdate(summary, status), of: id, on: session.row)
        let range = "messages \(summary.first) to \(summary.last)"
        switch status {
        case .inProgress, .cancelled: break
        case .completed:
            log.info(
                "summarized", ("session", id.text), ("from", "\(summary.first)"), ("to", "\(summary.last)"))
            channels.notify(
                Wire.Notice(.info, "\(range) are summarized", "they stay stored as they are"), of: id,
                on: session.row)
        case .failed:
            // What a server says of it may hold words of the conversation, and stands with the summary.
            log.warning(
                "not_summarized", ("session", id.text), ("summary", "\(summary.id)"),
                ("upstream", summary.upstream ?? ""), ("model", summary.model ?? ""))
            channels.notify(
                Wire.Notice(.warning, "\(range) could not be summarized", summary.problem), of: id,
                on: session.row)
        }
    }
}
