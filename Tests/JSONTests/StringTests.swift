import JSON
import TestSupport
import Testing

@Suite struct `A string` {
    @Test func `has its short escapes undone`() throws {
        #expect(
            try Fixtures.json(#""\"\\\/\b\f\n\r\t""#).utf8 == [
                0x22, 0x5C, 0x2F, 0x08, 0x0C, 0x0A, 0x0D, 0x09,
            ])
    }

    @Test func `with a raw control character is refused with the place`() {
        for byte in UInt8(0)..<0x20 {
            let error = #expect(throws: JSONError.self) { try JSONDocument([0x22, 0x61, byte, 0x22]) }
            #expect(error?.description == "a raw control character inside a string at byte 2")
        }
    }

    @Test(arguments: [
        (#""\u0041\u00e9\u4F60""#, "Aé你"),
        (#""\ud83d\ude00""#, "😀"),
        (#""\uD834\uDD1E""#, "𝄞"),
        (#""a\u0000b""#, "a\u{0}b"),
        ("\"\u{2028}\u{2029}\u{85}\u{7F}\"", "\u{2028}\u{2029}\u{85}\u{7F}"),
        (#""\\u0041""#, #"\u0041"#),
        (#""""#, ""),
    ])
    func `has its escapes undone`(_ source: String, _ value: String) throws {
        let view = try Fixtures.json(source)
        #expect(view.utf8 == Array(value.utf8))
        #expect(view.string.map { Array($0.utf8) } == Array(value.utf8))
    }

    @Test func `of any characters, escaped or not, is what it says`() throws {
        var random = SeededRandom()
        for _ in 0..<2_000 {
            var text = "", source = "\""
            for _ in 0..<random.int(0...12) {
                let most = random.pick([0x7F, 0x7FF, 0xFFFF, 0x10FFFF])
                guard let scalar = Unicode.Scalar(UInt32(random.int(0x20...most))) else { continue }
                text.unicodeScalars.append(scalar)
                let isPlain = scalar != "\"" && scalar != "\\" && random.oneIn(2)
                if isPlain {
                    source.unicodeScalars.append(scalar)
                } else {
                    for unit in String(Character(scalar)).utf16 {
                        let digits = String(unit, radix: 16, uppercase: random.oneIn(2))
                        source += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                    }
                }
            }
            #expect(try Fixtures.json(source + "\"").utf8 == Array(text.utf8), "\(source) \(random)")
        }
    }

    @Test(arguments: [
        (#""\ud83d""#, "\u{FFFD}"), (#""\ude00""#, "\u{FFFD}"), (#""a\udc81b""#, "a\u{FFFD}b"),
        (#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}"),
        (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"), (#""\ud83dx""#, "\u{FFFD}x"), (#""\ud83d\n""#, "\u{FFFD}\n"),
        (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\uD800\\uDC00""#, "\u{FFFD}\\uDC00"),
    ])
    func `reads half of a surrogate pair as U+FFFD and keeps it raw (B088)`(_ source: String, _ value: String)
        throws
    {
        let view = try Fixtures.json(source)
        #expect(view.string == value)
        #expect(view.hasLoneSurrogate)
        #expect(text(view.raw) == source)
    }

    @Test(arguments: [
        (#"{"a":["\ud83d"]}"#, true), (#"{"\udc00":1}"#, true), (#"{"a":["\ud83d\ude00"]}"#, false),
        ("1", false),
    ])
    func `with half of a pair is found at any depth`(_ source: String, _ isThere: Bool) throws {
        #expect(try Fixtures.json(source).hasLoneSurrogateInside == isThere)
    }

    @Test(arguments: [
        ("\"a\nb\"", "a raw control character inside a string at byte 2"),
        (#""\x""#, "an escape that is not JSON at byte 1"),
        (#""\u12G4""#, "an escape that is not JSON at byte 1"),
        (#""\'""#, "an escape that is not JSON at byte 1"),
        (#""\"#, "the text ends inside a value at byte 1"),
        (#""\u12"#, "an escape that is not JSON at byte 1"),
        (#""abc"#, "the text ends inside a value at byte 4"),
        ("'a'", "unexpected ''' at byte 0"),
    ])
    func `that is none is refused with the place`(_ source: String, _ message: String) {
        let error = #expect(throws: JSONError.self) { try Fixtures.json(source) }
        #expect(error?.description == message)
    }

    @Test(
        arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xF4, 0x90, 0x80, 0x80]] as [[UInt8]])
    func `that is not UTF-8 is refused with the place`(_ bytes: [UInt8]) {
        let error = #expect(throws: JSONError.self) {
            try JSONDocument([0x5B, 0x22, 0x61] + bytes + [0x22, 0x5D])
        }
        #expect(error?.description == "not valid UTF-8 at byte 3")
    }
}
