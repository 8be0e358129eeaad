import JSON
import TestSupport
import Testing

@Suite struct `A value` {
    @Test(arguments: [
        "0", "-0", "1.50", "1e20", "1E+2", "-0.0", "9007199254740993", "123456789012345678901234567890",
        "\"\\u0041\\/\"", "[ 1 ,\t2 ]",
        "{ \"b\" : 1.0 ,\r\n\"a\":\t[] }", "\"\u{2028}\"", "null", "true", "{\"a\":1,\"a\":2}",
    ])
    func `comes back byte for byte`(_ source: String) throws {
        let view = try Fixtures.json("{\"metadata\": \(source) }")
        #expect(text(try #require(view["metadata"]).raw) == source)
    }

    @Test func `says where it begins`() throws {
        #expect(try Fixtures.json("{\"a\":  7}")["a"]?.offset == 7)
    }

    @Test func `of another kind is not coerced`() throws {
        for source in ["null", "true", "1", "\"1\"", "[1]", "{\"1\":1}"] {
            let view = try Fixtures.json(source)
            #expect((view.bool != nil) == (view.kind == .bool))
            #expect((view.int != nil) == (view.kind == .number))
            #expect((view.double != nil) == (view.kind == .number))
            #expect((view.string != nil) == (view.kind == .string))
            #expect(view.count == (view.kind == .array || view.kind == .object ? 1 : 0))
        }
    }
}

@Suite struct `An integer (B115)` {
    @Test(arguments: [
        ("0", 0), ("-0", 0), ("7", 7), ("9007199254740993", 9_007_199_254_740_993),
        ("9223372036854775807", Int.max),
        ("-9223372036854775808", Int.min),
    ])
    func `is exact`(_ source: String, _ value: Int) throws {
        #expect(try Fixtures.json(source).int == value)
    }

    @Test(arguments: [
        "1.5", "1e20", "9223372036854775808", "-9223372036854775809", "true", "\"1\"", "null",
        "[]", "{}",
    ])
    func `is none of these`(_ source: String) throws {
        #expect(try Fixtures.json(source).int == nil)
    }

    @Test(
        arguments: [("1e400", nil), ("-1e400", nil), ("1e-400", 0.0), ("1.5", 1.5), ("-0", -0.0)]
            as [(String, Double?)])
    func `too large for a double is no double`(_ source: String, _ value: Double?) throws {
        #expect(try Fixtures.json(source).double == value)
    }
}

@Suite struct `An object` {
    private let source = #"{"a":{"x":[1,{"a":2}]},"b\u0062":3,"a":4,"":5,"é":6,"nul\u0000":7}"#

    @Test func `gives the first of two members with one key (B122)`() throws {
        #expect(try Fixtures.json(source)["a"]?.kind == .object)
    }

    @Test(arguments: [("bb", 3), ("", 5), ("\u{E9}", 6), ("nul\u{0}", 7)])
    func `finds a key however it is written`(_ key: String, _ value: Int) throws {
        #expect(try Fixtures.json(source)[key]?.int == value)
    }

    @Test(arguments: ["B", "b\\u0062", "e\u{301}", "nul", "x"]) func `compares keys by bytes`(_ key: String)
        throws
    {
        #expect(try Fixtures.json(source)[key] == nil)
    }

    @Test func `lists its members in order, doubles included`() throws {
        #expect(try Fixtures.json(source).members.map(\.key) == ["a", "bb", "a", "", "é", "nul\u{0}"])
    }

    @Test(
        arguments: [
            (#"{"a":1,"a":2}"#, "a"), (#"{"a":1,"\u0061":2}"#, "a"), (#"{"a":{"b":1,"b":2}}"#, nil),
            ("{}", nil), ("[1]", nil),
        ] as [(String, String?)])
    func `names the key that it has twice`(_ source: String, _ key: String?) throws {
        #expect(try Fixtures.json(source).duplicateKey == key)
    }

    @Test func `names a key that stands twice deeper inside, and where`() throws {
        let found = try #require(try Fixtures.json(#"{"a":[{"b":1,"c":{},"b":2}]}"#).duplicateKeyInside)
        #expect(found.key == "b")
        #expect(found.offset == 20)
    }

    @Test func `keeps two keys apart that only Unicode calls equal`() throws {
        let view = try Fixtures.json("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(view.duplicateKey == nil)
        #expect(view["e\u{301}"]?.int == 2)
    }
}

@Suite struct `An integer in JSON` {
    @Test(arguments: [
        ("1.0", 1), ("1e2", 100), ("1E+2", 100), ("-1.50e1", -15), ("0.0", 0), ("-0e5", 0), ("1200e-2", 12),
        ("9223372036854775807", .max), ("9223372036854775807.0", .max), ("-9.223372036854775808e18", .min),
        ("0.00100e3", 1), ("100000000000000000000e-20", 1),
    ]) func `is whatever is one, however it is written`(text: String, value: Int) throws {
        #expect(try JSONDocument(Array(text.utf8)).root.int == value)
    }

    @Test(arguments: [
        "1.5", "1e-1", "1e400", "1e99999999999999999999", "1e-9223372036854775808", "1e9223372036854775807",
        "9223372036854775808", "9.3e18", "1e19", "\"1\"",
        "0.1e0",
    ]) func `is no fraction and nothing beyond 64 bits`(text: String) throws {
        #expect(try JSONDocument(Array(text.utf8)).root.int == nil)
    }
}
