internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let quick = Option(long: "quick", help: "without a look at every message")
    fileprivate static let repair = Option(
        long: "repair", help: "mend what can be mended, after the plan was shown")
}

extension Command {
    static let check = Command(
        name: "check", summary: "look at the whole database, and mend what can be mended",
        options: [.json, .quick, .repair, .yes],
        details: """
            Says what is not as it should be, and what mends it: SQLite's own structure, counters, branches, orders, contents,
            turns, marks and the search index. --repair shows that plan and asks, or needs -y where nobody can be asked; make
            a copy before ('convo backup'). Ends with 1 where something is wrong and stays so.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect(), console = invocation.console
        var told = try check(invocation, client, repairs: false)
        if invocation.has(.json) && !invocation.has(.repair) {
            console.print(json: told)
        } else if !invocation.has(.json) {
            for finding in told.findings { print(finding, console) }
        }
        let mended = told.findings.count { $0.repair != nil }
        guard invocation.has(.repair), mended > 0 else {
            if invocation.has(.json) && invocation.has(.repair) { console.print(json: told) }
            if told.findings.isEmpty { console.note("all is as it should be") }
            return told.findings.isEmpty ? .success : .failure
        }
        try invocation.agree("Mend \(mended) of \(told.findings.count)", isSaid: invocation.has(.yes))
        // What is mended may show what stood behind it.
        var count = 0
        for _ in 0..<10 {
            let repaired = try check(invocation, client, repairs: true).repaired
            count += repaired
            if repaired == 0 { break }
        }
        told = try check(invocation, client, repairs: false)
        if invocation.has(.json) { console.print(json: told) }
        console.note(
            "\(count) mended"
                + (told.findings.isEmpty ? "; all is as it should be" : ", \(told.findings.count) left"))
        return told.findings.isEmpty ? .success : .failure
    }

    private static func check(_ invocation: Invocation, _ client: Client, repairs: Bool) throws(CommandError)
        -> Method.StoreCheck.Result
    {
        try client.ask(Method.StoreCheck.self) {
            if invocation.has(.quick) { $0.member("quick", true) }
            if repairs { $0.member("repair", true) }
        }
    }

    private static func print(_ finding: Method.StoreCheck.Finding, _ console: Console) {
        let repair = finding.repair ?? "nothing mends it: restore a copy, or export what you need"
        guard console.isOutputTerminal else {
            return console.print("\(finding.kind)\t\(finding.about)\t\(finding.problem)\t\(repair)")
        }
        let text = "\(finding.about): \(finding.problem) → \(repair)"
        let lines = TextWidth.wrapped(
            Console.harmless(text, keepingLines: false), to: max(30, console.columns - 3))
        for (index, line) in lines.enumerated() {
            console.print(
                (index == 0 ? console.styled("✗", finding.repair == nil ? .red : .yellow) : " ") + " " + line)
        }
    }
}
