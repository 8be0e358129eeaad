import JSON
import TestSupport
import Testing

/// One file of JSONTestSuite.
private struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    var testDescription: String { name }

    static let all: [Sample] = {
        guard let bytes = try? Fixtures.bytes("test_parsing.json"), let root = try? JSONDocument(bytes).root
        else { return [] }
        return root.elements.map { row in
            let cells = row.elements.map { $0 }
            return Sample(name: cells[0].string ?? "", bytes: Fixtures.base64(cells[1].utf8 ?? []) ?? [])
        }
    }()

    static func named(_ prefix: String) -> [Sample] { all.filter { $0.name.hasPrefix(prefix) } }
}

/// What this reader does where the standard leaves it open, and why.
private let decisions: [(name: String, isAccepted: Bool, reason: String)] = {
    let number = "a number is kept as text, so its size is of no concern to the reader"
    let surrogate =
        "an escaped lone surrogate is legal grammar (RFC 8259, 8.2); it is kept raw and reads as U+FFFD"
    let utf8 = "text between programs must be UTF-8 (RFC 8259, 8.1)"
    return [
        ("i_number_double_huge_neg_exp.json", true, number),
        ("i_number_huge_exp.json", true, number),
        ("i_number_neg_int_huge_exp.json", true, number),
        ("i_number_pos_double_huge_exp.json", true, number),
        ("i_number_real_neg_overflow.json", true, number),
        ("i_number_real_pos_overflow.json", true, number),
        ("i_number_real_underflow.json", true, number),
        ("i_number_too_big_neg_int.json", true, number),
        ("i_number_too_big_pos_int.json", true, number),
        ("i_number_very_big_negative_int.json", true, number),
        ("i_object_key_lone_2nd_surrogate.json", true, surrogate),
        ("i_string_1st_surrogate_but_2nd_missing.json", true, surrogate),
        ("i_string_1st_valid_surrogate_2nd_invalid.json", true, surrogate),
        ("i_string_UTF-16LE_with_BOM.json", false, utf8),
        ("i_string_UTF-8_invalid_sequence.json", false, utf8),
        ("i_string_UTF8_surrogate_U+D800.json", false, utf8),
        ("i_string_incomplete_surrogate_and_escape_valid.json", true, surrogate),
        ("i_string_incomplete_surrogate_pair.json", true, surrogate),
        ("i_string_incomplete_surrogates_escape_valid.json", true, surrogate),
        ("i_string_invalid_lonely_surrogate.json", true, surrogate),
        ("i_string_invalid_surrogate.json", true, surrogate),
        ("i_string_invalid_utf-8.json", false, utf8),
        ("i_string_inverted_surrogates_U+1D11E.json", true, surrogate),
        ("i_string_iso_latin_1.json", false, utf8),
        ("i_string_lone_second_surrogate.json", true, surrogate),
        ("i_string_lone_utf8_continuation_byte.json", false, utf8),
        ("i_string_not_in_unicode_range.json", false, utf8),
        ("i_string_overlong_sequence_2_bytes.json", false, utf8),
        ("i_string_overlong_sequence_6_bytes.json", false, utf8),
        ("i_string_overlong_sequence_6_bytes_null.json", false, utf8),
        ("i_string_truncated-utf-8.json", false, utf8),
        ("i_string_utf16BE_no_BOM.json", false, utf8),
        ("i_string_utf16LE_no_BOM.json", false, utf8),
        ("i_structure_500_nested_arrays.json", false, "the default limit is 128 levels"),
        (
            "i_structure_UTF-8_BOM_empty_object.json", false,
            "a sender must not add a byte order mark (RFC 8259, 8.1)"
        ),
    ]
}()

private func isAccepted(_ bytes: [UInt8], depth: Int = 128) -> Bool {
    (try? JSONDocument(bytes, depth: depth)) != nil
}

@Suite struct `JSONTestSuite` {
    @Test func `is here in full`() {
        #expect(["y_", "n_", "i_"].map { Sample.named($0).count } == [95, 188, 35])
    }

    @Test(arguments: Sample.named("y_")) private func `has this text accepted`(_ sample: Sample) throws {
        let document = try JSONDocument(sample.bytes)
        #expect(document.bytes == sample.bytes)
        let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
        let bare = sample.bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        #expect(Array(document.root.raw) == Array(bare))
    }

    @Test(arguments: Sample.named("n_")) private func `has this text refused`(_ sample: Sample) {
        #expect(!isAccepted(sample.bytes))
    }

    @Test(arguments: Sample.named("i_")) private func `has this open case decided`(_ sample: Sample) throws {
        let decision = try #require(decisions.first { $0.name == sample.name })
        #expect(isAccepted(sample.bytes) == decision.isAccepted, "\(decision.reason)")
    }

    @Test func `has no decision without its case`() {
        #expect(decisions.map(\.name) == Sample.named("i_").map(\.name))
    }

    @Test func `has its 500 nested arrays accepted under a higher limit`() throws {
        let sample = try #require(Sample.all.first { $0.name == "i_structure_500_nested_arrays.json" })
        #expect(isAccepted(sample.bytes, depth: 500))
        #expect(!isAccepted(sample.bytes, depth: 499))
    }

    @Test(arguments: Sample.named("y_")) private func `is read alike in the relaxed mode`(_ sample: Sample)
        throws
    {
        #expect(try JSONDocument(relaxed: sample.bytes).bytes == sample.bytes)
    }

    @Test(arguments: Sample.all) private func `ends at each of its prefixes without a crash`(_ sample: Sample)
    {
        for length in 0..<min(sample.bytes.count, 300) {
            _ = isAccepted(Array(sample.bytes.prefix(length)))
            _ = try? JSONDocument(relaxed: Array(sample.bytes.prefix(length)))
        }
    }

    @Test(arguments: Sample.all)
    private func `is told from what is no JSON by the check alone, with what the text has in it`(
        _ sample: Sample
    ) {
        for length in 0...min(sample.bytes.count, 300) {
            let text = length == 300 ? sample.bytes : Array(sample.bytes.prefix(length))
            let traits = JSONCheck.traits(of: text)
            // Whether the text is UTF-8 is not the check's to tell.
            let isText = (try? UTF8Span(validating: text.span)) != nil
            #expect((traits != nil && isText) == isAccepted(text, depth: 512), "\(text)")
            guard let traits else { continue }
            #expect(traits.isASCII == text.allSatisfy { $0 < 0x80 }, "\(text)")
            #expect(traits.hasLineEnd == text.contains { $0 == 0x0A || $0 == 0x0D }, "\(text)")
        }
    }
}
