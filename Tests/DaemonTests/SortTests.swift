internal import JSON
internal import TestSupport
internal import Testing

extension TestClient {
    /// The IDs of all sessions in an order, fetched in pages of so many.
    fileprivate func sorted(_ members: String, limit: Int, between: () throws -> Void = {}) throws -> [String]
    {
        var names: [String] = [], cursor: String?
        repeat {
            let more = cursor.map { #","cursor":"\#($0)""# } ?? ""
            let page = try call("_convod/session/find", #"{\#(members),"limit":\#(limit)\#(more)}"#)
            let result = try #require(page.result, "\(page.kind ?? "")")
            let sessions = result["sessions"].map { $0.elements.map { $0["sessionId"]?.string ?? "" } } ?? []
            #expect(sessions.count <= limit)
            names += sessions
            cursor = result["nextCursor"]?.string
            try between()
        } while cursor != nil
        return names
    }
}

@Suite struct `Sessions sorted` {
    private func made() throws -> TestClient {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        for (name, title, prompts) in [
            ("a", "Zebra", 1), ("b", "ärger", 3), ("c", "Apfel", 2), ("d", "apfel", 2),
        ] {
            try client.open(name, #""title":"\#(title)""#)
            for number in 0..<prompts { _ = try client.prompt(name, "prompt \(number)") }
        }
        try client.open("m", #""title":"Birne","ephemeral":true"#)
        for number in 0..<5 { _ = try client.prompt("m", "prompt \(number)") }
        // The order of changes is another one.
        _ = try client.prompt("a", "again")
        return client
    }

    @Test(arguments: [1, 2, 3, 100])
    func `come page by page in the order that was asked for, those in memory among the others`(limit: Int)
        throws
    {
        let client = try made()
        #expect(try client.sorted(#""sort":"created""#, limit: limit) == ["m", "d", "c", "b", "a"])
        #expect(
            try client.sorted(#""sort":"created","order":"asc""#, limit: limit) == ["a", "b", "c", "d", "m"])
        #expect(try client.sorted(#""sort":"title""#, limit: limit) == ["c", "d", "m", "a", "b"])
        #expect(
            try client.sorted(#""sort":"title","order":"desc""#, limit: limit) == ["b", "a", "m", "d", "c"])
        #expect(try client.sorted(#""sort":"messages""#, limit: limit) == ["m", "b", "d", "c", "a"])
    }

    @Test func `have a cursor for the longest title and ID`() throws {
        let client = try made()
        let title = String(repeating: "界", count: 100)
        for end in ["x", "y", "z"] {
            try client.open(String(repeating: "i", count: 127) + end, #""title":"\#(title)""#)
        }
        let all = try client.sorted(#""sort":"title","empty":true"#, limit: 1)
        #expect(all.count == 8 && all.suffix(3).map(\.last) == ["x", "y", "z"])
    }

    @Test func `by title have those without one at the end`() throws {
        let client = try made()
        #expect(try client.call("_convod/session/set", #"{"sessionId":"c","title":null}"#).error == nil)
        #expect(try client.sorted(#""sort":"title""#, limit: 2) == ["d", "m", "a", "b", "c"])
    }

    @Test func `keep their pages while others are changed, made and trashed (N034)`() throws {
        let client = try made()
        var number = 0
        let names = try client.sorted(#""sort":"created","order":"asc""#, limit: 1) {
            number += 1
            _ = try client.prompt("a", "meanwhile")
            try client.open("n\(number)")
            if number == 2 { _ = try client.call("session/delete", #"{"sessionId":"c"}"#) }
            if number < 4 { _ = try client.prompt("n\(number)", "hello") }
            if number > 12 { throw CancellationError() }
        }
        #expect(
            names == ["a", "b", "d", "n1", "n2", "n3", "m"]
                || names == ["a", "b", "d", "m", "n1", "n2", "n3"])
    }

    @Test func `are filtered as in every other order`() throws {
        let client = try made()
        _ = try client.call("_convod/session/set", #"{"sessionId":"b","tags":["work"]}"#)
        _ = try client.call("_convod/session/set", #"{"sessionId":"d","tags":["work"],"archived":true}"#)
        #expect(try client.sorted(#""sort":"title","tag":"work""#, limit: 9) == ["b"])
        #expect(try client.sorted(#""sort":"title","tag":"work","archived":true"#, limit: 9) == ["d"])
        #expect(try client.sorted(#""sort":"messages","query":"APFEL""#, limit: 9) == ["c"])
    }

    @Test func `refuse a cursor of another order, and of none (N034)`() throws {
        let client = try made()
        let page = try client.call("_convod/session/find", #"{"sort":"title","limit":1}"#).result
        let cursor = page?["nextCursor"]?.string ?? ""
        for wrong in [cursor, "c", "c00", "cxx.0.a", "c00.-1.a", "c00.0.", "c0.0.a", "é"] {
            let answer = try client.call(
                "_convod/session/find", #"{"sort":"created","cursor":"\#(wrong)"}"#)
            #expect(answer.kind == "invalid_params", "\(wrong)")
        }
        #expect(try client.call("_convod/session/find", #"{"sort":"size"}"#).kind == "invalid_params")
    }
}
