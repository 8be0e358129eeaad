import Protocol
import TestSupport
import Testing

private typealias Output = LineFramer.Output

/// All that comes out when the bytes arrive in pieces; a last line without LF is asked for at the end.
private func frames(_ pieces: [[UInt8]], limit: Int = 64) -> [Output] {
    var framer = LineFramer(limit: limit), out: [Output] = []
    for piece in pieces {
        framer.fill { $0 += piece }
        while let next = framer.next() { out.append(next) }
    }
    if let last = framer.finish() { out.append(last) }
    return out
}

private func frames(_ source: String, every step: Int, limit: Int = 64) -> [Output] {
    let bytes = Array(source.utf8)
    return frames(
        stride(from: 0, to: bytes.count, by: step).map { Array(bytes[$0..<min($0 + step, bytes.count)]) },
        limit: limit)
}

private func line(_ text: String) -> Output { .line(Array(text.utf8)) }

@Suite struct `A byte stream` {
    @Test(arguments: [1, 2, 3, 5, 7, 11, 1_000]) func `gives the same lines however it is cut (B109)`(
        _ step: Int
    ) {
        let out = frames("{\"a\":1}\n{\"b\":\"你好👍\"}\n\n[]\r\n\r\n x \n", every: step)
        #expect(out == [line("{\"a\":1}"), line("{\"b\":\"你好👍\"}"), line("[]"), line(" x ")])
    }

    @Test(arguments: [1, 2, 3, 7, 1_000]) func `is cut at LF only (B110)`(_ step: Int) {
        let source = "\"a\u{2028}b\u{2029}c\u{85}d\u{B}e\u{C}f\rg\u{1E}h\"\n"
        #expect(frames(source, every: step) == [line(String(source.dropLast()))])
    }

    @Test(arguments: [1, 2, 3, 7, 1_000]) func `may end its lines with CR LF (B112)`(_ step: Int) {
        #expect(frames("a\r\nb\r\n\r\nc\r\r\n", every: step) == [line("a"), line("b"), line("c\r")])
    }

    @Test(arguments: [1, 2, 3, 7, 1_000]) func `gives its last line though no LF came`(_ step: Int) {
        #expect(frames("a\nlast", every: step) == [line("a"), line("last")])
        #expect(frames("a\nlast\r", every: step) == [line("a"), line("last")])
        #expect(frames("a\n", every: step) == [line("a")])
        #expect(frames("a\n\r", every: step) == [line("a")])
    }

    @Test func `may be empty`() { #expect(frames([]) == []) }

    @Test func `gives random lines however it is cut`() {
        var random = SeededRandom()
        for _ in 0..<300 {
            let lines = (0..<random.int(1...8)).map { _ in
                Array(random.text(40).utf8).filter { $0 != 0x0A && $0 != 0x0D }
            }
            let bytes = Array(lines.map { $0 + (random.oneIn(2) ? [0x0A] : [0x0D, 0x0A]) }.joined())
            let expected = lines.filter { !$0.isEmpty }.map { $0.count > 60 ? Output.tooLong : .line($0) }
            #expect(frames(random.cut(bytes, longest: 9), limit: 60) == expected, "\(random)")
        }
    }
}

@Suite struct `A line` {
    private let limit = 16

    @Test(arguments: [1, 2, 3, 7, 1_000]) func `of exactly the limit passes`(_ step: Int) {
        let longest = String(repeating: "x", count: limit)
        #expect(
            frames("\(longest)\n\(longest)\r\n\(longest)", every: step, limit: limit) == [
                line(longest), line(longest), line(longest),
            ])
    }

    @Test(arguments: [1, 2, 3, 7, 1_000]) func `of one byte more is refused once, and the next one is read`(
        _ step: Int
    ) {
        let tooLong = String(repeating: "x", count: limit + 1)
        #expect(frames("\(tooLong)\nnext\n", every: step, limit: limit) == [.tooLong, line("next")])
        #expect(frames("\(tooLong)\r\nnext\n", every: step, limit: limit) == [.tooLong, line("next")])
    }

    @Test(arguments: [1, 2, 3, 7, 16, 17, 18, 1_000])
    func `far over the limit is refused once, and the next one is read (B131)`(_ step: Int) {
        let tooLong = String(repeating: "x", count: 5 * limit)
        let out = frames("a\n\(tooLong)\n\nb\n\(tooLong)\nc\n", every: step, limit: limit)
        #expect(out == [line("a"), .tooLong, line("b"), .tooLong, line("c")])
    }

    @Test(arguments: [1, 3, 1_000]) func `over the limit that never ends is refused once`(_ step: Int) {
        #expect(frames(String(repeating: "x", count: 100), every: step, limit: limit) == [.tooLong])
        #expect(frames(String(repeating: "x", count: limit + 1), every: step, limit: limit) == [.tooLong])
    }

    @Test func `is measured by itself, not by the read it came in (B130)`() {
        let first = String(repeating: "a", count: 15), second = String(repeating: "b", count: 16)
        #expect(
            frames([Array("\(first)\n\(second)\n\(first)".utf8), Array("a\n".utf8)], limit: limit) == [
                line(first), line(second), line(first + "a"),
            ])
    }

    @Test(arguments: [65_535, 65_536, 65_537, 1 << 20]) func `of any legal length comes whole (B128)`(
        _ length: Int
    ) {
        let bytes = [UInt8](repeating: 0x61, count: length)
        let pieces =
            stride(from: 0, to: length, by: 65_536).map { Array(bytes[$0..<min($0 + 65_536, length)]) } + [
                [0x0A]
            ]
        #expect(frames(pieces, limit: 1 << 20) == [.line(bytes)])
    }

    @Test func `of 100 MB holds no more memory than the limit and one read (B131)`() {
        let limit = 1 << 20, read = [UInt8](repeating: 0x61, count: 1 << 18)
        var framer = LineFramer(limit: limit), out: [Output] = [], most = 0
        for _ in 0..<400 {
            framer.fill { $0 += read }
            most = max(most, framer.pending)
            while let next = framer.next() { out.append(next) }
        }
        framer.fill { $0 += Array("\nnext\n".utf8) }
        while let next = framer.next() { out.append(next) }
        #expect(out == [.tooLong, line("next")])
        #expect(most <= limit + 1 + read.count)
        #expect(framer.pending == 0)
    }

    @Test func `that grows takes little more memory than it has bytes, and comes whole`() {
        var framer = LineFramer(limit: 16 << 20), sent: [UInt8] = [], random = SeededRandom()
        framer.fill { $0 += Array("first\nsec".utf8) }
        #expect(framer.next() == line("first"))
        sent = Array("sec".utf8)
        while sent.count < 3 << 20 {
            let more = [UInt8](repeating: UInt8(random.int(0x20...0x7E)), count: random.int(1...framer.room))
            sent += more
            framer.fill { $0 += more }
            #expect(framer.next() == nil)
            #expect(framer.pending == sent.count, "\(random)")
            #expect(framer.capacity <= sent.count + sent.count / 16 + 256 << 10, "\(random)")
        }
        framer.fill { $0 += Array("\r\nlast\n".utf8) }
        #expect(framer.next() == .line(sent))
        #expect(framer.next() == line("last"))
        #expect(framer.pending == 0)
    }

    @Test(arguments: [128 << 10, (128 << 10) + 1, 1 << 20]) func `may end with CR LF at any place (B112)`(
        _ size: Int
    ) {
        let words = [UInt8](repeating: 0x61, count: size)
        let cr: [UInt8] = [0x0D], lf: [UInt8] = [0x0A]
        #expect(frames([words, cr, lf, lf, words + cr, lf], limit: size) == [.line(words), .line(words)])
        #expect(frames([words, [0x61] + cr, lf, words, lf], limit: size) == [.tooLong, .line(words)])
        #expect(frames([words, [0x62], cr + lf, words], limit: size) == [.tooLong, .line(words)])
    }

    @Test func `is handed over as soon as it is there, and what follows is kept`() {
        var framer = LineFramer(limit: limit)
        framer.fill { $0 += Array("a\nb\nhal".utf8) }
        #expect(framer.next() == line("a"))
        #expect(framer.next() == line("b"))
        #expect(framer.next() == nil)
        #expect(framer.pending == 3)
        framer.fill { $0 += Array("f\n".utf8) }
        #expect(framer.next() == line("half"))
        #expect(framer.next() == nil)
    }
}
