internal import Archive
internal import Conversation
internal import Protocol

extension Handlers {
    static let usage: [Handler] = [
        .on(Method.FailureList.self) { $0.listFailures },
        .on(Method.UsageList.self) { $0.tellUsage },
    ]

    private func listFailures(_ request: Request<Method.FailureList>) throws(WireError) {
        let parameters = request.parameters
        let since = parameters.since?.milliseconds ?? clocks.now() - 86_400_000
        let look = FailedAttempts(
            owner: request.client.seesAll ? nil : request.client.user, since: since,
            limit: parameters.limit + 1)
        let stop = archives.failures(look) { result in
            if request.call.isAnswered { return }
            switch result {
            case .success(let found):
                request.reply(
                    .init(
                        failures: found.prefix(parameters.limit).map { .init($0) },
                        more: found.count > parameters.limit))
            case .failure(let error): request.fail(WireError(error))
            }
        }
        request.call.onCancel = {
            stop()
            request.fail(WireError(.cancelled, "the request was cancelled"))
        }
    }

    private func tellUsage(_ request: Request<Method.UsageList>) throws(WireError) {
        let parameters = request.parameters, today = UsageDay.of(clocks.now())
        let to = parameters.to ?? max(today, parameters.from ?? today), from = parameters.from ?? to - 29
        guard from <= to, to - from < Method.UsageList.mostDays else {
            throw .invalid(
                "'from' must be a day at or before 'to', at most \(Method.UsageList.mostDays) days earlier")
        }
        let owner = request.client.seesAll ? nil : request.client.user
        let parts = parameters.by.compactMap { UsageReport.Part(rawValue: $0) }
        let report = UsageReport(owner: owner, days: from...to, by: parts, limit: parameters.limit)
        let stop = archives.usage(report) { result in
            if request.call.isAnswered { return }
            switch result {
            case .success(let found):
                request.reply(
                    .init(
                        from: Timestamp.date(from), to: Timestamp.date(to),
                        rows: found.rows.map { .init($0) },
                        total: .init(found.total), more: found.isMore))
            case .failure(let error): request.fail(WireError(error))
            }
        }
        request.call.onCancel = {
            stop()
            request.fail(WireError(.cancelled, "the request was cancelled"))
        }
    }
}

extension Method.UsageList.Row {
    /// Sums as the archive has them.
    fileprivate init(_ row: UsageRow) {
        self.init()
        day = row.key.day.map { Timestamp.date($0) }
        (model, upstream, user) = (row.key.model, row.key.upstream, row.key.owner.map { Int($0.number) })
        sessionId = row.sessionID
        (prompts, failures) = (row.prompts, row.failures)
        (inputTokens, cachedTokens, writtenTokens) = (row.input, row.cached, row.written)
        (outputTokens, thoughtTokens) = (row.output, row.thoughts)
        cost = .init(row.priced > 0 ? Double(row.cost) / 1_000_000 : nil)
        unpriced = row.unpriced
        if let p50 = LatencyBounds.percentile(0.5, of: row.latencies),
            let p95 = LatencyBounds.percentile(0.95, of: row.latencies)
        {
            latencyMs = Latency(p50: p50, p95: p95)
        }
    }
}

extension Method.FailureList.Failure {
    /// A try as the archive has it.
    fileprivate init(_ found: FailedAttempt) {
        let turn: TurnID?, summary: SummaryID?
        switch found.purpose {
        case .turn(let id): (turn, summary) = (id, nil)
        case .summary(let id): (turn, summary) = (nil, id)
        }
        self.init(
            sessionId: found.session, owner: Int(found.owner.number), turnId: turn, summaryId: summary,
            state: found.state, attempt: Wire.Attempt(found.attempt))
    }
}
