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
        let view = try invocation.connect().ask(.upstreamList)
        let upstreams = view["upstreams"].map { Array($0.elements) } ?? []
        if invocation.has(.jsonl) {
            for upstream in upstreams { console.print(record: upstream) }
            return .success
        }
        if invocation.has(.json) {
            console.print(json: view)
            return .success
        }
        var table = Table([
            Table.Column(title: "UPSTREAM"), Table.Column(title: "KIND"),
            Table.Column(title: "MODEL", isFlexible: true), Table.Column(title: "KEY"),
            Table.Column(title: "BREAKER"), Table.Column(title: "LATENCY", isRight: true),
            Table.Column(title: "ANSWERS", isRight: true), Table.Column(title: "FAILURES", isRight: true),
        ])
        for upstream in upstreams {
            table.add([
                upstream["name"]?.string ?? "", upstream["kind"]?.string ?? "",
                upstream["model"]?.string ?? "", key(of: upstream), breaker(of: upstream),
                upstream["latencyMs"]?.int.map { "\(Times.number($0)) ms" } ?? "",
                Times.number(upstream["answers"]?.int ?? 0), Times.number(upstream["failures"]?.int ?? 0),
            ])
        }
        table.print(on: console)
        for upstream in upstreams { explain(upstream, console) }
        return .success
    }

    /// The first key that is good, else what is wrong with the first.
    private static func key(of upstream: JSONView) -> String {
        if upstream["credential"] != nil {
            return upstream["hasKey"]?.bool == true ? "credential" : "missing"
        }
        let keys = upstream["keys"].map { Array($0.elements) } ?? []
        guard let first = keys.first(where: { $0["state"]?.string == "ready" }) ?? keys.first else {
            return upstream["kind"]?.string == "echo" ? "" : "none"
        }
        let state = first["state"]?.string ?? ""
        return state == "ready" ? first["masked"]?.string ?? "ready" : state
    }

    private static func breaker(of upstream: JSONView) -> String {
        let name = upstream["breaker"]?.string ?? ""
        guard let wait = upstream["retryInMs"]?.int else { return name }
        return "\(name), \((wait + 999) / 1000) s"
    }

    /// What of an upstream does not fit into the table: keys that are no good, and the last error.
    private static func explain(_ upstream: JSONView, _ console: Console) {
        guard console.isOutputTerminal else { return }
        let name = upstream["name"]?.string ?? ""
        func say(_ words: String) {
            console.print(Console.harmless("\(name): \(words)", keepingLines: false))
        }
        if let credential = upstream["credential"]?.string { say(credential) }
        for key in upstream["keys"]?.elements ?? upstream.elements {
            guard let reason = key["reason"]?.string else { continue }
            say("\(key["source"]?.string ?? "a key"): \(reason)")
        }
        if let message = upstream["lastError"]?["message"]?.string {
            let when = upstream["lastErrorAt"]?.string.map { ", \(Times.relative($0))" } ?? ""
            say("last error\(when): \(message)")
        }
    }

    static func test(_ name: String, _ invocation: Invocation) throws(CommandError) -> ExitCode {
        let console = invocation.console
        let view = try invocation.connect().ask(.upstreamTest) {
            $0.member("upstream", name)
            $0.optional("model", invocation.value(.model))
        }
        let isGood = view["ok"]?.bool ?? false
        if invocation.has(.json) || invocation.has(.jsonl) {
            console.print(record: view)
            return isGood ? .success : .upstream
        }
        let model = view["model"]?.string ?? ""
        guard isGood else {
            let message = view["error"]?["message"]?.string ?? "it failed"
            Console.complain("upstream '\(name)' (\(model)): \(message); \(view["hint"]?.string ?? "")")
            return .upstream
        }
        let first = view["firstMs"]?.int.map { ", first words after \($0) ms" } ?? ""
        console.print("upstream '\(name)' (\(model)) answers in \(view["totalMs"]?.int ?? 0) ms\(first)")
        if let text = view["text"]?.string {
            console.print(Console.harmless("it says: \(text)", keepingLines: false))
        }
        return .success
    }
}
