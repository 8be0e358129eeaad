internal import JSON
internal import Testing
internal import Upstream

@Suite struct `A table of models` {
    private func table(_ text: String) throws -> ModelTable {
        try ModelTable(reading: try JSONDocument(Array(text.utf8)).root, kinds: ["openai", "anthropic"])
    }

    @Test func `gives the first entry that is about a model, a date or a tag behind its name`() throws {
        let table = try table(
            #"{"openai":[{"match":"gpt-5","contextLength":1000},{"match":"gpt-5*","contextLength":2000},{"match":"a*-b*c","contextLength":3000}]}"#
        )
        func length(_ name: String) -> Int? { table.model(name, kind: "openai", host: "h")?.contextLength }
        for name in [
            "gpt-5", "gpt-5-2025-08-07", "gpt-5-latest", "gpt-5:free", "gpt-5@2025", "gpt-5-preview-0804",
        ] {
            #expect(length(name) == 1_000, "\(name)")
        }
        for name in ["gpt-5-mini", "gpt-5.1", "gpt-5-5", "gpt-50"] {
            #expect(length(name) == 2_000, "\(name)")
        }
        #expect(length("a1-b2c") == 3_000 && length("a-bc") == 3_000)
        #expect(length("a-b") == nil && length("a-bcd") == nil && length("gpt-4") == nil && length("") == nil)
        #expect(table.model("gpt-5", kind: "anthropic", host: "h") == nil)
    }

    @Test func `has entries for some servers alone, and one over another`() throws {
        let shipped = try table(
            #"{"openai":[{"match":"m","hosts":["api.x.com"],"prices":{"input":1,"output":2}},{"match":"m","contextLength":512}]}"#
        )
        #expect(shipped.model("m", kind: "openai", host: "api.x.com")?.prices?.output == 2)
        #expect(shipped.model("m", kind: "openai", host: "other")?.contextLength == 512)
        let own = try table(#"{"openai":[{"match":"m","prices":{"input":5,"output":6}}]}"#).over(shipped)
        #expect(own.model("m", kind: "openai", host: "api.x.com")?.prices?.output == 6)
    }

    @Test func `prices a large request by its tier`() throws {
        let table = try table(
            #"{"openai":[{"match":"m","prices":{"input":1,"output":2},"tiers":[{"above":10,"prices":{"input":3,"output":4}},{"above":100,"prices":{"input":5,"output":6}}]}]}"#
        )
        let model = table.model("m", kind: "openai", host: "")
        #expect(model?.prices(ofRequest: 10)?.input == 1 && model?.prices(ofRequest: 11)?.input == 3)
        #expect(model?.prices(ofRequest: 101)?.input == 5)
    }

    @Test(arguments: [
        #"[]"#, #"{"other":[]}"#, #"{"openai":{}}"#, #"{"openai":[1]}"#, #"{"openai":[{}]}"#,
        #"{"openai":[{"match":""}]}"#, #"{"openai":[{"match":"m","contextLength":0}]}"#,
        #"{"openai":[{"match":"m","hosts":"h"}]}"#, #"{"openai":[{"match":"m","hosts":["http://h/"]}]}"#,
        #"{"openai":[{"match":"m","image":1}]}"#,
        #"{"openai":[{"match":"m","prices":{}}]}"#,
        #"{"openai":[{"match":"m","prices":{"input":-1,"output":1}}]}"#,
        #"{"openai":[{"match":"m","prices":{"input":1,"output":1,"outputs":1}}]}"#,
        #"{"openai":[{"match":"m","tiers":[{}]}]}"#, #"{"openai":[{"match":"m","price":1}]}"#,
    ])
    func `is refused with the member that is wrong`(_ text: String) throws {
        let error = #expect(throws: ModelTableError.self) { try table(text) }
        #expect(error?.reason.contains("models") == true)
    }

    @Test func `asks for what is written into a cache and read from it at prices of their own`() {
        var prices = Prices(input: 4, output: 20, cachedInput: 0.2)
        prices.cacheWrite5m = 5
        prices.cacheWrite1h = 8
        var used = Prices.Tokens(input: 1_000_000, output: 100_000, cached: 500_000)
        used.written = 300_000
        #expect(prices.cost(used, cache: .minutes) == 800_000 + 100_000 + 1_500_000 + 2_000_000)
        #expect(prices.cost(used, cache: .hour) == 800_000 + 100_000 + 2_400_000 + 2_000_000)
    }
}
