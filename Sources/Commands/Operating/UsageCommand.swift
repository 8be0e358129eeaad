internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let by = Option(
        long: "by", value: "LIST", help: "day, model, upstream, user, session, with commas (default day)")
    fileprivate static let days = Option(long: "days", value: "N", help: "the last N days (default 30)")
    fileprivate static let from = Option(long: "from", value: "DAY", help: "the first day, as 2026-11-25")
    fileprivate static let to = Option(long: "to", value: "DAY", help: "the last day")
}

extension Command {
    static let usage = Command(
        name: "usage", summary: "sum up tokens, money and waits by day, model, upstream, user or session",
        options: [.by, .days, .from, .json, .jsonl, .to],
        details: """
            Days are UTC. Money is dollars by the prices of the configuration, else by those that convo knows; '?' is what
            nobody knows, '+?' that some is not in the sum. CACHED is the share of the input that providers read from
            their caches. FIRST is how long half of the turns, and 19 of 20, waited for the first piece of an answer.
            Administrators see everybody's, others their own. In a pipe: the numbers, TAB-separated, in the order of
            the headings.
            """
    ) { invocation throws(CommandError) in
        let report = try UsageQuestion(invocation).ask(try invocation.connect())
        if invocation.has(.jsonl) {
            for row in report.rows { invocation.console.print(record: row) }
        } else if invocation.has(.json) {
            invocation.console.print(json: report)
        } else {
            UsageDrawing(report, invocation).print()
        }
        return .success
    }
}

/// What somebody wants to know of the usage.
private struct UsageQuestion {
    let by: [String]
    let from: String?
    let to: String?

    init(_ invocation: Invocation) throws(CommandError) {
        by = UsageQuestion.parts(invocation)
        to = invocation.value(.to)
        let days = try invocation.arguments.number(.days)
        let given = invocation.value(.from)
        if given != nil && days != nil {
            throw .usage("--from and --days both say where it begins; give one")
        }
        for (option, text) in [(Option.from, given), (.to, to)] {
            if let text, Timestamp.day(text) == nil {
                throw .usage("--\(option.long) takes a day such as 2026-11-25, not '\(text)'")
            }
        }
        guard let days else {
            from = given
            return
        }
        guard (1...3_660).contains(days) else { throw .usage("--days takes 1 to 3660, not \(days)") }
        let last = to.flatMap { Timestamp.day($0) } ?? Machine.milliseconds() / Timestamp.day
        from = Timestamp.date(last - Int64(days) + 1)
    }

    static func parts(_ invocation: Invocation) -> [String] {
        guard let text = invocation.value(.by) else { return ["day"] }
        return text.split(separator: ",").map { String($0.filter { $0 != " " }) }
    }

    func ask(_ client: Client) throws(CommandError) -> Method.UsageList.Result {
        let known = Method.UsageList.parts
        if let stray = by.first(where: { !known.contains($0) }) {
            throw .usage("--by takes \(known.joined(separator: ", ")), not '\(stray)'")
        }
        if Set(by).count < by.count { throw .usage("--by names something twice") }
        return try client.ask(Method.UsageList.self) {
            $0.key("by")
            $0.array { for part in by { $0.string(part) } }
            $0.optional("from", from)
            $0.optional("to", to)
        }
    }
}

/// A report as a table, with a bar a row.
private struct UsageDrawing {
    private typealias Row = Method.UsageList.Row

    private let report: Method.UsageList.Result
    private let by: [String]
    private let console: Console

    init(_ report: Method.UsageList.Result, _ invocation: Invocation) {
        self.report = report
        by = UsageQuestion.parts(invocation)
        console = invocation.console
    }

    func print() {
        if report.rows.isEmpty {
            return console.note("nothing was used from \(report.from) to \(report.to)")
        }
        guard console.isOutputTerminal else {
            for row in report.rows { console.print((names(row) + numbers(row)).joined(separator: "\t")) }
            return
        }
        // What does not fit is left out, the least wanted first.
        let columns = console.columns
        let isWide = columns >= 100, isMiddling = columns >= 64
        var titles = by.map { Table.Column(title: $0.uppercased(), isFlexible: $0 != "day") }
        titles.append(Table.Column(title: isMiddling ? "PROMPTS" : "N", isRight: true))
        titles.append(Table.Column(title: "IN", isRight: true))
        if isMiddling { titles.append(Table.Column(title: "CACHED", isRight: true)) }
        titles.append(Table.Column(title: "OUT", isRight: true))
        titles.append(Table.Column(title: "COST", isRight: true))
        if isWide { titles.append(Table.Column(title: "FAILED", isRight: true)) }
        if isWide { titles.append(Table.Column(title: "FIRST", isRight: true)) }
        if isMiddling { titles.append(Table.Column(title: "")) }
        var table = Table(titles)
        for row in report.rows { table.add(cells(row, names(row), isMiddling: isMiddling, isWide: isWide)) }
        if report.rows.count > 1 {
            let names = by.enumerated().map { $0.offset == 0 ? "all" : "" }
            table.add(cells(report.total, names, isMiddling: isMiddling, isWide: isWide, hasBar: false))
        }
        table.print(on: console)
        if report.more { console.note("there are more rows; narrow the days, or ask by less") }
    }

    private func names(_ row: Row) -> [String] {
        by.map { part in
            switch part {
            case "day": row.day ?? ""
            case "model": row.model ?? ""
            case "upstream": row.upstream ?? ""
            case "user": row.user.map { Process.userName(UInt32(clamping: $0)) ?? String($0) } ?? ""
            default: row.sessionId?.text ?? "(gone)"
            }
        }
    }

    /// All numbers as programs read them; empty for what nobody knows.
    private func numbers(_ row: Row) -> [String] {
        let counts = [
            row.prompts, row.inputTokens, row.cachedTokens, row.writtenTokens, row.outputTokens,
            row.thoughtTokens,
        ]
        return counts.map(String.init) + [
            row.cost.amount.map { "\($0)" } ?? "", String(row.unpriced), String(row.failures),
            row.latencyMs.map { String($0.p50) } ?? "", row.latencyMs.map { String($0.p95) } ?? "",
        ]
    }

    private func cells(
        _ row: Row, _ names: [String], isMiddling: Bool, isWide: Bool, hasBar: Bool = true
    ) -> [String] {
        let share = row.inputTokens > 0 ? "\(row.cachedTokens * 100 / row.inputTokens)%" : ""
        var cells = names + [Times.number(row.prompts), UsageDrawing.short(row.inputTokens)]
        if isMiddling { cells.append(share) }
        cells += [UsageDrawing.short(row.outputTokens), UsageDrawing.dollars(row)]
        if isWide {
            cells.append(row.failures > 0 ? Times.number(row.failures) : "")
            cells.append(
                // They are bounds that times kept.
                row.latencyMs.map { "≤\(UsageDrawing.seconds($0.p50))…\(UsageDrawing.seconds($0.p95))" } ?? ""
            )
        }
        if isMiddling { cells.append(hasBar ? bar(row, width: isWide ? 20 : 8) : "") }
        return cells
    }

    /// By money where any is known, else by tokens.
    private func bar(_ row: Row, width: Int) -> String {
        func measure(_ row: Row) -> Double {
            report.total.cost.amount == nil
                ? Double(row.inputTokens + row.outputTokens) : row.cost.amount ?? 0
        }
        let most = report.rows.map(measure).max() ?? 0
        let eighths = most > 0 ? Int(measure(row) / most * Double(width * 8)) : 0
        return TextWidth.bar(eighths: max(eighths, measure(row) > 0 ? 1 : 0))
    }

    /// A number of tokens in three digits.
    static func short(_ tokens: Int) -> String {
        switch tokens {
        case ..<10_000: Times.number(tokens)
        case ..<1_000_000: "\(tokens / 1_000)k"
        case ..<10_000_000: "\(tokens / 1_000_000).\(tokens / 100_000 % 10)M"
        default: "\(Times.number(tokens / 1_000_000))M"
        }
    }

    private static func dollars(_ row: Row) -> String {
        guard let cost = row.cost.amount else { return row.unpriced > 0 ? "?" : "" }
        return Money.text(cost) + (row.unpriced > 0 ? "+?" : "")
    }

    private static func seconds(_ milliseconds: Int) -> String {
        milliseconds < 1_000
            ? "\(milliseconds) ms" : "\(milliseconds / 1_000).\(milliseconds / 100 % 10) s"
    }
}

/// Dollars as people read them.
enum Money {
    /// With cents, and below a cent with as many digits as say something.
    static func text(_ dollars: Double) -> String {
        let millionths = Int(min(max(dollars, 0), 1e12) * 1_000_000 + 0.5)
        if millionths == 0 { return "$0" }
        let digits = millionths >= 100_000 ? 2 : millionths >= 1_000 ? 4 : 6
        let unit = digits == 2 ? 10_000 : digits == 4 ? 100 : 1
        let rounded = (millionths + unit / 2) / unit
        let scale = 1_000_000 / unit
        let fraction = String(rounded % scale + scale).dropFirst()
        return "$\(Times.number(rounded / scale)).\(fraction)"
    }
}
