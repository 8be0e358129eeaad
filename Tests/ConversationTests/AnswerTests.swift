import Conversation
import TestSupport
import Testing

private let call = #"{"type":"tool_call","id":"c","name":"n","arguments":{}}"#

private func piece(_ kind: Piece.Kind, _ text: String) -> Piece { Piece(kind, Array(text.utf8)) }

private func answer(_ pieces: [Piece]) -> Answer {
    var answer = Answer(issuer: "gemini")
    for piece in pieces { answer.append(piece) }
    return answer
}

/// Pieces as text, so that a failure can be read: `text:…`, `thought:…`, `part:…`.
private func words(_ pieces: [Piece]) -> [String] { pieces.map { "\($0.kind):\(text($0.bytes))" } }

@Suite struct `An answer` {
    private let whole = answer([
        piece(.thought, "hé"), piece(.thought, "你"), piece(.text, "a"), piece(.text, "👍"), piece(.part, call),
        piece(.text, "好é"), piece(.text, ""),
        piece(.text, "z"),
    ])

    @Test func `joins text that goes on and keeps the order of the rest (N016)`() {
        #expect(
            text(whole.content) == """
                [{"type":"thought","text":"hé你","issuer":"gemini"},{"type":"text","text":"a👍"},\(call),{"type":"text","text":"好éz"}]
                """)
    }

    @Test func `counts bytes of text and thoughts, and pieces as they came`() {
        #expect(whole.length == 3 + 3 + 1 + 4 + 3 + 2 + 1)
        #expect(whole.count == 8)
        #expect(answer([]) == Answer(issuer: "gemini"))
        #expect(text(answer([]).content) == "[]")
    }

    @Test func `may be cut inside a character by the upstream (B026)`() {
        let bytes = Array("你👍".utf8)
        let split = answer(bytes.map { Piece(.text, [$0]) })
        #expect(text(split.content) == #"[{"type":"text","text":"你👍"}]"#)
        #expect(
            text(answer([Piece(.text, Array(bytes.dropLast()))]).content)
                == #"[{"type":"text","text":"你\#u{FFFD}"}]"#)
    }

    @Test func `knows whether anything came and whether a reader saw it`() {
        #expect(answer([]).isEmpty && !answer([]).hasVisibleText)
        #expect(answer([piece(.text, "")]).isEmpty && !answer([piece(.text, "")]).hasVisibleText)
        #expect(!answer([piece(.thought, "x")]).isEmpty && !answer([piece(.thought, "x")]).hasVisibleText)
        #expect(!answer([piece(.part, call)]).isEmpty && !answer([piece(.part, call)]).hasVisibleText)
        #expect(answer([piece(.text, "x")]).hasVisibleText)
    }

    @Test func `comes back from the stored message, piece by piece`() {
        let message = Message(
            id: MessageID(high: 0, low: 0), seq: 1, role: .assistant, createdAt: 0, tokens: 0,
            content: whole.content)
        #expect(words(message.pieces) == ["thought:hé你", "text:a👍", "part:\(call)", "text:好éz"])
        #expect(message.pieces.reduce(0) { $0 + $1.length } == whole.length)
    }
}

@Suite struct `The first bytes of an answer` {
    private let whole = answer([
        piece(.part, call), piece(.text, "ab"), piece(.part, call), piece(.thought, "cd"),
    ])

    @Test(
        arguments: [
            (0, 0, []), (0, 1, ["part"]), (1, 1, ["part", "text:a"]), (2, 1, ["part", "text:ab"]),
            (2, 2, ["part", "text:ab", "part"]),
            (3, 0, ["part", "text:ab", "part", "thought:c"]),
            (4, 0, ["part", "text:ab", "part", "thought:cd"]),
            (9, 9, ["part", "text:ab", "part", "thought:cd"]),
        ] as [(Int, Int, [String])])
    func `hold the parts before the cut, and at the cut as many as are named`(
        _ bytes: Int, _ parts: Int, _ expected: [String]
    ) {
        #expect(
            words(whole.first(bytes, parts: parts).rest(after: 0).pieces)
                == expected.map { $0 == "part" ? "part:\(call)" : $0 })
    }
}

@Suite struct `The rest of an answer` {
    private let pieces = [
        piece(.thought, "é你"), piece(.text, "a👍"), piece(.part, call), piece(.text, "好z"), piece(.part, call),
    ]

    /// All text with its kind, byte by byte, and the parts with the offset at which they stand.
    private func expected(after wanted: Int) -> (offset: Int, pieces: [String]) {
        var at = 0, first: Int?, out: [String] = []
        for piece in pieces {
            if piece.kind == .part {
                if at >= wanted { out.append("part:\(call)") }
                if at >= wanted && first == nil { first = at }
                continue
            }
            var rest = ""
            for scalar in text(piece.bytes).unicodeScalars {
                let end = at + String(scalar).utf8.count
                if end > wanted {
                    if first == nil { first = at }
                    rest.unicodeScalars.append(scalar)
                }
                at = end
            }
            if !rest.isEmpty { out.append("\(piece.kind):\(rest)") }
        }
        return (first ?? at, out)
    }

    @Test(arguments: -1...16) func `after any number of bytes begins at a character, rounded down`(
        _ wanted: Int
    ) {
        let whole = answer(pieces)
        #expect(whole.length == 14)
        let rest = whole.rest(after: wanted), expected = expected(after: min(max(wanted, 0), 14))
        #expect(words(rest.pieces) == (wanted > 14 ? [] : expected.pieces))
        #expect(rest.offset == expected.offset)
    }

    @Test(
        arguments: [
            (0, 0, ["thought:é你", "text:a👍", "part", "text:好z", "part"]),
            (1, 0, ["thought:é你", "text:a👍", "part", "text:好z", "part"]),
            (2, 2, ["thought:你", "text:a👍", "part", "text:好z", "part"]),
            (5, 5, ["text:a👍", "part", "text:好z", "part"]),
            (7, 6, ["text:👍", "part", "text:好z", "part"]), (9, 6, ["text:👍", "part", "text:好z", "part"]),
            (10, 10, ["part", "text:好z", "part"]),
            (11, 10, ["text:好z", "part"]), (13, 13, ["text:z", "part"]), (14, 14, ["part"]), (15, 14, []),
        ] as [(Int, Int, [String])])
    func `is these pieces`(_ wanted: Int, _ offset: Int, _ expected: [String]) {
        let rest = answer(pieces).rest(after: wanted)
        #expect(rest.offset == offset)
        #expect(words(rest.pieces) == expected.map { $0 == "part" ? "part:\(call)" : $0 })
    }

    @Test
    func `repeats a tool call that stands right at the offset, since bytes cannot tell whether it was seen`()
    {
        #expect(
            words(answer([piece(.text, "ab"), piece(.part, call)]).rest(after: 2).pieces) == ["part:\(call)"])
        #expect(
            words(answer([piece(.part, call), piece(.text, "ab")]).rest(after: 0).pieces) == [
                "part:\(call)", "text:ab",
            ])
    }

    @Test func `joined to what is held is the whole, for random answers`() {
        var random = SeededRandom()
        for _ in 0..<500 {
            let whole = answer(
                (0..<random.int(0...6)).map { _ in
                    random.oneIn(4)
                        ? piece(.part, call) : piece(random.oneIn(3) ? .thought : .text, random.text(6))
                })
            let all = whole.rest(after: 0).pieces.filter { $0.kind != .part }.flatMap(\.bytes)
            #expect(all.count == whole.length, "\(random)")
            for wanted in 0...whole.length {
                let rest = whole.rest(after: wanted)
                let held = all.prefix(rest.offset)
                #expect(
                    Array(held) + rest.pieces.filter { $0.kind != .part }.flatMap(\.bytes) == all, "\(random)"
                )
                #expect(rest.offset <= wanted && wanted - rest.offset < 4, "\(random)")
                #expect(Array(text(held).utf8) == Array(held), "\(random)")
            }
        }
    }
}
