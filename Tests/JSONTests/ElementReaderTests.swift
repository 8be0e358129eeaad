import JSON
import TestSupport
import Testing

/// The elements that a text gives when it comes in pieces of these sizes.
private func elements(
    of text: [UInt8], longest: Int = 1 << 20, pieces: () -> Int
) throws(JSONError) -> [[UInt8]] {
    var reader = JSONElementReader(longest: longest), at = 0, found: [[UInt8]] = []
    while at < text.count {
        let end = min(text.count, at + pieces())
        reader.feed(Array(text[at..<end]))
        at = end
        while let document = try reader.next() { found.append(document.bytes) }
    }
    if let last = try reader.finish() { found.append(last.bytes) }
    return found
}

private func elements(of text: String, longest: Int = 1 << 20) throws(JSONError) -> [String] {
    try elements(of: Array(text.utf8), longest: longest, pieces: { 1 }).map {
        String(decoding: $0, as: UTF8.self)
    }
}

@Suite struct `A long JSON text` {
    @Test(
        arguments: [
            ("[]", []), (" [ ] ", []), ("[1]", ["1"]), ("[1 , 2.5e3,\ttrue\n]", ["1", "2.5e3", "true"]),
            (#"["a,]\"", {"b": [1, "}"]}, [[]], null]"#, [#""a,]\"""#, #"{"b": [1, "}"]}"#, "[[]]", "null"]),
            (#"{"a": [1, 2]}"#, [#"{"a": [1, 2]}"#]), ("7", ["7"]), (" \"x\" ", ["\"x\""]),
            ("\u{FEFF}[1]", ["1"]),
            (#"["\\"]"#, [#""\\""#]),
        ] as [(String, [String])])
    func `gives the elements of its array, or itself`(_ text: String, _ found: [String]) throws {
        #expect(try elements(of: text) == found)
    }

    @Test(
        arguments: [
            ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("[1]]", 3), ("[1", 2), ("", 0), ("[\"a", 3), ("[1}", 2),
            ("[{]}]", 2), ("[01]", 2), ("[1] x", 4), ("\u{FEFF}\u{FEFF}[]", 3), ("[tru]", 4),
        ])
    func `that is none is refused at its place`(_ text: String, _ offset: Int) {
        let error = #expect(throws: JSONError.self) { try elements(of: text) }
        #expect(error?.offset == offset)
    }

    @Test func `with an element of too many bytes is refused before it is held`() {
        let error = #expect(throws: JSONError.self) {
            try elements(of: "[1, \"\(String(repeating: "x", count: 200))\"]", longest: 100)
        }
        #expect(error?.code == .tooLong(limit: 100))
        #expect(error?.reason == "an element of more than 100 bytes")
    }

    @Test func `is cut anywhere and gives what the whole of it holds, five hundred times`() throws {
        let random = SeededRandom()
        var source = random
        func value(_ depth: Int) -> String {
            switch Int.random(in: 0..<(depth > 3 ? 4 : 6), using: &source) {
            case 0: return ["1", "-0.5e-7", "true", "null"].randomElement(using: &source) ?? ""
            case 1: return #""\u00e9 \"\\ [,] {:}""#
            case 2: return #""你好""#
            case 3: return ["[]", "{}", "\"\""].randomElement(using: &source) ?? ""
            case 4: return "[" + list(depth) { value(depth + 1) } + "]"
            default: return "{" + list(depth) { #""k" : "# + value(depth + 1) } + "}"
            }
        }
        func list(_ depth: Int, _ element: () -> String) -> String {
            (0..<Int.random(in: 0...4, using: &source)).map { _ in element() }
                .joined(separator: [",", " , ", ",\n"].randomElement(using: &source) ?? ",")
        }
        for _ in 0..<500 {
            let text = Array("[\(list(0) { value(1) })]".utf8)
            let whole = try JSONDocument(text).root.elements.map { Array($0.raw) }
            let cut = try elements(of: text) { Int.random(in: 1...20, using: &source) }
            #expect(cut == whole, "\(random)")
        }
    }

    @Test func `holds no more than an element and what came with it`() throws {
        // A hundred thousand elements pass through a limit of a few bytes, many with each piece.
        var reader = JSONElementReader(longest: 64), count = 0
        reader.feed(Array("[".utf8))
        for start in stride(from: 0, to: 100_000, by: 5_000) {
            let piece = (start..<(start + 5_000)).map { "\($0 == 0 ? "" : ","){\"n\":\($0)}" }
            reader.feed(Array(piece.joined().utf8))
            while try reader.next() != nil { count += 1 }
        }
        reader.feed(Array("]".utf8))
        #expect(try reader.next() == nil && reader.finish() == nil)
        #expect(count == 100_000)
    }
}
