internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store
internal import Upstream

extension Handlers {
    static let measuring: [Handler] = [
        .on(Method.AuditList.self) { $0.listChanges },
        .on(Method.ServerMetrics.self) { $0.tellMetrics },
        .on(Method.StoreStats.self) { $0.tellStats },
    ]

    // MARK: Audit

    /// Keeps requests that change something; nothing of sessions in memory.
    ///
    /// What an operator did to another's session, or to the store, is kept before the answer leaves; what users did to their
    /// own a moment behind it.
    func audit(_ log: Log) {
        tally.answered = { [weak self] call, given, error, answer in
            let method = call.method, about = call.session
            let isAnothers = about.map { $0.owner != call.client.user } ?? false
            guard let self, method.isAudited || method.speaks && isAnothers,
                !(about?.isEphemeral ?? false)
            else { return answer() }
            // What is no ID is nobody's session, however long it is.
            let session = given.flatMap { SessionID($0)?.text } ?? about?.id.text
            let entry = entry(call, session, error)
            if error == nil, isAnothers || method.isOfOperators {
                return archives.write(NoteAudit(entry, durability: .full), isEphemeral: false) {
                    // It is done, and whoever asked must know.
                    if case .failure(let error) = $0 {
                        log.error("audit_not_kept", ("method", entry.method), ("reason", error.description))
                    }
                    answer()
                }
            }
            answer()
            func note() { archives.write(NoteAudit(entry), isEphemeral: false) { _ in } }
            guard archives.hasMemory, about == nil else { return note() }
            guard let id = session.flatMap({ SessionID($0) }) else {
                return method == .sessionNew ? () : note()
            }
            archives.readMemory(SessionByName(id, owner: call.client.user)) { found in
                // What could not be looked up may be one of those.
                if case .success(let there) = found, there.flatMap({ $0 }) == nil { note() }
            }
        }
    }

    /// Keeps that a request changed a session which others of its kind leave as it is.
    func noteChange(_ call: Client.Call, of session: SessionID, on row: SessionRow) {
        if row.isEphemeral || call.method.isAudited { return }
        archives.write(NoteAudit(entry(call, session.text, nil)), isEphemeral: false) { _ in }
    }

    private func entry(_ call: Client.Call, _ session: String?, _ error: ErrorKind?) -> AuditEntry {
        AuditEntry(
            at: clocks.now(), user: call.client.user, pid: call.client.pid, method: call.method.rawValue,
            session: session, outcome: error?.rawValue ?? "done")
    }

    private func listChanges(_ request: Request<Method.AuditList>) throws(WireError) {
        let parameters = request.parameters
        let list = AuditList(
            user: request.client.seesAll ? nil : request.client.user, session: parameters.session,
            since: parameters.since ?? Int64.min, before: try PageCursor.number("a", parameters.cursor),
            limit: parameters.limit)
        archives.readAway(
            list, isShort: false,
            then: looking(request.call) { found in
                request.reply(
                    .init(
                        changes: found.map {
                            .init(
                                at: Wire.Time($0.at), uid: Int($0.user.number),
                                pid: $0.pid > 0 ? $0.pid : nil,
                                method: $0.method, session: $0.session, outcome: $0.outcome)
                        },
                        nextCursor: found.count < parameters.limit
                            ? nil : found.last.map { PageCursor.text("a", $0.id) }))
            })
    }

    // MARK: Statistics

    private func tellStats(_ request: Request<Method.StoreStats>) throws(WireError) {
        let isAdmin = request.client.seesAll
        sumUp(StoreStats(owner: isAdmin ? nil : request.client.user), StatsSum(), request) { [self] sum in
            let largest = sum.sessions.sorted { ($0.value.bytes, $0.key) > ($1.value.bytes, $1.key) }
                .prefix(request.parameters.limit)
            archives.readAway(
                SessionNames(largest.map(\.key)), isShort: false,
                then: looking(request.call) { [self] names in
                    let today = UsageDay.of(clocks.now())
                    request.reply(
                        .init(
                            sessions: sum.sessions.count,
                            messages: sum.sessions.values.reduce(0) { $0 + $1.messages },
                            bytes: sum.sessions.values.reduce(0) { $0 + $1.bytes },
                            largest: largest.compactMap { row, size in
                                names[row].map {
                                    .init(
                                        sessionId: $0.id, owner: Int($0.owner.number), title: $0.title,
                                        messages: size.messages, bytes: size.bytes)
                                }
                            },
                            days: ((today - 29)...today).map { day in
                                let size = sum.days[day] ?? .init()
                                return .init(
                                    day: Timestamp.date(day), messages: size.messages, bytes: size.bytes)
                            },
                            file: isAdmin
                                ? .init(
                                    bytes: sum.file.bytes, free: sum.file.free, index: sum.file.index,
                                    notIndexed: sum.file.notIndexed) : nil))
                })
        }
    }

    private func sumUp(
        _ look: StoreStats, _ sum: StatsSum, _ request: Request<Method.StoreStats>,
        _ then: @escaping (StoreStats.Output) -> Void
    ) {
        archives.readAway(
            look, isShort: false,
            then: looking(request.call) { [self] output in
                sum.add(output)
                if let next = output.next { sumUp(next, sum, request, then) } else { then(sum.value) }
            })
    }

    // MARK: Metrics

    private func tellMetrics(_ request: Request<Method.ServerMetrics>) throws(WireError) {
        let days = 0...UsageDay.of(clocks.now()) + 1
        let upstreams = UsageReport(owner: nil, days: days, by: [.upstream], limit: 1_000)
        let models = UsageReport(owner: nil, days: days, by: [.upstream, .model], limit: 5_000)
        _ = archives.usage(models) { [self] usage in
            guard !request.call.isAnswered else { return }
            _ = archives.usage(upstreams) { [self] sums in
                guard !request.call.isAnswered else { return }
                do throws(ArchiveError) {
                    let rows = series.rows(try usage.get().rows, of: try sums.get().rows)
                    request.reply(.init(text: metrics(rows)))
                } catch { request.fail(WireError(error)) }
            }
        }
    }

    private func metrics(_ usage: [UsageRow]) -> String {
        var text = OpenMetrics()
        text.family("convod_build", .info, "What runs.")
        text.sample("convod_build_info", [("version", Version.text), ("engine", archives.engine)], 1)
        text.family("convod_start_time_seconds", .gauge, "When the daemon began, in seconds since 1970.")
        text.sample("convod_start_time_seconds", [], Double(server.startedAt) / 1_000)
        text.family("convod_connections", .gauge, "Clients that are connected.")
        text.sample("convod_connections", [], Double(server.connections()))
        text.family("convod_timers", .gauge, "Timers that the loop holds.")
        text.sample("convod_timers", [], Double(loop.heldTimers))
        text.family("convod_turns_running", .gauge, "Turns that are being answered.")
        text.sample("convod_turns_running", [], Double(engine.live.count))
        text.family("convod_requests", .counter, "Requests that were answered since the start.")
        for (key, count) in tally.counts.sorted(by: {
            ($0.key.method.rawValue, $0.key.error?.rawValue ?? "") < (
                $1.key.method.rawValue, $1.key.error?.rawValue ?? ""
            )
        }) {
            text.sample(
                "convod_requests_total",
                [("method", key.method.rawValue), ("outcome", key.error?.rawValue ?? "done")], Double(count))
        }
        text.family("convod_upstream_up", .gauge, "1 where the upstream's breaker lets requests through.")
        let now = clocks.steady()
        for upstream in routes.upstreams.all {
            let told = Method.UpstreamList.Result.Upstream(
                upstream, configuration.value, now: now, isAdmin: true)
            text.sample("convod_upstream_up", [("upstream", told.name)], told.breaker == "open" ? 0 : 1)
        }
        func labels(_ row: UsageRow) -> [(String, String)] {
            [("upstream", row.key.upstream ?? ""), ("model", row.key.model ?? "")]
        }
        let counters: [(String, String, (UsageRow) -> Int)] = [
            (
                "convod_prompts", "Prompts that were answered or came to nothing, kept over restarts.",
                { $0.prompts }
            ),
            ("convod_prompt_failures", "Prompts that came to nothing.", { $0.failures }),
            ("convod_input_tokens", "Tokens of requests, those out of caches included.", { $0.input }),
            ("convod_cached_tokens", "Tokens of requests out of the providers' caches.", { $0.cached }),
            ("convod_output_tokens", "Tokens of answers, thoughts included.", { $0.output }),
            ("convod_thought_tokens", "Tokens of thoughts.", { $0.thoughts }),
        ]
        for (name, help, value) in counters {
            text.family(name, .counter, help)
            for row in usage { text.sample(name + "_total", labels(row), Double(value(row))) }
        }
        text.family("convod_cost_dollars", .counter, "What prompts cost whose price is known.")
        for row in usage where row.priced > 0 {
            text.sample("convod_cost_dollars_total", labels(row), Double(row.cost) / 1_000_000)
        }
        text.family(
            "convod_first_piece_seconds", .histogram,
            "How long the first piece of an answer took; times count with the bound that they did not pass.")
        for row in usage where !row.latencies.isEmpty {
            var count = 0, sum = 0.0
            for bound in LatencyBounds.all {
                count += row.latencies[bound] ?? 0
                sum += Double(row.latencies[bound] ?? 0) * Double(bound) / 1_000
                text.sample(
                    "convod_first_piece_seconds_bucket",
                    labels(row) + [("le", OpenMetrics.number(Double(bound) / 1_000))],
                    Double(count))
            }
            text.sample("convod_first_piece_seconds_bucket", labels(row) + [("le", "+Inf")], Double(count))
            text.sample("convod_first_piece_seconds_count", labels(row), Double(count))
            text.sample("convod_first_piece_seconds_sum", labels(row), sum)
        }
        return text.end()
    }
}

/// What the slices of the store's statistics come to: one object, so that no slice copies what came before it.
private final class StatsSum {
    private(set) var value = StoreStats.Output()

    func add(_ slice: StoreStats.Output) {
        value.sessions.merge(slice.sessions, uniquingKeysWith: +)
        value.days.merge(slice.days, uniquingKeysWith: +)
        let index = value.file.index + slice.file.index
        value.file = slice.file
        value.file.index = index
    }
}

/// The text of OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/).
struct OpenMetrics {
    enum Kind: String { case info, gauge, counter, histogram }

    private var text = ""

    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# TYPE \(name) \(kind.rawValue)\n# HELP \(name) \(OpenMetrics.escaped(help))\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        let inner = labels.map { "\($0)=\"\(OpenMetrics.escaped($1))\"" }.joined(separator: ",")
        text += "\(name)\(inner.isEmpty ? "" : "{\(inner)}") \(OpenMetrics.number(value))\n"
    }

    func end() -> String { text + "# EOF\n" }

    /// A whole number without a point, and no exponent.
    static func number(_ value: Double) -> String {
        guard value > -1e15, value < 1e15 else { return String(value) }
        let whole = Int(value)
        return Double(whole) == value ? String(whole) : String(value)
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
