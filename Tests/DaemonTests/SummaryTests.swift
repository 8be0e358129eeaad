internal import JSON
internal import TestSupport
internal import Testing

/// A session whose turns server `a` answers and whose summaries server `b` makes.
private struct SummaryBench {
    let bench: Bench
    var client: TestClient { bench.client }
    let words = String(repeating: "word ", count: 60)

    init(
        _ summaries: [[ScriptedUpstream.Step]] = [ScriptedUpstream.answer(["the gist"])],
        window: String = #""strategy":"summarize""#, length: Int = 3_000, more: String = "",
        shows: Bool = true, slow: Bool = false
    ) throws {
        let answer = ScriptedUpstream.answer(["answer"], usage: "null")
        bench = try Bench(
            [[(slow ? [.hold] : []) + answer], summaries],
            each: "contextLength: \(length)",
            more: "window: { reserveTokens: 500 }, summarizer: { upstream: 'b'\(more) }")
        let session = shows ? #"{"compaction":{},"notices":{}}"# : "{}"
        _ = try client.call(
            "initialize", #"{"protocolVersion":1,"clientCapabilities":{"session":\#(session)}}"#)
        try client.open("s", #""window":{\#(window)}"#)
    }

    /// The compaction updates among some messages, as status and what they say.
    func compactions(_ updates: [JSONView]) -> [String] {
        updates.compactMap { message in
            let update = message["params"]?["update"]
            guard update?["sessionUpdate"]?.string == "compaction_update" else { return nil }
            let words = update?["summary"]?.elements.compactMap { $0["text"]?.string }.joined()
            return [update?["status"]?.string, words, update?["error"]?.string].compactMap(\.self)
                .joined(separator: ": ")
        }
    }

    /// Asks the next question of a session, and gives its receipt and what was told.
    func ask(_ number: Int) throws -> (receipt: JSONView, told: [String]) {
        let answer = try client.prompt("s", "question \(number) \(words)")
        let told = try client.call(
            "_convod/context/receipt", #"{"turnId":"\#(answer.extras?["turnId"]?.string ?? "")"}"#)
        return (try #require(told.result?["receipt"]), compactions(answer.updates + told.updates))
    }

    /// Waits until a summary is made, or came to nothing.
    @discardableResult
    func untilMade(_ status: String = "completed") throws -> String {
        let update = try client.update { !compactions([$0]).filter { !$0.hasPrefix("in_progress") }.isEmpty }
        let told = compactions([update])[0]
        #expect(told.hasPrefix(status), "\(told)")
        return told
    }

    /// Asks until the window passes the mark, and waits for the summary; the number of the next question.
    func untilSummarized(from first: Int = 0, _ status: String = "completed") throws -> Int {
        for number in first..<(first + 60) {
            let (receipt, told) = try ask(number)
            if told.contains(where: { !$0.hasPrefix("in_progress") }) { return number + 1 }
            let used = Double(receipt["estimate"]?.int ?? 0)
            // The answer counts too; so near the mark nobody can tell.
            guard used > 0.8 * Double(receipt["budget"]?.int ?? 0) || !told.isEmpty else { continue }
            try untilMade(status)
            return number + 1
        }
        Issue.record("no summary was made")
        return 0
    }

    func summaries() throws -> [JSONView] {
        let page = try client.call("_convod/summary/list", #"{"sessionId":"s"}"#).result
        return page?["summaries"].map { $0.elements.map(\.self) } ?? []
    }

    func id(_ summary: JSONView?) -> String { summary?["summaryId"]?.string ?? "" }

    /// The last request of server `a`.
    func lastRequest() -> String { bench.servers[0].requests.last ?? "" }
}

@Suite struct `A summary` {
    @Test func `is made behind the turn that passes the mark, once, and takes the place of what is cut`()
        throws
    {
        let bench = try SummaryBench()
        var next = try bench.untilSummarized(), cuts = 0
        #expect(bench.bench.counts[1] == 1)
        let made = try #require(try bench.summaries().first)
        #expect(made["from"]?.int == 1 && made["text"]?.string == "the gist")
        #expect(made["upstream"]?.string == "b" && made["inputTokens"]?.int == 7)
        // What is summarized goes whole until the cut.
        #expect(!bench.lastRequest().contains("the gist"))
        for number in next..<(next + 40) {
            let (receipt, _) = try bench.ask(number)
            next = number + 1
            guard receipt["rule"]?.string == "summary" else { continue }
            cuts = 1
            let to = made["to"]?.int ?? 0
            #expect(
                receipt["summary"]?["to"]?.int == to
                    && receipt["sent"]?.elements.first { _ in true }?.int == to + 1)
            #expect(receipt["summarizedMessages"]?.int == to)
            #expect(bench.lastRequest().contains("Summary of messages 1 to \(to) of this conversation"))
            break
        }
        #expect(cuts == 1 && bench.bench.counts[1] == 1)
        // The next round covers what came since, with the summary before.
        _ = try bench.untilSummarized(from: next)
        #expect(bench.bench.counts[1] == 2)
        #expect(bench.bench.servers[1].requests[1].contains("the gist"))
        #expect(!bench.bench.servers[1].requests[1].contains("question 0 "))
        #expect(try bench.summaries().map { $0["from"]?.int } == [1, 1])
    }

    @Test func `that comes to nothing holds up nobody and is not tried again for the same messages`() throws {
        let down = ScriptedUpstream.failure("400 Bad Request", #"{"error":{"message":"no"}}"#)
        let bench = try SummaryBench([down])
        let next = try bench.untilSummarized("failed")
        #expect(bench.bench.counts[1] == 1)
        let failed = try #require(try bench.summaries().first)
        #expect(failed["text"] == nil && failed["problem"]?.string?.isEmpty == false)
        let found = try bench.client.call(
            "_convod/summary/get", #"{"sessionId":"s","summaryId":"\#(bench.id(failed))"}"#
        ).result
        #expect(found?["attempts"]?.elements.first { _ in true }?["outcome"]?.string == "upstream_refused")
        var isCut = false
        for number in next..<(next + 12) where !isCut {
            let (receipt, told) = try bench.ask(number)
            isCut = receipt["rule"]?.string == "maxTokens"
            if !isCut { #expect(told.isEmpty) }
        }
        #expect(isCut)
    }

    @Test func `is made once, though the next turn began before it was there and ended behind it`() throws {
        let held: [ScriptedUpstream.Step] = [.hold] + ScriptedUpstream.answer(["the gist"])
        let bench = try SummaryBench([held, ScriptedUpstream.answer(["another"])], slow: true)
        var number = 0, told: [String] = []
        while told.isEmpty {
            let id = try bench.client.startPrompt("s", "question \(number) \(bench.words)")
            bench.bench.servers[0].proceed()
            told = bench.compactions(try bench.client.finish(id).updates)
            if told.isEmpty {
                told = bench.compactions(
                    try bench.client.call("_convod/session/get", #"{"sessionId":"s"}"#).updates)
            }
            number += 1
        }
        #expect(told == ["in_progress"])
        let id = try bench.client.startPrompt("s", "question \(number) \(bench.words)")
        _ = try bench.client.update { $0.extras?["state"]?.string == "waiting" }
        bench.bench.servers[1].proceed()
        try bench.untilMade()
        bench.bench.servers[0].proceed()
        #expect(bench.compactions(try bench.client.finish(id).updates).isEmpty)
        for next in 1...2 {
            let id = try bench.client.startPrompt("s", "question \(number + next) \(bench.words)")
            bench.bench.servers[0].proceed()
            #expect(bench.compactions(try bench.client.finish(id).updates).isEmpty)
        }
        #expect(bench.bench.counts[1] == 1)
    }

    @Test func `that is thrown away is not made again, and its messages go again as far as they fit`() throws
    {
        let bench = try SummaryBench()
        let next = try bench.untilSummarized()
        let id = bench.id(try bench.summaries().first)
        let gone = try bench.client.call(
            "_convod/summary/delete", #"{"sessionId":"s","summaryId":"\#(id)"}"#)
        #expect(gone.result != nil)
        #expect(try bench.summaries().isEmpty)
        var rule = ""
        for number in next..<(next + 12) where rule != "maxTokens" {
            rule = try bench.ask(number).receipt["rule"]?.string ?? ""
            #expect(rule != "summary")
        }
        #expect(bench.bench.counts[1] == 1 && !bench.lastRequest().contains("the gist"))
        let again = try bench.client.call(
            "_convod/summary/delete", #"{"sessionId":"s","summaryId":"\#(id)"}"#)
        #expect(again.kind == "not_found")
    }

    @Test(arguments: ["sawtooth", "summarize", "auto", "slide"])
    func `that is thrown away, or dropped with a mark, leaves no hole, whatever cut was made by it`(
        _ strategy: String
    ) throws {
        for change in ["delete", "exclude"] {
            let bench = try SummaryBench(window: #""strategy":"\#(strategy)""#)
            for number in 0..<4 { _ = try bench.ask(number) }
            let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
            let id = try #require(made.result?["summaryId"]?.string)
            #expect(try bench.ask(4).receipt["summary"]?["to"]?.int == 6)
            if change == "delete" {
                #expect(
                    try bench.client.call(
                        "_convod/summary/delete", #"{"sessionId":"s","summaryId":"\#(id)"}"#
                    )
                    .error == nil)
            } else {
                let first = try bench.client.call("_convod/message/list", #"{"sessionId":"s","limit":1}"#)
                let message = first.result?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
                let marked = try bench.client.call(
                    "_convod/message/set", #"{"sessionId":"s","messageId":"\#(message)","excluded":true}"#)
                #expect(marked.result?["summariesDropped"]?.int == 1)
            }
            let receipt = try bench.ask(5).receipt
            #expect(receipt["summary"] == nil && receipt["rule"]?.string != "anchor", "\(text(receipt.raw))")
            #expect(receipt["sent"]?.elements.first { _ in true }?.int == (change == "delete" ? 1 : 3))
        }
    }

    @Test func `is ready before the window is full of turns or messages, and nothing falls between`() throws {
        for limit in [#""maxTurns":10"#, #""maxMessages":20"#] {
            let bench = try SummaryBench(window: #""strategy":"summarize",\#(limit)"#, length: 100_000)
            var covered = 0
            for number in 0..<30 {
                let (receipt, told) = try bench.ask(number)
                let first = receipt["sent"]?.elements.first { _ in true }?.int ?? 1
                covered = max(covered, receipt["summary"]?["to"]?.int ?? 0)
                #expect(
                    first == covered + 1, "turn \(number) with \(limit): from \(first), told to \(covered)")
                if told.contains(where: { $0.hasPrefix("in_progress") }) && told.count == 1 {
                    try bench.untilMade()
                }
            }
            #expect(covered > 20)
        }
    }

    @Test func `that ends at the model's limit says so, to a model as well`() throws {
        let bench = try SummaryBench([ScriptedUpstream.answer(["half of a"], finish: "length")])
        for number in 0..<2 { _ = try bench.ask(number) }
        let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        #expect(made.result?["text"]?.string == "half of a\n(This was cut at the limit of its length.)")
        _ = try bench.ask(2)
        #expect(bench.lastRequest().contains("half of a\\n(This was cut"))
    }

    /// As OpenAI says it, with the count of the words and of the answer, and as one says it that names no number.
    @Test(arguments: [
        "This model's maximum context length is 4096 tokens. However, you requested 4500 tokens (2452 in the messages, 2048 in the completion)",
        "the prompt is too long; context length exceeded",
    ])
    func
        `that is too long for its model is asked for again with a smaller answer, and then in smaller pieces`(
            _ words: String
        ) throws
    {
        let refused = ScriptedUpstream.failure(
            "400 Bad Request",
            #"{"error":{"message":"\#(words)","code":"context_length_exceeded"}}"#)
        for refusals in [1, 2] {
            let fine = ScriptedUpstream.answer(["in short"])
            let bench = try SummaryBench(
                Array(repeating: refused, count: refusals) + Array(repeating: fine, count: 8), length: 20_000)
            for number in 0..<4 { _ = try bench.ask(number) }
            let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
            #expect(
                made.result?["text"]?.string == "in short",
                "\(refusals): \(made.error?["message"]?.string ?? "")")
            #expect(made.result?["from"]?.int == 1 && made.result?["to"]?.int == 6)
        }
    }

    @Test func `that a server refuses is logged without what the server says of it`() throws {
        let bench = try SummaryBench([
            ScriptedUpstream.failure("400 Bad Request", #"{"error":{"message":"cannot read: secretword"}}"#)
        ])
        for number in 0..<2 { _ = try bench.ask(number) }
        let refused = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        #expect(refused.error?["message"]?.string?.contains("secretword") == true)
        let log = bench.bench.daemon.logged.joined()
        #expect(log.contains("event=not_summarized") && !log.contains("secretword"), "\(log)")
        let failures =
            try bench.client.call("_convod/failure/list").result?["failures"]?.elements.map { $0 } ?? []
        #expect(failures.count == 1 && failures[0]["attempt"]?["status"]?.int == 400)
        #expect(failures[0]["summaryId"]?.string != nil && failures[0]["turnId"] == nil)
        #expect(failures[0]["state"]?.string == "failed")
    }

    @Test func `can be given other words, which go from then on`() throws {
        let bench = try SummaryBench(window: #""strategy":"slide""#)
        for number in 0..<3 { _ = try bench.ask(number) }
        let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        let id = made.result?["summaryId"]?.string ?? ""
        let blank = try bench.client.call(
            "_convod/summary/set", #"{"sessionId":"s","summaryId":"\#(id)","text":" "}"#)
        #expect(blank.kind == "invalid_params")
        let changed = try bench.client.call(
            "_convod/summary/set", #"{"sessionId":"s","summaryId":"\#(id)","text":"a better gist"}"#)
        #expect(changed.result?["editedAt"] != nil)
        _ = try bench.ask(3)
        #expect(bench.lastRequest().contains("a better gist"))
    }

    @Test func `of a message that is excluded is dropped, and made anew without it`() throws {
        let bench = try SummaryBench()
        let next = try bench.untilSummarized()
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let first = page?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
        let marked = try bench.client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(first)","excluded":true}"#)
        #expect(marked.result?["summariesDropped"]?.int == 1)
        #expect(try bench.summaries().isEmpty)
        _ = try bench.untilSummarized(from: next)
        #expect(bench.bench.counts[1] == 2)
        #expect(!bench.bench.servers[1].requests[1].contains("question 0 "))
    }

    @Test func `goes along with a fork, and not with a path that leaves before its end`() throws {
        let bench = try SummaryBench(window: #""strategy":"slide""#)
        for number in 0..<4 { _ = try bench.ask(number) }
        _ = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        _ = try bench.client.call("_convod/session/fork", #"{"sessionId":"s","newSessionId":"f"}"#)
        let forked = try bench.client.call("_convod/summary/list", #"{"sessionId":"f"}"#).result
        #expect(forked?["summaries"]?.elements.first { _ in true }?["text"]?.string == "the gist")
        #expect(
            forked?["summaries"]?.elements.first { _ in true }?["summaryId"]?.string
                != bench.id(try bench.summaries().first))
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let early = page?["messages"]?.elements.map(\.self)[2]["id"]?.string ?? ""
        let id = try bench.client.start(
            "_convod/turn/retry", #"{"sessionId":"s","messageId":"\#(early)"}"#)
        #expect(try bench.client.finish(id).result != nil)
        #expect(try bench.summaries().isEmpty)
        #expect(!bench.lastRequest().contains("the gist"))
    }

    @Test func `is told to who shows such alone, and replayed where it was made`() throws {
        let bench = try SummaryBench(window: #""strategy":"slide""#)
        for number in 0..<3 { _ = try bench.ask(number) }
        let plain = try bench.bench.daemon.client()
        _ = try plain.call("session/resume", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
        let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        #expect(bench.compactions(made.updates) == ["in_progress", "completed: the gist"])
        _ = try bench.ask(3)
        let heard = try plain.call("_convod/session/get", #"{"sessionId":"s"}"#)
        #expect(bench.compactions(heard.updates).isEmpty)
        let load = #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#
        #expect(bench.compactions(try plain.call("session/load", load).updates).isEmpty)
        let replayed = try bench.client.call("session/load", load).updates
        #expect(bench.compactions(replayed) == ["completed: the gist"])
        let place = try #require(replayed.firstIndex { !bench.compactions([$0]).isEmpty })
        let before = replayed[..<place].compactMap { $0["params"]?["update"]?["content"]?["text"]?.string }
        let after = replayed[place...].compactMap { $0["params"]?["update"]?["content"]?["text"]?.string }
        #expect(
            before.contains { $0.hasPrefix("question 2 ") } && after.contains { $0.hasPrefix("question 3 ") })
    }

    @Test func `of a long stretch is made piece by piece, each with the summary so far`() throws {
        let bench = try SummaryBench(
            [
                ScriptedUpstream.answer(["one"]), ScriptedUpstream.answer(["two"]),
                ScriptedUpstream.answer(["three"]),
            ], window: #""strategy":"slide""#, length: 1_400, more: ", maxTokens: 64")
        for number in 0..<14 { _ = try bench.ask(number) }
        let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#).result
        #expect(made?["to"]?.int == 26 && made?["from"]?.int == 1)
        let requests = bench.bench.servers[1].requests
        #expect((2...4).contains(requests.count) && made?["inputTokens"]?.int == 7 * requests.count)
        #expect(requests[0].contains("question 0 ") && !requests[0].contains("<summary"))
        #expect(requests[1].contains("one") && !requests[1].contains("question 0 "))
        #expect(requests.last?.contains("question 12 ") == true)
        #expect(!requests.joined().contains("question 13 "))
    }

    @Test func `that a model does not write in time is given up`() throws {
        let bench = try SummaryBench(
            [[.untilClosed]], window: #""strategy":"slide""#, more: ", timeout: '50ms'")
        for number in 0..<2 { _ = try bench.ask(number) }
        let answer = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        #expect(answer.kind == "upstream_timeout")
        let failures =
            try bench.client.call("_convod/failure/list").result?["failures"]?.elements.map { $0 } ?? []
        #expect(failures.map { $0["attempt"]?["outcome"]?.string } == ["upstream_timeout"])
        #expect(try bench.summaries().first?["problem"]?.string?.contains("50 ms") == true)
        #expect(try bench.ask(2).receipt["summary"] == nil)
        // What was asked is paid, whatever came of it.
        let used = try shell(
            "sqlite3", bench.bench.daemon.database,
            "SELECT input_tokens > 100, output_tokens FROM usage WHERE upstream = 'b'")
        #expect(used == "1|0\n")
    }

    @Test func `is made by the session's own upstream where the configuration names none`() throws {
        let bench = try Bench(
            [
                [ScriptedUpstream.answer(["cloud"])],
                [
                    ScriptedUpstream.answer(["local"]), ScriptedUpstream.answer(["local"]),
                    ScriptedUpstream.answer(["gist"]),
                ],
            ])
        try bench.client.open("s", #""upstream":"b""#)
        for _ in 0..<2 { _ = try bench.client.prompt("s", "hello") }
        let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#).result
        #expect(made?["text"]?.string == "gist" && made?["upstream"]?.string == "b")
        #expect(bench.counts == [0, 3])
    }

    @Test func `counts as used, and is not made where a quota is used up`() throws {
        let bench = try SummaryBench(window: #""strategy":"slide""#)
        for number in 0..<2 { _ = try bench.ask(number) }
        _ = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        let used = try shell(
            "sqlite3", bench.bench.daemon.database,
            "SELECT turns, input_tokens, output_tokens FROM usage WHERE upstream = 'b'")
        #expect(used == "0|7|3\n")
        _ = try bench.client.call("_convod/session/set", #"{"sessionId":"s","quota":{"tokens":1}}"#)
        _ = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        let refused = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        #expect(refused.kind == "paused" && bench.bench.counts[1] == 1)
    }
}

@Suite struct `What somebody asks to be summarized` {
    @Test func `is not sent any more, whatever the strategy, until the summary is thrown away`() throws {
        for strategy in ["slide", "sawtooth", "summarize"] {
            let bench = try SummaryBench(window: #""strategy":"\#(strategy)""#)
            for number in 0..<4 { _ = try bench.ask(number) }
            let made = try bench.client.call(
                "_convod/session/compact", #"{"sessionId":"s","instructions":"mind the names"}"#)
            #expect(made.result?["to"]?.int == 6 && made.result?["requested"]?.bool == true)
            #expect(bench.bench.servers[1].requests[0].contains("mind the names"))
            let (receipt, _) = try bench.ask(4)
            #expect(receipt["rule"]?.string == "summary" && receipt["summarizedMessages"]?.int == 6)
            #expect(
                !bench.lastRequest().contains("question 2 ") && bench.lastRequest().contains("question 3 "))
            let before = bench.lastRequest()
            let rule = try bench.ask(5).receipt["rule"]?.string
            #expect(rule == (strategy == "slide" ? "summary" : "anchor"))
            // What was sent stays the beginning of what is sent, but for its end.
            let head = before.split(separator: "\r\n").last?.prefix(600) ?? ""
            #expect(bench.lastRequest().contains(head), "\(strategy)")
            _ = try bench.client.call(
                "_convod/summary/delete",
                #"{"sessionId":"s","summaryId":"\#(made.result?["summaryId"]?.string ?? "")"}"#)
            _ = try bench.ask(6)
            if strategy == "slide" { #expect(bench.lastRequest().contains("question 0 ")) }
            #expect(!bench.lastRequest().contains("the gist"))
        }
    }

    @Test func `must be more than the newest turn, and may be cancelled`() throws {
        let bench = try SummaryBench([[.hold]], window: #""strategy":"slide""#)
        _ = try bench.ask(0)
        let nothing = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#)
        #expect(nothing.kind == "conflict" && bench.bench.counts[1] == 0)
        _ = try bench.ask(1)
        let id = try bench.client.start("_convod/session/compact", #"{"sessionId":"s"}"#)
        _ = try bench.client.update { !bench.compactions([$0]).isEmpty }
        try bench.client.send(
            #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":\#(id)}}"#)
        let answer = try bench.client.finish(id)
        #expect(answer.kind == "cancelled" && bench.compactions(answer.updates) == ["cancelled"])
        #expect(try bench.summaries().isEmpty)
    }

    @Test func `is told as such by the receipt, by why and by what the model would see`() throws {
        let bench = try SummaryBench(window: #""strategy":"slide""#)
        for number in 0..<3 { _ = try bench.ask(number) }
        let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#).result
        _ = try bench.ask(3)
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let first = page?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
        let why = try bench.client.call(
            "_convod/context/why", #"{"sessionId":"s","messageId":"\#(first)"}"#
        ).result
        #expect(why?["turns"]?.elements.first { _ in true }?["fate"]?.string == "summarized")
        let built = try bench.client.call("_convod/context/build", #"{"sessionId":"s"}"#).result
        let head = built?["messages"]?.elements.first { _ in true }
        #expect(head?["id"]?.string == made?["summaryId"]?.string && head?["role"]?.string == "user")
        let words = head.map { text($0.raw) } ?? ""
        #expect(words.contains("the gist"))
        for dialect in ["openai", "anthropic", "gemini"] {
            let built = try bench.client.call(
                "_convod/context/build", #"{"sessionId":"s","dialect":"\#(dialect)"}"#
            ).result
            let first = (built?["messages"]?.elements.first { _ in true }).map { text($0.raw) } ?? ""
            #expect(first.contains("the gist"), "\(dialect)")
        }
    }
}

@Suite struct `A summary and what changes around it` {
    private func slide(_ summaries: [[ScriptedUpstream.Step]] = [ScriptedUpstream.answer(["the gist"])])
        throws
        -> SummaryBench
    {
        try SummaryBench(summaries, window: #""strategy":"slide""#)
    }

    private func compact(_ bench: SummaryBench, _ more: String = "") throws -> TestClient.Answer {
        try bench.client.call("_convod/session/compact", #"{"sessionId":"s"\#(more)}"#)
    }

    private func ids(_ bench: SummaryBench) throws -> [String] {
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        return page?["messages"]?.elements.compactMap { $0["id"]?.string } ?? []
    }

    private func mark(_ bench: SummaryBench, _ id: String, _ mark: String) throws {
        let set = try bench.client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(id)",\#(mark)}"#)
        #expect(set.result != nil)
    }

    @Test func `ends before the newest prompt, also where its answer was made anew`() throws {
        let bench = try slide()
        for number in 0..<3 { _ = try bench.ask(number) }
        let id = try bench.client.start("_convod/turn/retry", #"{"sessionId":"s"}"#)
        #expect(try bench.client.finish(id).result != nil)
        #expect(try compact(bench).result?["to"]?.int == 4)
        _ = try bench.ask(3)
        #expect(bench.lastRequest().contains("question 2 "))
    }

    @Test func `is not kept of what was excluded while it was made`() throws {
        let held: [ScriptedUpstream.Step] = [.hold] + ScriptedUpstream.answer(["the gist"])
        let bench = try slide([held, ScriptedUpstream.answer(["without it"])])
        for number in 0..<3 { _ = try bench.ask(number) }
        let first = try ids(bench)[0]
        let id = try bench.client.start("_convod/session/compact", #"{"sessionId":"s"}"#)
        _ = try bench.client.update { !bench.compactions([$0]).isEmpty }
        let again = try compact(bench)
        #expect(again.kind == "conflict")
        try bench.client.send(
            #"{"jsonrpc":"2.0","id":900,"method":"_convod/message/set","params":{"sessionId":"s","messageId":"\#(first)","excluded":true}}"#
        )
        #expect(try bench.client.finish(id).kind == "conflict")
        _ = try bench.client.finish(900)
        bench.bench.servers[1].proceed()
        #expect(try bench.summaries().isEmpty)
        #expect(try compact(bench).result?["text"]?.string == "without it")
        #expect(bench.bench.servers[1].requests.last?.contains("question 0 ") == false)
    }

    /// As messages that are marked do, a summary that is changed changes what the next one is made of.
    @Test(arguments: ["_convod/summary/delete", "_convod/summary/set"])
    func `is not kept of one that was changed while it was made`(method: String) throws {
        let held: [ScriptedUpstream.Step] = [.hold] + ScriptedUpstream.answer(["told of the secret"])
        let bench = try slide([ScriptedUpstream.answer(["the secret"]), held])
        for number in 0..<3 { _ = try bench.ask(number) }
        let before = try compact(bench).result?["summaryId"]?.string ?? ""
        for number in 3..<6 { _ = try bench.ask(number) }
        let id = try bench.client.start("_convod/session/compact", #"{"sessionId":"s"}"#)
        _ = try bench.client.update { !bench.compactions([$0]).isEmpty }
        let words = method.hasSuffix("set") ? #","text":"corrected""# : ""
        try bench.client.send(
            #"{"jsonrpc":"2.0","id":900,"method":"\#(method)","params":{"sessionId":"s","summaryId":"\#(before)"\#(words)}}"#
        )
        #expect(try bench.client.finish(id).kind == "conflict")
        _ = try bench.client.finish(900)
        bench.bench.servers[1].proceed()
        let texts = try bench.summaries().compactMap { $0["text"]?.string }
        #expect(texts == (words.isEmpty ? [] : ["corrected"]))
    }

    @Test func `stays where nothing changes: an unknown one is deleted, a mark is taken that is not there`()
        throws
    {
        let held: [ScriptedUpstream.Step] = [.hold] + ScriptedUpstream.answer(["the gist"])
        let bench = try slide([held])
        for number in 0..<3 { _ = try bench.ask(number) }
        let first = try ids(bench)[0]
        let id = try bench.client.start("_convod/session/compact", #"{"sessionId":"s"}"#)
        _ = try bench.client.update { !bench.compactions([$0]).isEmpty }
        let none = "01890a5d-ac96-774b-bcce-b302099a8057"
        for (method, members) in [
            ("_convod/summary/delete", #""summaryId":"\#(none)""#),
            ("_convod/message/set", #""messageId":"\#(first)","excluded":false"#),
            ("_convod/message/set", #""messageId":"\#(first)","pinned":false"#),
        ] {
            _ = try bench.client.start(method, #"{"sessionId":"s",\#(members)}"#)
        }
        bench.bench.servers[1].proceed()
        #expect(try bench.client.finish(id).result?["text"]?.string == "the gist")
    }

    @Test func `stays where a pin is refused`() throws {
        let bench = try slide()
        for number in 0..<3 { _ = try bench.ask(number) }
        let first = try ids(bench)[0]
        try mark(bench, first, "\"excluded\":true")
        #expect(try compact(bench).result != nil)
        _ = try bench.client.call("_convod/session/set", #"{"sessionId":"s","window":{"pinTokens":10}}"#)
        let refused = try bench.client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(first)","pinned":true}"#)
        #expect(refused.kind == "context_overflow")
        #expect(try bench.summaries().count == 1)
    }

    @Test func `ends before the newest prompt that goes`() throws {
        let bench = try slide()
        for number in 0..<3 { _ = try bench.ask(number) }
        try mark(bench, try ids(bench)[4], "\"excluded\":true")
        #expect(try compact(bench).result?["to"]?.int == 2)
    }

    @Test func `leaves out what a call gave that is left out, and the bytes of images`() throws {
        let bench = try slide()
        let image = String(repeating: "iVBO", count: 20_000)
        let turn = { (id: String, result: String) in
            #"{"role":"user","content":[{"type":"text","text":"look \#(id)"}]},"#
                + #"{"role":"assistant","content":[{"type":"tool_call","id":"\#(id)","name":"read","arguments":{}}]},"#
                + #"{"role":"tool","content":[{"type":"tool_result","toolCallId":"\#(id)","content":\#(result)}]},"#
        }
        let messages =
            turn("c1", #""HUNTER2""#)
            + turn("c2", #"[{"type":"image","mimeType":"image/png","data":"\#(image)"}]"#)
            + #"{"role":"user","content":[{"type":"text","text":"end"}]}"#
        _ = try bench.client.call(
            "_convod/message/append", #"{"sessionId":"s","messages":[\#(messages)]}"#)
        for number in 0..<2 { _ = try bench.ask(number) }
        try mark(bench, try ids(bench)[1], "\"excluded\":true")
        #expect(try compact(bench).result?["text"] != nil)
        let asked = try #require(bench.bench.servers[1].requests.last)
        #expect(asked.contains("look c1") && !asked.contains("HUNTER2"))
        #expect(asked.contains("(image/png)") && !asked.contains("iVBOiVBO"))
    }

    @Test func `goes where a message that it left out may go again`() throws {
        for (on, off) in [
            ("\"pinned\":true", "\"pinned\":false"), ("\"excluded\":true", "\"excluded\":false"),
        ] {
            let bench = try slide()
            for number in 0..<3 { _ = try bench.ask(number) }
            let first = try ids(bench)[0]
            try mark(bench, first, on)
            #expect(try compact(bench).result != nil)
            try mark(bench, first, off)
            #expect(try bench.summaries().isEmpty)
            _ = try bench.ask(3)
            #expect(bench.lastRequest().contains("question 0 "), "\(off)")
        }
    }

    @Test func `stays on its branch where a message of another one is excluded`() throws {
        let bench = try slide()
        for number in 0..<3 { _ = try bench.ask(number) }
        #expect(try compact(bench).result != nil)
        let third = try ids(bench)[2]
        let id = try bench.client.start(
            "_convod/turn/retry",
            #"{"sessionId":"s","messageId":"\#(third)","prompt":[{"type":"text","text":"other words"}]}"#)
        #expect(try bench.client.finish(id).result != nil)
        let here = try ids(bench)
        try mark(bench, here[here.count - 2], "\"excluded\":true")
        _ = try bench.client.call("_convod/branch/switch", #"{"sessionId":"s","branch":1}"#)
        #expect(try bench.summaries().count == 1)
    }

    @Test func `is found behind any number of rounds that came to nothing`() throws {
        let down = ScriptedUpstream.failure("400 Bad Request", "{}")
        let bench = try slide([ScriptedUpstream.answer(["the gist"]), down])
        for number in 0..<3 { _ = try bench.ask(number) }
        #expect(try compact(bench).result != nil)
        _ = try bench.ask(3)
        for _ in 0..<10 { #expect(try compact(bench).error != nil) }
        _ = try bench.ask(4)
        #expect(bench.lastRequest().contains("the gist") && !bench.lastRequest().contains("question 0 "))
        #expect(bench.bench.servers[1].requests.last?.contains("the gist") == true)
    }

    @Test func `that a model thought about and did not write is paid all the same`() throws {
        let bench = try slide([ScriptedUpstream.answer([], finish: "length")])
        for number in 0..<2 { _ = try bench.ask(number) }
        #expect(try compact(bench).kind == "upstream_refused")
        let used = try shell(
            "sqlite3", bench.bench.daemon.database,
            "SELECT turns, input_tokens, output_tokens FROM usage WHERE upstream = 'b'")
        #expect(used == "0|7|3\n")
    }

    @Test func `that was thrown away is not brought back by other words`() throws {
        let bench = try slide()
        for number in 0..<2 { _ = try bench.ask(number) }
        let id = try compact(bench).result?["summaryId"]?.string ?? ""
        _ = try bench.client.call("_convod/summary/delete", #"{"sessionId":"s","summaryId":"\#(id)"}"#)
        let set = try bench.client.call(
            "_convod/summary/set", #"{"sessionId":"s","summaryId":"\#(id)","text":"again"}"#)
        #expect(set.kind == "not_found")
        #expect(try bench.summaries().isEmpty)
    }

    @Test func `is not asked for again of messages that a round came to nothing over`() throws {
        let down = ScriptedUpstream.failure("400 Bad Request", "{}")
        let bench = try SummaryBench([down, down, ScriptedUpstream.answer(["the gist"])])
        var told: [String] = []
        for number in 0..<90 where !told.contains(where: { $0.hasPrefix("completed") }) {
            told += try bench.ask(number).told
        }
        #expect(told.filter { $0.hasPrefix("failed") }.count == 2)
        let requests = bench.bench.servers[1].requests
        let first = requests.map { request in
            (0..<90).first { request.contains("question \($0) ") } ?? -1
        }
        #expect(first[0] == 0 && first[0] < first[1] && first[1] < first[2], "\(first)")
        let made = try #require(try bench.summaries().first { $0["text"] != nil })
        #expect(made["from"]?.int ?? 0 > 1)
    }

    @Test func `is made anew of its messages where nothing is new, as somebody wishes it`() throws {
        let bench = try slide([
            ScriptedUpstream.answer(["the gist"]), ScriptedUpstream.answer(["another gist"]),
        ])
        for number in 0..<3 { _ = try bench.ask(number) }
        #expect(try compact(bench).result != nil)
        #expect(
            try compact(bench, #","instructions":"mind the numbers""#).result?["text"]?.string
                == "another gist")
        #expect(bench.bench.servers[1].requests[1].contains("question 1 "))
        _ = try bench.ask(3)
        #expect(bench.lastRequest().contains("another gist"))
    }

    @Test func `has a quarter of the window at most, whatever a model writes`() throws {
        let long = ScriptedUpstream.answer([String(repeating: "It says much. ", count: 900)])
        let bench = try slide([long])
        for number in 0..<3 { _ = try bench.ask(number) }
        let made = try compact(bench).result
        #expect((400...700).contains(made?["tokens"]?.int ?? 0))
        #expect(made?["text"]?.string?.hasSuffix("It says much. …") == true)
        #expect(try bench.ask(3).receipt["rule"]?.string == "summary")
    }

    @Test func `is estimated first where that is asked for, and nobody is asked`() throws {
        let bench = try slide()
        for number in 0..<3 { _ = try bench.ask(number) }
        let estimate = try compact(bench, #","dryRun":true"#)
        #expect(estimate.result?["from"]?.int == 1 && estimate.result?["to"]?.int == 4)
        #expect(estimate.result?["inputTokens"]?.int ?? 0 > 300 && estimate.result?["text"] == nil)
        #expect(estimate.result?["outputTokens"]?.int == 1_024 && estimate.result?["upstream"]?.string == "b")
        #expect(bench.compactions(estimate.updates).isEmpty && bench.bench.counts[1] == 0)
        #expect(try bench.summaries().isEmpty)
    }

    @Test func `that somebody asks for covers what one that was made unasked left out`() throws {
        let bench = try SummaryBench(
            [ScriptedUpstream.answer(["the later gist"]), ScriptedUpstream.answer(["the whole gist"])],
            more: ", maxTokens: 64")
        let many = (0..<400).map { number in
            #"{"role":"user","content":[{"type":"text","text":"note \#(number) \#(bench.words)"}]}"#
        }.joined(separator: ",")
        _ = try bench.client.call("_convod/message/append", #"{"sessionId":"s","messages":[\#(many)]}"#)
        _ = try bench.ask(0)
        try bench.untilMade()
        let first = try #require(try bench.summaries().first?["from"]?.int)
        #expect(first > 1)
        let made = try compact(bench).result
        #expect(made?["from"]?.int ?? 99 < first, "from \(made?["from"]?.int ?? 0) after \(first)")
    }

    @Test func `is asked of who answers the session's prompts, though another is the default`() throws {
        let answer = ScriptedUpstream.answer(["answer"], usage: "null")
        let bench = try Bench([[answer], [answer]], each: "contextLength: 3000")
        try bench.client.open("s", #""window":{"strategy":"slide"}"#)
        for number in 0..<3 {
            _ = try bench.client.prompt("s", "\(number) words", #""upstream":"b""#)
        }
        #expect(try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#).result != nil)
        #expect(bench.counts == [0, 4])
    }

    @Test func `of more than a round holds keeps the one before, and says what is in neither`() throws {
        let bench = try SummaryBench(
            [ScriptedUpstream.answer(["the first gist"]), ScriptedUpstream.answer(["the later gist"])],
            window: #""strategy":"slide""#, length: 1_000, more: ", maxTokens: 64")
        for number in 0..<3 { _ = try bench.ask(number) }
        #expect(try compact(bench).result?["to"]?.int == 4)
        let many = (0..<60).map { number in
            #"{"role":"user","content":[{"type":"text","text":"note \#(number) \#(bench.words)"}]}"#
        }.joined(separator: ",")
        let appended = try bench.client.call(
            "_convod/message/append", #"{"sessionId":"s","messages":[\#(many)]}"#)
        #expect(appended.result != nil)
        let made = try compact(bench).result
        #expect(made?["from"]?.int == 1 && made?["to"]?.int == 65)
        let words = made?["text"]?.string ?? ""
        #expect(
            words.hasPrefix("the later gist\n\n(Messages 5 to ")
                && words.hasSuffix(" are not in this summary.)"))
        #expect(bench.bench.servers[1].requests[1].contains("the first gist"))
        #expect(bench.bench.counts[1] <= 1 + 16)
    }
}

@Suite struct `What is larger than the model takes (N002)` {
    @Test func `is refused at once with both numbers and no call; unpinned it costs one summary at most`()
        throws
    {
        let bench = try SummaryBench(length: 4_000)
        for number in 0..<20 { _ = try bench.ask(number) }
        let newest = try bench.client.call("_convod/message/list", #"{"sessionId":"s","last":16}"#).result
        let pins = newest?["messages"]?.elements.compactMap { $0["id"]?.string } ?? []
        func pin(_ value: Bool) throws {
            for id in pins {
                let set = try bench.client.call(
                    "_convod/message/set", #"{"sessionId":"s","messageId":"\#(id)","pinned":\#(value)}"#)
                #expect(set.result != nil)
            }
        }
        try pin(true)
        let long = String(repeating: "rule ", count: 2_500)
        _ = try bench.client.call("_convod/session/set", #"{"sessionId":"s","system":"\#(long)"}"#)
        let before = bench.bench.counts
        for _ in 0..<3 {
            let refused = try bench.client.prompt("s", "hi")
            let data = refused.error?["data"]
            #expect(refused.kind == "context_overflow")
            #expect(data?["needed"]?.int ?? 0 > data?["budget"]?.int ?? .max)
        }
        #expect(bench.bench.counts == before)
        try pin(false)
        let fits = try bench.client.prompt("s", "hi")
        #expect(fits.result != nil, "\(text(fits.message.raw))")
        try bench.untilMade()
        let made = bench.bench.counts[1]
        #expect(made == before[1] + 1)
        // Nothing new fell out.
        let again = try bench.client.prompt("s", "hi")
        #expect(again.result != nil && bench.compactions(again.updates).isEmpty)
        _ = try bench.client.call("_convod/session/get", #"{"sessionId":"s"}"#)
        #expect(bench.bench.counts[1] == made)
    }
}
