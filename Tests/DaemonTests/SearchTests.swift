internal import JSON
internal import Protocol
internal import TestSupport
internal import Testing

@Suite struct `Searching` {
    private func client(_ sessions: [(name: String, texts: [String])], _ extras: String = "") throws
        -> TestClient
    {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        for (name, texts) in sessions {
            try client.open(name, extras)
            for text in texts { _ = try client.prompt(name, text) }
        }
        return client
    }

    private func hits(_ client: TestClient, _ params: String) throws -> [String] {
        let answer = try client.call("_convod/search", "{\(params)}")
        return answer.result?["hits"]?.elements.map { hit in
            let text =
                hit["snippet"]?.elements.map { piece in
                    piece["hit"]?.bool == true
                        ? "[\(piece["text"]?.string ?? "")]" : piece["text"]?.string ?? ""
                }.joined() ?? ""
            return "\(hit["sessionId"]?.string ?? "")#\(hit["seq"]?.int ?? 0) \(text)"
        } ?? [answer.kind ?? ""]
    }

    @Test func `finds prompts and answers by what they say, the newest first`() throws {
        let client = try client([("a", ["the Quarterly report"]), ("b", ["用数据库"])])
        #expect(
            try hits(client, #""query":"QUARTERLY""#)
                == [
                    "a#2 Message 1 of this session; you said: the [Quarterly] report",
                    "a#1 the [Quarterly] report",
                ])
        #expect(
            try hits(client, #""query":"数""#) == [
                "b#2 Message 1 of this session; you said: 用[数]据库", "b#1 用[数]据库",
            ])
        #expect(try hits(client, #""query":"quarterly","role":"user""#) == ["a#1 the [Quarterly] report"])
        #expect(try hits(client, #""query":"quarterly","sessionId":"b""#) == [])
        #expect(try hits(client, #""query":"quarterly","model":"echo","upstream":"echo""#).count == 2)
        #expect(try hits(client, #""query":"quarterly","model":"other""#) == [])
        #expect(try hits(client, #""query":"quarterly","sessionId":"none""#) == ["not_found"])
    }

    @Test func `comes in pages, and by how well messages fit`() throws {
        let client = try client([
            ("a", ["word", "word word word", "no", "a word among many other ones that are here"])
        ])
        var cursor = "", found: [String] = []
        repeat {
            let page = try client.call("_convod/search", #"{"query":"word -said","limit":2\#(cursor)}"#)
                .result
            found += page?["hits"]?.elements.map { "\($0["seq"]?.int ?? 0)" } ?? []
            cursor = page?["nextCursor"]?.string.map { #","cursor":"\#($0)""# } ?? ""
        } while !cursor.isEmpty
        #expect(found == ["7", "3", "1"])
        let ranked = try client.call("_convod/search", #"{"query":"word -said","order":"rank","limit":2}"#)
            .result
        #expect(ranked?["hits"]?.elements.map { $0["seq"]?.int ?? 0 } == [3, 1])
        #expect(ranked?["approximate"] == nil)
        let next = ranked?["nextCursor"]?.string ?? ""
        let rest = try client.call(
            "_convod/search", #"{"query":"word -said","order":"rank","limit":2,"cursor":"\#(next)"}"#
        ).result
        #expect(rest?["hits"]?.elements.map { $0["seq"]?.int ?? 0 } == [7])
        #expect(rest?["nextCursor"] == nil)
        #expect(try hits(client, #""query":"word","cursor":"x9""#) == ["invalid_params"])
        #expect(try hits(client, #""query":"word","order":"rank","cursor":"q9""#) == ["invalid_params"])
    }

    @Test func `tells what stands around a hit`() throws {
        let client = try client([("a", ["one", "needle", "three"])])
        let hit = try client.call("_convod/search", #"{"query":"needle -said","around":2}"#).result?["hits"]?
            .elements
            .map { $0 }.first
        #expect(
            hit?["before"]?.elements.map { $0["text"]?.string } == [
                "one", "Message 1 of this session; you said: one",
            ])
        #expect(
            hit?["after"]?.elements.map { $0["text"]?.string }
                == ["Message 3 of this session; you said: needle\nBefore that: “one”", "three"])
        let id = hit?["messageId"]?.string ?? ""
        let page = try client.call("_convod/message/list", #"{"sessionId":"a","at":"\#(id)","limit":1}"#)
            .result
        #expect(page?["messages"]?.elements.map { $0["seq"]?.int ?? 0 } == [3])
        let before = try client.call("_convod/message/list", #"{"sessionId":"a","at":2,"order":"desc"}"#)
            .result
        #expect(before?["messages"]?.elements.map { $0["seq"]?.int ?? 0 } == [2, 1])
        let other = try client.call(
            "_convod/message/list", #"{"sessionId":"a","at":"01890a5d-ac96-774b-bcce-b302099a8057"}"#)
        #expect(other.kind == "not_found")
        #expect(
            try client.call("_convod/message/list", #"{"sessionId":"a","at":1,"last":1}"#).kind
                == "invalid_params")
    }

    @Test func `says which branch a hit is on, and whether that is the active path (N022)`() throws {
        let client = try client([("a", ["alpha"])])
        let list = try client.call("_convod/message/list", #"{"sessionId":"a"}"#).result
        let id = list?["messages"]?.elements.map { $0 }.first?["id"]?.string ?? ""
        _ = try client.call(
            "_convod/message/set",
            #"{"sessionId":"a","messageId":"\#(id)","content":[{"type":"text","text":"beta"}]}"#)
        let old = try client.call("_convod/search", #"{"query":"alpha -said","branches":"all"}"#).result?[
            "hits"]?.elements.map { $0 }.first
        #expect(old?["active"]?.bool == false && old?["messageId"]?.string == id)
        let new = try client.call("_convod/search", #"{"query":"beta"}"#).result?["hits"]?.elements.map { $0 }
            .first
        #expect(new?["active"]?.bool == true && new?["branch"]?.int != old?["branch"]?.int)
        #expect(try hits(client, #""query":"alpha -said""#) == [])
    }

    @Test func `finds sessions by their titles`() throws {
        let client = try client([("a", ["Straße nach Norden"]), ("b", ["other"])])
        #expect(
            try hits(client, #""query":"STRASSE norden","in":"titles""#) == ["a#0 [Straße] nach [Norden]"])
        #expect(try hits(client, #""query":"norden","in":"titles","role":"user""#) == ["invalid_params"])
    }

    @Test func `finds what lives in memory behind what is stored, page by page`() throws {
        let client = try client([("a", ["needle 1", "needle 2"])])
        try client.open("m", #""ephemeral":true"#)
        for text in ["needle 3", "needle 4"] { _ = try client.prompt("m", text) }
        var cursor = "", found: [String] = []
        repeat {
            let page = try client.call("_convod/search", #"{"query":"needle -said","limit":1\#(cursor)}"#)
                .result
            found +=
                page?["hits"]?.elements.map { "\($0["sessionId"]?.string ?? "")\($0["seq"]?.int ?? 0)" } ?? []
            cursor = page?["nextCursor"]?.string.map { #","cursor":"\#($0)""# } ?? ""
        } while !cursor.isEmpty
        #expect(found == ["a3", "a1", "m3", "m1"])
        #expect(try hits(client, #""query":"needle -said","sessionId":"m""#).count == 2)
        #expect(try hits(client, #""query":"needle -said","order":"rank""#).count == 4)
    }

    @Test(arguments: ["", "  ", "\\\"\\\"x\\u0000", "OR -"])
    func `for nothing, or for anything, never breaks`(query: String) throws {
        let client = try client([("a", ["one"])])
        let answer = try client.call("_convod/search", #"{"query":"\#(query)"}"#)
        #expect(answer.result != nil || answer.kind == "invalid_params")
    }
}

extension `Searching` {
    @Test func `shows what stands around a hit on its own branch, and is blind to what was purged (N022)`()
        throws
    {
        let client = try client([("a", ["alpha"])])
        let id =
            try client.call("_convod/message/list", #"{"sessionId":"a"}"#).result?["messages"]?.elements
            .map { $0 }.first?["id"]?.string ?? ""
        _ = try client.call(
            "_convod/turn/retry",
            #"{"sessionId":"a","messageId":"\#(id)","prompt":[{"type":"text","text":"beta"}]}"#)
        let hit = try client.call(
            "_convod/search", #"{"query":"alpha -said","branches":"all","around":2}"#
        ).result?["hits"]?.elements.map { $0 }.first
        #expect(hit?["active"]?.bool == false && hit?["seq"]?.int == 1 && hit?["messageId"]?.string == id)
        #expect(
            hit?["after"]?.elements.map { $0["text"]?.string } == [
                "Message 1 of this session; you said: alpha"
            ])
        let branch = hit?["branch"]?.int ?? 0
        let page = try client.call(
            "_convod/message/list", #"{"sessionId":"a","branch":\#(branch),"at":"\#(id)","limit":2}"#
        ).result
        #expect(
            page?["messages"]?.elements.map { $0["content"]?.elements.map { $0 }.first?["text"]?.string } == [
                "alpha", "Message 1 of this session; you said: alpha",
            ])
        #expect(try hits(client, #""query":"alpha""#) == [], "the path alone, unless branches are asked for")
        _ = try client.call("_convod/session/purge", #"{"sessionId":"a"}"#)
        #expect(try hits(client, #""query":"alpha","branches":"all""#) == [])
    }
}

extension `Searching` {
    @Test
    func
        `reads bytes that are no text as signs of their own, in lists and exports, and finds all others (B089)`()
        throws
    {
        let daemon = try TestDaemon(), client = try daemon.client()
        try client.open("a")
        _ = try client.prompt("a", "needle")
        // [{"type":"text","text":"needle …"}]
        try shell(
            "sqlite3", daemon.database,
            "UPDATE message SET content = CAST(x'5b7b2274797065223a2274657874222c2274657874223a226e6565646c6520eda080ff227d5d' AS TEXT) WHERE key & 4294967295 = 1"
        )
        #expect(try client.messages("a").first?.hasPrefix("user: needle \u{FFFD}") == true)
        // What is no text is not searched; what stands beside it is.
        try client.open("b")
        _ = try client.prompt("b", "another needle")
        let found = try hits(client, #""query":"needle","role":"user""#)
        #expect(found.count == 1 && found[0].hasPrefix("b#1"), "\(found)")
        let export = try client.call("_convod/export", #"{"sessionId":"a"}"#)
        #expect(export.result != nil && export.updates.contains { text($0.raw).contains("needle \u{FFFD}") })
    }
}
