import JSON
import TestSupport
import Testing

private func nested(_ levels: Int) -> [UInt8] {
    [UInt8](repeating: 0x5B, count: levels) + [UInt8](repeating: 0x5D, count: levels)
}

/// What reading a text fails of, nil when it is read.
private func refusal(_ bytes: [UInt8], depth: Int) -> String? {
    do throws(JSONError) {
        _ = try JSONDocument(bytes, depth: depth)
        return nil
    } catch { return error.description }
}

private func tooDeep(_ limit: Int, at offset: Int) -> String {
    "nested deeper than \(limit) levels at byte \(offset)"
}

@Suite struct `Nesting (B118, B119)` {
    @Test func `is accepted up to the limit`() throws {
        let document = try JSONDocument(nested(128))
        #expect(document.root.count == 1)
    }

    @Test func `is refused one level below the limit (B118)`() {
        #expect(refusal(nested(129), depth: 128) == tooDeep(128, at: 128))
    }

    @Test func `of 1,100 open arrays is refused with the limit (B119)`() {
        let bytes = [UInt8](repeating: 0x5B, count: 1_100)
        #expect(refusal(bytes, depth: 128) == "nested deeper than 128 levels at byte 128")
    }

    @Test func `of 10,000 levels is read under a limit of 20,000`() throws {
        let root = try JSONDocument(nested(10_000), depth: 20_000).root
        #expect(root.raw.count == 20_000)
        #expect(root.duplicateKeyInside == nil)
        #expect(!root.hasLoneSurrogateInside)
    }

    @Test func `of 10,000 levels is refused under a limit of 128`() {
        #expect(refusal(nested(10_000), depth: 128) == tooDeep(128, at: 128))
    }

    @Test(arguments: [128, 20_000])
    func `of 100,000 open arrays ends at the limit`(_ limit: Int) {
        #expect(refusal([UInt8](repeating: 0x5B, count: 100_000), depth: limit) == tooDeep(limit, at: limit))
    }

    @Test func `of 100,000 open arrays without a limit ends at the end of the text`() {
        #expect(
            refusal([UInt8](repeating: 0x5B, count: 100_000), depth: .max)
                == "the text ends inside a value at byte 100000")
    }

    @Test func `counts objects and arrays alike`() {
        let bytes = Array(String(repeating: #"{"a":["#, count: 65).utf8)
        #expect(refusal(bytes, depth: 128) == tooDeep(128, at: 64 * 6))
    }

    @Test func `in a value that nobody asks for is refused too`() {
        let bytes = Array((#"{"x":"# + String(repeating: "[", count: 10_000)).utf8)
        #expect(refusal(bytes, depth: 128) == tooDeep(128, at: 5 + 127))
    }

    @Test func `side by side costs no depth`() throws {
        let bytes = Array(("[" + Array(repeating: "[]", count: 50_000).joined(separator: ",") + "]").utf8)
        #expect(try JSONDocument(bytes, depth: 2).root.count == 50_000)
    }

    @Test func `in the relaxed mode has a limit of 64`() {
        #expect((try? JSONDocument(relaxed: nested(64))) != nil)
        #expect((try? JSONDocument(relaxed: nested(65))) == nil)
    }
}
