internal import Posix
internal import TestSupport
internal import Testing

@Suite(.timeLimit(.minutes(30))) struct `A terminal's width` {
    /// Words that are told apart, each there once.
    private static let words = (100..<190).map { "w\($0)" }

    @Test(arguments: [(40, 100, 10), (100, 40, 10), (40, 100, 40), (100, 40, 40), (60, 61, 5)])
    func `may change while a tall paragraph grows, and no word of it is lost or doubled`(
        _ before: Int, _ after: Int, _ rows: Int
    ) throws {
        let text = Self.words.map { $0 + " " }
        let server = try ScriptedUpstream([
            ScriptedUpstream.answer(
                holdingBetween: [Array(text[..<60]), Array(text[60...]), ["end"]])
        ])
        let home = try Home(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1' } } }")
        let screen = try Screen("\(Built.convo) chat", columns: before, rows: rows, home: home)
        try screen.seeLast("›")
        try screen.type("go")
        try screen.strike("Enter")
        try screen.see("w159")
        try screen.resize(columns: after)
        server.proceed()
        try screen.see("w189")
        try screen.resize(columns: before)
        server.proceed()
        try screen.see("end")
        let shown = try screen.seeLast("›")
        let seen = shown.split { $0 == " " || $0 == "\n" }.filter { $0.hasPrefix("w1") && $0.count == 4 }
        #expect(seen.map(String.init) == Self.words, "\(shown)")
    }

    @Test(arguments: [
        (
            40, "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
            "NEW WORDS "
        ),
        (40, "ab一二三四五六七八九十 一二三四五六七八九十 一二三四五六七八 九十一二三 四五六七 八九十", "插入的字x在 "),
        (41, "一二三四五六七八九十 一二三四五六七八九十 一二三四五六七八 九十一二三 四五六七 八九十", "x "),
        (40, "one two 🗼 three 🎫 four five six seven eight nine ten eleven twelve 京 thirteen", "🗼 "),
        (
            80,
            "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen 東京 sixteen",
            "NEW 字 "
        ),
    ])
    func `is no bound for what is put into the middle of a prompt, and taken out of it`(
        _ columns: Int, _ text: String, _ inserted: String
    ) throws {
        let home = try Home("{ upstreams: { e: { kind: 'echo' } } }")
        let screen = try Screen("\(Built.convo) chat", columns: columns, rows: 20, home: home)
        func line(_ screen: String) -> String {
            let lines = screen.split(separator: "\n")
            return lines[(lines.lastIndex { $0.hasPrefix("›") } ?? 0)...].joined().filter { $0 != " " }
        }
        try screen.seeLast("›")
        try screen.type(text)
        try soon("all of it is there") { line(try screen.text()) == "›" + text.filter { $0 != " " } }
        try screen.strike("M-b", "M-b", "M-b", "M-b", "M-b", "M-b", "M-b")
        try screen.type(inserted)
        try screen.strike("C-w", "C-d", "C-d", "C-h")
        try screen.type("ZZ")
        try soon("it is there") { line(try screen.text()).contains("ZZ") }
        let seen = try screen.text()
        try screen.strike("C-l")
        try screen.type("YY")
        try soon("it is there") { line(try screen.text()).contains("YY") }
        let after = line(try screen.text())
        #expect(line(seen) == after.replacing("YY", with: ""), "\(seen)")
    }
}
