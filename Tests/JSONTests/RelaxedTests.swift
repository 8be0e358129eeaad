import JSON
import TestSupport
import Testing

private func relaxed(_ source: String) throws(JSONError) -> JSONView {
    try JSONDocument(relaxed: Array(source.utf8)).root
}

/// What a text fails of with line and column, nil when it is read.
private func refusal(_ source: String) -> String? {
    let bytes = Array(source.utf8)
    do throws(JSONError) {
        _ = try JSONDocument(relaxed: bytes)
        return nil
    } catch {
        let place = error.position(in: bytes)
        return "\(place.line):\(place.column): \(error.reason)"
    }
}

@Suite struct `The relaxed mode` {
    @Test(arguments: ["\n", "\r\n"]) func `reads comments, trailing commas, bare keys and single quotes`(
        _ end: String
    ) throws {
        let source = [
            "// a configuration", "{", "  bare: 1, // one", "  'single': 'it\\'s \"so\"', /* two",
            "  lines */", "  \"double\": \"a'b\",",
            "  $_x9: [1, 2,], é: {}, /**/", "}", "// the end",
        ].joined(separator: end)
        let root = try relaxed(source)
        #expect(root.members.map(\.key) == ["bare", "single", "double", "$_x9", "é"])
        #expect(
            root.members.map { text($0.value.raw) } == ["1", #"'it\'s "so"'"#, #""a'b""#, "[1, 2,]", "{}"])
        #expect(root["single"]?.string == "it's \"so\"")
        #expect(root["$_x9"]?.elements.map(\.int) == [1, 2])
    }

    @Test func `skips one byte order mark`() throws {
        #expect(try relaxed("\u{FEFF}{a:1}")["a"]?.int == 1)
        #expect(refusal("\u{FEFF}\u{FEFF}{}") == "1:2: unexpected byte 239")
    }

    @Test(arguments: [
        ("{a:1,,}", "1:6: unexpected ','"), ("[,]", "1:2: unexpected ','"), ("{1a:1}", "1:2: unexpected '1'"),
        ("{a 1}", "1:4: unexpected '1'"), ("{a:1 b:2}", "1:6: unexpected 'b'"),
        ("{a:b}", "1:4: unexpected 'b'"),
        ("{a:'x\"}", "1:8: the text ends inside a value"), ("{} /", "1:4: unexpected '/'"),
        ("/* never", "1:1: the text ends inside a value"),
        ("/*/ {}", "1:1: the text ends inside a value"), ("{a:+1}", "1:4: unexpected '+'"),
        ("{a:.5}", "1:4: unexpected '.'"),
        ("{a:01}", "1:5: unexpected '1'"), ("{a:1} {}", "1:7: text after the value"),
        ("", "1:1: the text ends inside a value"),
        ("// only\n", "2:1: the text ends inside a value"), ("{a:1", "1:5: the text ends inside a value"),
    ])
    func `refuses what it does not know`(_ source: String, _ message: String) {
        #expect(refusal(source) == message)
    }

    @Test(arguments: ["\n", "\r\n"]) func `gives the line and the column of a fault (B112)`(_ end: String) {
        #expect(refusal(["{", "  a: 1,", "  名: ?", "}"].joined(separator: end)) == "3:6: unexpected '?'")
    }

    @Test func `is not what the strict mode reads`() {
        for source in ["{a:1}", "{'a':1}", "[1,]", "{\"a\":1,}", "[] // x", "/**/[]", "'a'", "\u{FEFF}[]"] {
            #expect((try? relaxed(source)) != nil)
            #expect((try? Fixtures.json(source)) == nil)
        }
    }

    @Test func `names a key that stands twice, bare and quoted`() throws {
        #expect(try relaxed("{a:1,'a':2}").duplicateKey == "a")
    }

    @Test func `counts columns in characters of Unicode, not in bytes`() {
        let bytes = Array("a\n你好👍x".utf8)
        let place = JSONError.position(of: bytes.count - 1, in: bytes)
        #expect(place == (line: 2, column: 4))
    }
}
