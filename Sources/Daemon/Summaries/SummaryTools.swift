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
    func candidates(
        for session: Session, _ then: @escaping (Result<[Candidate], WireError>) -> Void
    ) {
        let settings = configuration.summarizer
        let name = settings.upstream ?? session.settings.upstream
        let model = settings.model ?? (settings.upstream == nil ? session.settings.model : nil)
        routes.upstreams.resolve(name, model: model) { result in
            if case .success(let found) = result, found.isEmpty {
                return then(.failure(.invalid("the route is empty")))
            }
            then(result)
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
