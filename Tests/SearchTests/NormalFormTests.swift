internal import Crypto
internal import Posix
internal import TestSupport
internal import Testing

@testable internal import Search

/// What Python's own `unicodedata` gave, written by `Tests/External/fold_tables.py`.
private struct Samples {
    /// SHA-256 over the form of every scalar, a line each.
    let digest: String
    /// Texts and their forms.
    let pairs: [(text: String, form: String)]

    init() throws {
        let path = Files.directory(of: #filePath) + "/Fixtures/normal-forms.txt"
        let lines = text(try Files.read(path)).split(separator: "\n")
        digest = String(lines[0])
        pairs = lines.dropFirst().map { line in
            let sides = line.split(separator: ">", omittingEmptySubsequences: false).map { side in
                String(
                    String.UnicodeScalarView(
                        side.split(separator: " ").compactMap {
                            UInt32($0, radix: 16).flatMap(Unicode.Scalar.init)
                        }))
            }
            return (sides[0], sides[1])
        }
    }
}

@Suite struct `The form in which text is compared` {
    @Test func `of every scalar is what Python's unicodedata says`() throws {
        var hash = SHA256Digest()
        for number in UInt32(0)..<0x110000 {
            guard let scalar = Unicode.Scalar(number) else { continue }
            hash.update(NormalForm.of(String(Character(scalar))) + [0x0A])
        }
        let digits = hash.finish().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        #expect(try digits.joined() == Samples().digest)
    }

    @Test func `of what is composed, ordered and folded is what Python's unicodedata says`() throws {
        let samples = try Samples().pairs
        #expect(samples.count == 4_000)
        for (text, form) in samples {
            #expect(
                NormalForm.of(text) == Array(form.utf8),
                "\(text.unicodeScalars.map { String($0.value, radix: 16) })")
        }
    }

    @Test func `is one for what is written in several ways`() {
        let same = [
            ["Café", "CAFE\u{301}", "cafe\u{301}"], ["ＡＢＣ　１２", "abc 12"], ["ｶﾞｷﾞ", "ガギ", "カ\u{3099}ギ"],
            ["Straße", "STRASSE"],
            ["각", "\u{1100}\u{1161}\u{11A8}"], ["a \t\r\n b", "a b", "a\u{2028}b"], ["ΑΣ", "ας", "ασ"],
            ["Å", "\u{212B}", "a\u{30A}"],
        ]
        for group in same {
            for text in group { #expect(NormalForm.of(text) == NormalForm.of(group[0]), "\(text)") }
        }
        #expect(NormalForm.of("中国") == Array("中国".utf8))
        #expect(NormalForm.of("👩‍👩‍👧!") == Array("👩‍👩‍👧!".utf8))
    }

    @Test func `is its own form`() throws {
        for (_, form) in try Samples().pairs { #expect(NormalForm.of(form) == Array(form.utf8)) }
    }

    @Test(.timeLimit(.minutes(30)))
    func `of any number of marks behind one letter is made in the time of their number`() {
        let marks = String(
            String.UnicodeScalarView((0..<400_000).map { $0 % 2 == 0 ? "\u{301}" : "\u{316}" }))
        let form = NormalForm.of("a" + marks + " needle")
        #expect(form.suffix(7) == Array(" needle".utf8)[...])
        #expect(NormalForm.of("x" + marks + " needle").count > 400_000)
    }

    @Test func `of what is not UTF-8 stands for each byte`() {
        #expect(NormalForm([0x61, 0xFF, 0xC3]).bytes == Array("a\u{FFFD}\u{FFFD}".utf8))
    }
}
