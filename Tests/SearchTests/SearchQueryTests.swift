internal import Conversation
internal import TestSupport
internal import Testing

@testable internal import Search

private func finds(_ question: String, in text: String) throws -> Bool {
    try SearchQuery(question).matches(NormalForm.of(text))
}

/// Whether the index, asked as a question asks it, gives a text.
private func isGiven(_ question: String, by text: String) throws -> Bool {
    let grams = Set(
        Grams.text(of: NormalForm.of(text)).split(separator: 0x20).map { Array($0) })
    let query = try SearchQuery(question)
    guard query.expression != nil else { return true }
    return query.alternatives.contains { terms in
        terms.allSatisfy { term in
            if term.isExcluded { return true }
            let needed = Grams.needed(for: term.text)
            return needed.whole.allSatisfy { grams.contains($0) }
                && needed.beginning.map { start in grams.contains { $0.starts(with: start) } } ?? true
        }
    }
}

private func snippet(_ question: String, in text: String) throws -> String {
    let bytes = Array(text.utf8)
    return try Snippet(of: bytes, form: NormalForm(bytes), for: SearchQuery(question)).pieces.map {
        $0.isHit ? "[\($0.text)]" : $0.text
    }.joined()
}

@Suite struct `A question` {
    @Test(arguments: [
        ("数", "用数据库"), ("数据", "用数据库"), ("数据库", "用数据库"), ("gpt4做", "用GPT4做的"), ("用gpt", "用GPT4做的"),
        ("a_b", "x a_b y"),
        ("don't", "I don't know"), ("multi-agent", "a Multi-Agent system"), ("role:user", "{role:user}"),
        ("\"", "say \"hi\""),
        ("%", "100 % sure"), ("100%", "is 100% sure"), ("-", "a - b"), ("*", "2 * 3"), ("(", "f(x)"),
        ("C++", "in c++ and"),
        ("\"to be or\"", "To  be\nor not"), ("OR", "this or that"), ("AND", "and so"), ("NEAR", "near by"),
        ("a", "用a做"),
        ("go", "Going on"), ("straße", "STRASSE"), ("ｱﾊﾟｰﾄ", "アパート"), ("e\u{301}", "caf\u{E9}"), ("한국", "한국어"),
        ("🎉", "yes🎉!"),
        ("^", "a^b"), ("'", "it's"), ("\\", "C:\\x"), ("x:y", "ax:yb"), ("\"\u{E33}\"", "\u{E33}"),
        ("\"\u{200D}x\"", "a\u{200D}x"), ("❤", "❤️ you"), ("❤️", "❤ you"),
        ("日本", "（日本）"),
    ])
    func `finds what it says, by the text and by the index (B100, B101, B103, B104, B106)`(
        question: String, text: String
    ) throws {
        #expect(try finds(question, in: text))
        #expect(try isGiven(question, by: text))
    }

    @Test func `has words that must all be there, phrases, what must not, and alternatives (B101)`() throws {
        #expect(try finds("red blue", in: "blue and red"))
        #expect(try !finds("red blue", in: "red"))
        #expect(try !finds("\"red blue\"", in: "blue red"))
        #expect(try finds("red -blue", in: "red"))
        #expect(try !finds("red -blue", in: "red blue"))
        #expect(try !finds("red -\"light blue\"", in: "red light blue"))
        #expect(try finds("red OR blue", in: "blue"))
        #expect(try finds("red green OR blue", in: "blue"))
        #expect(try !finds("red green OR blue", in: "red"))
        #expect(try finds("\"red", in: "a \"red one"))
        #expect(try finds("\"\"", in: "an empty \"\""))
        #expect(try finds("OR red OR", in: "red"))
        #expect(try finds("-red", in: "blue"))
    }

    @Test func `of nothing is refused, and one of too many words`() {
        for nothing in ["", "  ", "\" \"", "\u{3000}"] {
            #expect(throws: SearchQueryError.self, "\(nothing)") { try SearchQuery(nothing) }
        }
        #expect(throws: SearchQueryError.self) {
            try SearchQuery((0..<65).map { "w\($0)" }.joined(separator: " "))
        }
    }

    @Test func `finds each stretch of each text by what the text is indexed by (B106)`() throws {
        var random = SeededRandom("grams")
        let letters = Array("aAbß_-'\"%.: \n中国数据 ガﾞ각e\u{301}🎉é1")
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 1...24, using: &random)).compactMap { _ in
                letters.randomElement(using: &random)
            }
            let from = Int.random(in: 0..<text.count, using: &random)
            let to = Int.random(in: from..<text.count, using: &random)
            let part = NormalForm.of(String(text[from...to])), whole = NormalForm.of(String(text))
            let trimmed = part.drop { $0 == 0x20 }
            // A mark at its beginning is composed with what stands before it in the text.
            guard !trimmed.isEmpty,
                let query = try? SearchQuery("\"" + String(decoding: trimmed, as: UTF8.self) + "\""),
                query.matches(whole), !trimmed.contains(0x22)
            else { continue }
            #expect(
                try isGiven("\"" + String(decoding: trimmed, as: UTF8.self) + "\"", by: String(text)),
                "\(String(text)) / \(String(decoding: trimmed, as: UTF8.self)), CONVOD_SEED=\(SeededRandom.runSeed)"
            )
        }
    }

    @Test func `is asked of the index by its rarest grams, and by a beginning only where it has none (B103)`()
        throws
    {
        #expect(try SearchQuery("hello").expression == "(\"ell\" AND \"hel\" AND \"llo\")")
        #expect(try SearchQuery("数据库").expression == "(\"据库\" AND \"数据\")")
        #expect(try SearchQuery("go").expression == "(\"go\" *)")
        #expect(try SearchQuery("go hello").expression == "(\"ell\" AND \"hel\" AND \"llo\")")
        #expect(try SearchQuery("\"").expression == "(\"\"\"\" *)")
        #expect(try SearchQuery("red OR 中").expression == "(\"red\") OR (\"中\")")
        #expect(try SearchQuery("-red").expression == nil)
        #expect(try SearchQuery("red OR -blue").expression == nil)
    }
}

@Suite struct `A snippet` {
    @Test func `marks what was found in the text as it is written`() throws {
        #expect(try snippet("strasse", in: "In der Straße 5") == "In der [Straße] 5")
        #expect(try snippet("アパート", in: "新しいｱﾊﾟｰﾄです") == "新しい[ｱﾊﾟｰﾄ]です")
        #expect(try snippet("cafe\u{301}", in: "A Café!") == "A [Café]!")
        #expect(try snippet("\"a b\"", in: "x a \n b y") == "x [a \n b] y")
        #expect(try snippet("red blue", in: "blue, red, blue") == "[blue], [red], [blue]")
    }

    @Test func `stands around the first hit, cut between characters`() throws {
        let text = String(repeating: "👩‍👩‍👧é ", count: 2_000) + "needle" + String(repeating: " 数é", count: 2_000)
        let found = try snippet("needle", in: text)
        #expect(found.hasPrefix("…") && found.hasSuffix("…") && found.contains("[needle]"))
        #expect(found.utf8.count < 400)
        for character in found.dropFirst().dropLast() {
            #expect("👩‍👩‍👧é 数[]needle".contains(character), "\(character)")
        }
    }

    @Test func `is found wherever the hit stands in a long text`() throws {
        var random = SeededRandom("snippets")
        for _ in 0..<200 {
            let words = (0..<Int.random(in: 1...900, using: &random)).map { _ in
                ["abc", "中文", "É e\u{301}", "x\n\n y", "ﾞ"].randomElement(using: &random) ?? ""
            }
            let at = Int.random(in: 0...words.count, using: &random)
            let text = (words.prefix(at) + ["Nädel"] + words.dropFirst(at)).joined(separator: " ")
            #expect(
                try snippet("nädel", in: text).contains("[Nädel]"),
                "\(at), CONVOD_SEED=\(SeededRandom.runSeed)")
        }
    }

    @Test func `of a message has the text of all its parts`() {
        let content = #"""
            [{"type":"text","text":"one"},{"type":"thought","text":"two"},{"type":"image","mimeType":"image/png","data":"AAAA"},
             {"type":"tool_call","id":"c","name":"three","arguments":{"four":"f\u00efve","n":[6,true]}},
             {"type":"tool_result","toolCallId":"c","content":[{"type":"text","text":"seven"}]},
             {"type":"tool_result","toolCallId":"c","content":"eight"},
             {"type":"tool_result","toolCallId":"c","content":{"nine":"ten"}},
             {"type":"resource","resource":{"uri":"file:///a","text":"eleven"}},{"type":"resource_link","uri":"u:1","name":"twelve"}]
            """#
        #expect(
            text(SearchedText.of(Array(content.utf8)))
                == "one\ntwo\nthree\nfour\nfïve\nn\n6\ntrue\nseven\neight\nnine\nten\nfile:///a\neleven\ntwelve\nu:1"
        )
    }
}

extension `A question` {
    @Test(arguments: [
        ("don't use agents", "Please don't use agents here"),
        ("don’t use agents", "Please don’t use agents here"),
        ("\"don’t use\"", "They DON’T use it"), ("'", "it's"), ("’", "it’s"),
    ])
    func `may have apostrophes of either kind (B100)`(question: String, text: String) throws {
        #expect(try finds(question, in: text))
        #expect(try isGiven(question, by: text))
    }
}
