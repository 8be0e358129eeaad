internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let aboutSession = Option(
        short: "s", long: "session", value: "ID", help: "about this session, there or not, by its whole ID")
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N",
        help: "at most N (stats: the largest sessions, default 10; audit: 100)")
    fileprivate static let output = Option(
        short: "o", long: "output", value: "FILE",
        help: "write to a file, whole or not at all, as collectors read it")
}

extension Command {
    static let stats = Command(
        name: "stats", summary: "how much there is: the largest sessions, growth a day, the file",
        options: [.json, .number],
        details: "Bytes are those of contents; the index and the rows around them are in the file's size."
    ) { invocation throws(CommandError) in
        let number = try invocation.arguments.number(.number) ?? 10
        guard (1...1_000).contains(number) else {
            throw .usage("-n takes a number from 1 to 1,000, not '\(number)'")
        }
        let told = try invocation.connect().ask(Method.StoreStats.self) { $0.member("limit", number) }
        let console = invocation.console
        if invocation.has(.json) {
            console.print(json: told)
            return .success
        }
        console.print(
            "\(Times.count(told.sessions, "session")) with \(Times.count(told.messages, "message")), \(Times.bytes(told.bytes)) of content"
        )
        if let file = told.file {
            let behind =
                file.notIndexed == 0 ? "" : ", \(Times.count(file.notIndexed, "message")) not in it yet"
            console.print(
                "file \(Times.bytes(file.bytes)), of that index \(Times.bytes(file.index))\(behind), free \(Times.bytes(file.free))"
            )
        }
        if !told.largest.isEmpty { console.print("") }
        var table = Table([
            Table.Column(title: "SESSION"), Table.Column(title: "TITLE", isFlexible: true),
            Table.Column(title: "MESSAGES", isRight: true), Table.Column(title: "BYTES", isRight: true),
        ])
        for session in told.largest {
            table.add([
                session.sessionId.text, session.title ?? "", "\(session.messages)",
                console.isOutputTerminal ? Times.bytes(session.bytes) : "\(session.bytes)",
            ])
        }
        if !told.largest.isEmpty { table.print(on: console) }
        let most = told.days.map(\.bytes).max() ?? 0
        guard console.isOutputTerminal, most > 0 else { return .success }
        console.print("")
        for day in told.days.suffix(14) where day.messages > 0 {
            let room = max(8, min(40, console.columns - 40))
            let bar = TextWidth.bar(eighths: day.bytes * room * 8 / most)
            console.print(
                "\(day.day)  \(TextWidth.padded(Times.bytes(day.bytes), to: 8, isRight: true))  \(bar)")
        }
        return .success
    }

    static let metrics = Command(
        name: "metrics", summary: "counters and gauges as OpenMetrics text", options: [.output],
        details: """
            For a collector of text files: a line for cron, '* * * * * convo metrics -q -o DIR/convod.prom'. Prompts, tokens,
            money and latencies are kept over restarts, requests are counted from the daemon's start.
            """
    ) { invocation throws(CommandError) in
        let text = try invocation.connect().ask(Method.ServerMetrics.self) { _ in }.text
        guard let path = invocation.value(.output), path != "-" else {
            invocation.console.write(Array(text.utf8))
            return .success
        }
        // Collectors run as users of their own, and there is no word of a conversation in it.
        try ExportFile(path, mode: 0o644).write(text)
        return .success
    }

    static let audit = Command(
        name: "audit", summary: "who changed what", options: [.json, .jsonl, .number, .aboutSession, .since],
        details: """
            Requests that changed sessions, the database or the daemon, the newest first: when, which user and process, what,
            and what came of it. Prompts and messages have records of their own; sessions in memory leave none.
            """
    ) { invocation throws(CommandError) in
        let number = try invocation.arguments.number(.number) ?? 100
        guard (1...100_000).contains(number) else {
            throw .usage("-n takes a number from 1 to 100,000, not '\(number)'")
        }
        let since = try invocation.since(), client = try invocation.connect()
        var told = Method.AuditList.Result(changes: [])
        repeat {
            let page = try client.ask(Method.AuditList.self) {
                $0.optional("session", invocation.value(.aboutSession))
                if let since { $0.member("since", Timestamp.text(since)) }
                $0.optional("cursor", told.nextCursor)
                $0.member("limit", min(1_000, number - told.changes.count))
            }
            told.changes += page.changes
            told.nextCursor = page.nextCursor
        } while told.nextCursor != nil && told.changes.count < number
        let console = invocation.console
        if invocation.has(.jsonl) {
            for change in told.changes { console.print(record: change) }
        } else if invocation.has(.json) {
            console.print(json: told.changes)
        } else {
            var table = Table([
                Table.Column(title: "WHEN"), Table.Column(title: "USER"), Table.Column(title: "WHAT"),
                Table.Column(title: "SESSION", isFlexible: true), Table.Column(title: "OUTCOME"),
            ])
            for change in told.changes {
                table.add([
                    console.isOutputTerminal ? Times.relative(change.at) : change.at.text,
                    Process.userName(UInt32(change.uid)) ?? "\(change.uid)",
                    Wording.deed(change.method), change.session ?? "", change.outcome,
                ])
            }
            if told.changes.isEmpty && console.isOutputTerminal { console.note("nothing was changed") }
            if !told.changes.isEmpty { table.print(on: console) }
        }
        return .success
    }
}
