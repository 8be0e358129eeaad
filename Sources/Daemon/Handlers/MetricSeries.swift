internal import Archive

/// Which models the metrics tell apart: those with the most prompts, of the first 5,000 names.
///
/// Who asks chooses a model's name, and may invent any number of them. What an upstream has beside those that are told apart is
/// summed up, and that sum never falls while the daemon runs.
struct MetricSeries {
    /// Models that are told apart at most, and what the others are called together.
    private static let most = 100, others = "(others)"

    private var kept: Set<UsageRow.Key> = []
    private var told: [String?: UsageRow] = [:]

    /// The rows of the models that are told apart, and of what each upstream has beside those.
    mutating func rows(_ models: [UsageRow], of upstreams: [UsageRow]) -> [UsageRow] {
        for model in models.sorted(by: { $0.prompts > $1.prompts }).prefix(MetricSeries.most)
        where kept.count < MetricSeries.most { kept.insert(model.key) }
        var rows = models.filter { kept.contains($0.key) }
        for upstream in upstreams {
            let name = upstream.key.upstream
            var rest = UsageRow(.init(model: MetricSeries.others, upstream: name))
            rest.add(upstream)
            for row in rows where row.key.upstream == name { rest.subtract(row) }
            // A prompt that came between two looks, or a model that is told apart now, was counted here before.
            if let before = told[name] { rest.raise(to: before) }
            told[name] = rest
            if rest.prompts > 0 || rest.priced + rest.unpriced > 0 { rows.append(rest) }
        }
        return rows
    }
}
