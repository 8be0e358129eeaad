internal import ConvoClient
internal import JSON
internal import Protocol

extension Command {
    static let upstreams = Command(
        name: "upstreams", summary: "show the upstreams and how they fare, or test one",
        arguments: "[test NAME]", count: 0...2, options: [.json, .jsonl, .model],
        details: """
            Shows for each upstream its key (masked), its breaker, its latency to the first words and its last error.
            'convo upstreams test NAME' makes one small call, says what fails and what to do, and ends with 5 then.
            """
    ) { invocation throws(CommandError) in
        let words = invocation.positionals
        if words.isEmpty { return try UpstreamReport.list(invocation) }
        guard words[0] == "test", words.count == 2 else {
            throw .usage("'convo upstreams' takes nothing, or 'test NAME'; 'convo upstreams' shows the names")
        }
        return try UpstreamReport.test(words[1], invocation)
    }
}

/// What `_convod/upstream/list` and `_convod/upstream/test` say, for people.
enum UpstreamReport {
    static func list(_ invocation: Invocation) throws(CommandError) -> ExitCode {
        let console = invocation.console
        let list = try invocation.connect().ask(Method.UpstreamList.self)
        if invocation.has(.jsonl) {
            for upstream in list.upstreams { console.print(record: upstream) }
            return .success
        }
        if invocation.has(.json) {
            console.print(json: list)
            return .success
        }
        table(list.upstreams).print(on: console)
        for upstream in list.upstreams { explain(upstream, console) }
        return .success
    }

    private static func table(_ upstreams: [Method.UpstreamList.Result.Upstream]) -> Table {
        var table = Table([
            Table.Column(title: "UPSTREAM"), Table.Column(title: "KIND"),
            Table.Column(title: "MODEL", isFlexible: true), Table.Column(title: "KEY"),
            Table.Column(title: "BREAKER"), Table.Column(title: "LATENCY", isRight: true),
            Table.Column(title: "ANSWERS", isRight: true), Table.Column(title: "FAILURES", isRight: true),
        ])
        for upstream in upstreams {
            table.add([
                upstream.name, upstream.kind, upstream.model ?? "", key(of: upstream), breaker(of: upstream),
                upstream.latencyMs.map { "\(Times.number($0)) ms" } ?? "",
                Times.number(upstream.answers), Times.number(upstream.failures),
            ])
        }
        return table
    }

    /// The first key that is good, else what is wrong with the first.
    private static func key(of upstream: Method.UpstreamList.Result.Upstream) -> String {
        if upstream.credential != nil { return upstream.hasKey ? "credential" : "missing" }
        let keys = upstream.keys
        guard let first = keys.first(where: { $0.state == "ready" }) ?? keys.first else {
            return upstream.kind == "echo" ? "" : "none"
        }
        return first.state == "ready" ? first.masked ?? "ready" : first.state
    }

    private static func breaker(of upstream: Method.UpstreamList.Result.Upstream) -> String {
        guard let wait = upstream.retryInMs else { return upstream.breaker }
        return "\(upstream.breaker), \((wait + 999) / 1000) s"
    }

    /// What of an upstream does not fit into the table: keys that are no good, and the last error.
    private static func explain(_ upstream: Method.UpstreamList.Result.Upstream, _ console: Console) {
        guard console.isOutputTerminal else { return }
        func say(_ words: String) {
            console.print(Console.harmless("\(upstream.name): \(words)", keepingLines: false))
        }
        if let credential = upstream.credential { say(credential) }
        for key in upstream.keys {
            guard let reason = key.reason else { continue }
            say("\(key.source): \(reason)")
        }
        if let error = upstream.lastError {
            let when = upstream.lastErrorAt.map { ", \(Times.relative($0))" } ?? ""
            say("last error\(when): \(error.message)")
        }
    }

    static func test(_ name: String, _ invocation: Invocation) throws(CommandError) -> ExitCode {
        let console = invocation.console, model = try invocation.model()
        let test = try invocation.connect().ask(Method.UpstreamTest.self) {
            $0.member("upstream", name)
            $0.optional("model", model)
        }
        let code = test.ok ? ExitCode.success : .upstream
        if invocation.has(.json) || invocation.has(.jsonl) {
            console.print(record: test)
            return code
        }
        guard test.ok else {
            let message = test.error?.message ?? "it failed"
            Console.complain("upstream '\(name)' (\(test.model)): \(message); \(test.hint ?? "")")
            return code
        }
        let first = test.firstMs.map { ", first words after \($0) ms" } ?? ""
        console.print("upstream '\(name)' (\(test.model)) answers in \(test.totalMs) ms\(first)")
        if let text = test.text { console.print(Console.harmless("it says: \(text)", keepingLines: false)) }
        return code
    }
}
