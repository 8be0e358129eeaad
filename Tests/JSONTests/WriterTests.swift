import JSON
import TestSupport
import Testing

@Suite struct `The writer` {
    @Test func `puts commas and colons where they belong`() {
        let bytes = JSONWriter.object {
            $0.member("a", 1)
            $0.member("b") { $0.member("c", true) }
            $0.key("d")
            $0.array {
                $0.null()
                $0.array { _ in }
                $0.object { _ in }
                $0.raw(Array("1.50".utf8))
                $0.bool(false)
                $0.string("x")
            }
            $0.optional("e", nil as String?)
            $0.optional("f", 2)
            $0.optional("g", raw: Array("{}".utf8))
            $0.member("h", raw: Array("[7]".utf8)[...])
        }
        #expect(
            text(bytes) == #"{"a":1,"b":{"c":true},"d":[null,[],{},1.50,false,"x"],"f":2,"g":{},"h":[7]}"#)
    }

    @Test func `escapes only what must be escaped`() {
        var writer = JSONWriter()
        writer.string("\"\\/\u{8}\u{C}\n\r\t\u{0}\u{1F}\u{7F}\u{2028}é👍")
        #expect(text(writer.bytes) == "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7F}\u{2028}é👍\"")
    }

    @Test(
        arguments: [
            (0.0, "0"), (-0.0, "-0"), (1.5, "1.5"), (1e20, "1e+20"), (.leastNonzeroMagnitude, "5e-324"),
            (0.1, "0.1"), (100, "100"), (.infinity, "null"),
            (.nan, "null"),
        ] as [(Double, String)])
    func `writes a double shortest and exact`(_ value: Double, _ json: String) throws {
        var writer = JSONWriter()
        writer.double(value)
        #expect(text(writer.bytes) == json)
        #expect(try JSONDocument(writer.bytes).root.double == (value.isFinite ? value : nil))
    }

    @Test func `gives any string back through the reader`() throws {
        var random = SeededRandom()
        for _ in 0..<2_000 {
            let value = random.text(40), utf8 = Array(value.utf8)
            let bytes = JSONWriter.object {
                $0.member(value, value)
                $0.key("utf8")
                $0.string(utf8: utf8)
            }
            let root = try JSONDocument(bytes).root
            #expect(root.members.first { _ in true }?.keyView.utf8 == utf8, "\(random)")
            #expect(root.members.map { $0.value.utf8 } == [utf8, utf8], "\(random)")
            #expect(root[value]?.utf8 == utf8, "\(random)")
            #expect(!root.hasLoneSurrogateInside, "\(random)")
            #expect(!bytes.contains { $0 < 0x20 }, "\(random)")
        }
    }

    @Test func `gives any tree back through the reader, byte for byte`() throws {
        var random = SeededRandom()
        for _ in 0..<300 {
            var writer = JSONWriter()
            write(levels: 5, to: &writer, &random)
            let document = try JSONDocument(writer.bytes)
            #expect(text(document.root.raw) == text(writer.bytes), "\(random)")
            var again = JSONWriter()
            copy(document.root, to: &again)
            #expect(text(again.bytes) == text(writer.bytes), "\(random)")
            #expect(text(try JSONDocument(relaxed: writer.bytes).root.raw) == text(writer.bytes), "\(random)")
        }
    }

    private func write(levels: Int, to writer: inout JSONWriter, _ random: inout SeededRandom) {
        switch random.int(0...(levels > 0 ? 7 : 5)) {
        case 0: writer.null()
        case 1: writer.bool(random.oneIn(2))
        case 2: writer.int(Int(truncatingIfNeeded: random.next()))
        case 3: writer.double(Double.random(in: -1e9...1e9, using: &random))
        case 4, 5: writer.string(random.text(8))
        case 6:
            writer.array { for _ in 0..<random.int(0...4) { write(levels: levels - 1, to: &$0, &random) } }
        default:
            writer.object {
                for _ in 0..<random.int(0...4) {
                    $0.key(random.text(4))
                    write(levels: levels - 1, to: &$0, &random)
                }
            }
        }
    }

    /// Writes a value again out of what the reader says about it.
    private func copy(_ view: JSONView, to writer: inout JSONWriter) {
        switch view.kind {
        case .null: writer.null()
        case .bool: writer.bool(view.bool ?? false)
        case .number: if let int = view.int { writer.int(int) } else { writer.double(view.double ?? 0) }
        case .string: writer.string(view.string ?? "")
        case .array: writer.array { for element in view.elements { copy(element, to: &$0) } }
        case .object:
            writer.object {
                for member in view.members {
                    $0.key(member.key)
                    copy(member.value, to: &$0)
                }
            }
        }
    }
}
