internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let dryRun = Option(long: "dry-run", help: "say what it would take, and ask nobody")
}

extension Command {
    static let compact = Command(
        name: "compact", summary: "summarize a session's older messages", arguments: "[TEXT]",
        count: 0...Int.max, options: [.continue, .dryRun, .json, .session],
        details: """
            All before the newest turn is summarized by a model, and the summary goes to the model in its place from then
            on. TEXT says what the summary should mind above all. The messages stay stored: 'convo summaries delete' lets
            them in again. Without -s the session that convo used last.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let session = try invocation.sessionToChange(client)
        let words = invocation.positionals.joined(separator: " ")
        // Elsewhere a session is named so, and this one costs money.
        if invocation.positionals.count == 1,
            words == "@last" || words.first == "@" && Int(words.dropFirst()) != nil
        {
            throw .usage("'\(words)' is a session: 'convo compact -s \(words)' summarizes it")
        }
        if invocation.positionals.count == 1,
            // Words that name none are words.
            let named = try? SessionChoice(client: client).session(withID: words), named.id != session.id
        {
            throw .usage(
                "'\(words)' is a session: 'convo compact -s \(words)' summarizes it; words for the summary are more than one"
            )
        }
        let list = SummaryList(client, session.id)
        if invocation.has(.dryRun) {
            let estimate = try list.estimate(words)
            if invocation.has(.json) {
                invocation.console.print(json: estimate)
            } else {
                invocation.console.print(SummaryList.inWords(estimate))
            }
            return .success
        }
        let interrupts = Interrupts()
        try list.compact(words, invocation, signals: interrupts?.descriptor)
        return .success
    }

    static let summaries = Command(
        name: "summaries", summary: "list a session's summaries, show, edit or delete one",
        arguments: "[show N|edit N TEXT|-|delete N]", count: 0...Int.max,
        options: [.continue, .json, .jsonl, .session],
        details: """
            Summaries are numbered by age on the active branch. One that is deleted leaves its messages as they were: they
            go to the model again as far as they fit. Without -s the session that convo used last.
            """
    ) { invocation throws(CommandError) in
        let words = invocation.positionals
        let number = words.count > 1 ? Int(words[1]) : nil
        let isKnown = ["show", "edit", "delete"].contains(words.first) && number != nil
        guard words.isEmpty || isKnown && (words[0] == "edit" || words.count == 2) else {
            throw .usage("'convo summaries' takes 'show N', 'edit N TEXT' or 'delete N', N as it lists them")
        }
        let client = try invocation.connect()
        let list = SummaryList(client, try invocation.sessionToChange(client).id)
        guard let number else {
            try list.print(on: invocation)
            return .success
        }
        switch words[0] {
        case "show": try list.show(number, invocation)
        case "edit":
            let given = words.dropFirst(2).joined(separator: " ")
            let isPiped = given.isEmpty || given == "-"
            let text = isPiped ? try StandardInput.all { invocation.noteIdleInput() } : given
            try list.edit(number, text, invocation)
        default: try list.delete(number, invocation.console)
        }
        return .success
    }
}

/// The summaries of a session.
struct SummaryList {
    private let client: Client
    private let session: String

    init(_ client: Client, _ session: String) {
        self.client = client
        self.session = session
    }

    /// All of the active path, oldest first.
    private func all() throws(CommandError) -> [Wire.Summary] {
        var found: [Wire.Summary] = [], cursor: String?
        repeat {
            let page = try client.ask(Method.SummaryList.self) {
                $0.member("sessionId", session)
                $0.optional("cursor", cursor)
            }
            found += page.summaries
            cursor = page.nextCursor
        } while cursor != nil
        return found.reversed()
    }

    private func summary(_ number: Int) throws(CommandError) -> Wire.Summary {
        let all = try all()
        if all.indices.contains(number - 1) { return all[number - 1] }
        let most = all.isEmpty ? "none" : all.count == 1 ? "one" : "1 to \(all.count)"
        throw CommandError(.notFound, "session '\(session)' has no summary \(number), it has \(most)")
    }

    func print(on invocation: Invocation) throws(CommandError) {
        let console = invocation.console
        if invocation.has(.jsonl) {
            for summary in try all() { console.print(record: summary) }
        } else if invocation.has(.json) {
            console.print(json: ["summaries": try all()])
        } else {
            try print(on: console)
        }
    }

    func print(on console: Console) throws(CommandError) {
        let all = try all()
        if all.isEmpty {
            return console.note(
                "session '\(session)' has no summaries; 'convo compact' makes one, 'convo window --strategy summarize' has them made"
            )
        }
        for (index, summary) in all.enumerated() {
            console.print(SummaryList.line(summary, index + 1, console))
        }
    }

    private static func line(_ summary: Wire.Summary, _ number: Int, _ console: Console) -> String {
        let range = "\(summary.from)…\(summary.to)"
        let tokens = summary.tokens.map { "\(Times.number($0)) tokens" } ?? "failed"
        let head =
            "\(TextWidth.padded(String(number), to: 3, isRight: true))  \(TextWidth.padded(range, to: 11)) \(TextWidth.padded(tokens, to: 12))"
        let facts = [summary.requested ? "asked for" : nil, summary.editedAt == nil ? nil : "edited"]
            .compactMap(\.self).map { $0 + " · " }.joined()
        let text = facts + Console.harmless(summary.text ?? summary.problem ?? "", keepingLines: false)
        let room = console.columns - TextWidth.of(head) - 1
        return room < 8 ? head : "\(head) \(TextWidth.fitted(text, to: room))"
    }

    func show(_ number: Int, _ invocation: Invocation) throws(CommandError) {
        let id = try summary(number).summaryId
        let found = try client.ask(Method.SummaryGet.self) {
            $0.member("sessionId", session)
            $0.member("summaryId", id)
        }
        let console = invocation.console
        if invocation.has(.json) { return console.print(json: found) }
        let summary = found.summary
        let by = [summary.upstream, summary.model].compactMap(\.self).joined(separator: " ")
        var facts = ["messages \(summary.from) to \(summary.to)"]
        if !by.isEmpty { facts.append("by \(by)") }
        if let input = summary.inputTokens, let output = summary.outputTokens {
            facts.append("\(Times.number(input)) tokens in, \(Times.number(output)) out")
        }
        if let cost = summary.cost { facts.append(Money.text(cost)) }
        if found.attempts.count > 1 { facts.append("\(found.attempts.count) tries") }
        console.print(console.styled(facts.joined(separator: " · "), .dim))
        console.print(
            Console.harmless(summary.text ?? "failed: \(summary.problem ?? "")", keepingLines: true))
    }

    func edit(_ number: Int, _ text: String, _ invocation: Invocation) throws(CommandError) {
        guard text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw .usage("'edit' needs the new words, as TEXT or from a pipe")
        }
        let id = try summary(number).summaryId
        let changed = try client.ask(Method.SummarySet.self) {
            $0.member("sessionId", session)
            $0.member("summaryId", id)
            $0.member("text", text)
        }
        if invocation.has(.json) { return invocation.console.print(json: changed) }
        invocation.console.note("summary \(number) has other words now")
    }

    func delete(_ number: Int, _ console: Console) throws(CommandError) {
        let summary = try summary(number)
        _ = try client.ask(Method.SummaryDelete.self) {
            $0.member("sessionId", session)
            $0.member("summaryId", summary.summaryId)
        }
        // Another one may stand for them still.
        let told = try all().filter { $0.text != nil }.map(\.to).max() ?? 0
        let next =
            told >= summary.to
            ? "another summary stands for them"
            : told >= summary.from
                ? "another summary stands for those up to \(told), and the others go to the model again as far as they fit"
                : "the messages go to the model again as far as they fit"
        console.note("the summary of messages \(summary.from) to \(summary.to) is gone; \(next)")
    }

    /// What that would take.
    func estimate(_ instructions: String) throws(CommandError) -> Wire.Summary {
        try client.ask(Method.SessionCompact.self) {
            $0.member("sessionId", session)
            $0.optional("instructions", instructions.isEmpty ? nil : instructions)
            $0.member("dryRun", true)
        }
    }

    static func inWords(_ estimate: Wire.Summary) -> String {
        let cost = estimate.cost.map { ", at most about \(Money.text($0))" } ?? ""
        let who = [estimate.upstream, estimate.model].compactMap(\.self).joined(separator: " ")
        return
            "messages \(estimate.from) to \(estimate.to) by \(who): about \(Times.number(estimate.inputTokens ?? 0)) tokens in, \(Times.number(estimate.outputTokens ?? 0)) out\(cost)"
    }

    /// Summarizes all before the newest turn; a person at a terminal is told before what that takes.
    ///
    /// Ctrl-C takes it back.
    func compact(_ instructions: String, _ invocation: Invocation, signals: Int32?) throws(CommandError) {
        let console = invocation.console
        if console.isOutputTerminal, !invocation.has(.json) {
            console.print(console.styled(SummaryList.inWords(try estimate(instructions)), .dim))
        }
        let made: Wire.Summary
        let params = JSONWriter.object {
            $0.member("sessionId", session)
            $0.optional("instructions", instructions.isEmpty ? nil : instructions)
        }
        do {
            made = try client.call(Method.SessionCompact.self, params, signals: signals) { [client] event in
                // Without a connection the call ends by itself.
                if case .signal = event { try? client.cancelCall() }
            }
        } catch { throw CommandError(error) }
        if invocation.has(.json) { return console.print(json: made) }
        console.print(Console.harmless(made.text ?? "", keepingLines: true))
        let cost = made.cost.map { "it cost \(Money.text($0)); " } ?? ""
        let rest = made.from > 1 ? "; the \(Times.number(made.from - 1)) before them are in no summary" : ""
        console.note(
            "\(cost)messages \(made.from) to \(made.to) go to the model as this summary from now on\(rest); 'convo summaries' shows, edits and deletes it"
        )
    }
}
