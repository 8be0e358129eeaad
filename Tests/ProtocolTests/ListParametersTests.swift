import Conversation
import JSON
import Protocol
import TestSupport
import Testing

@Suite struct `A list of sessions` {
    private func find(_ source: String) throws -> Method.SessionFind.Parameters {
        try Method.SessionFind.parameters(try Fixtures.json(source))
    }
    private func findRefusal(_ source: String) throws -> String? {
        try refusal(source) { (view) throws(WireError) in
            _ = try Method.SessionFind.parameters(view)
        }
    }

    @Test func `is asked for with filters`() throws {
        let asked = try find(
            #"""
            {"query":"q","tag":"t","cwd":"/","owner":"*","archived":false,"trashed":true,"empty":true,"since":"2026-11-25T06:00:00.001Z",
            "until":"2026-11-25T08:00:00+01:00","order":"asc","limit":7,"cursor":"c","idPrefix":"ab","upstream":"u","model":"m"}
            """#)
        #expect(
            [asked.query, asked.idPrefix, asked.tag, asked.cwd, asked.upstream, asked.model, asked.cursor]
                == ["q", "ab", "t", "/", "u", "m", "c"])
        #expect(
            asked.owner == .all && asked.isArchived == false && asked.isTrashed && asked.includesEmpty
                && asked.order == .asc && asked.limit == 7)
        #expect(asked.until.map { $0 - (asked.since ?? 0) } == 3_599_999)
    }

    @Test func `has stated defaults`() throws {
        let asked = try find("{}")
        #expect(
            asked.owner == .mine && asked.isArchived == nil && !asked.isTrashed && !asked.includesEmpty
                && asked.order == .desc && asked.limit == 100)
        #expect(try find(#"{"owner":0}"#).owner == .user(0))
        #expect(try find(#"{"owner":4294967295}"#).owner == .user(4_294_967_295))
    }

    @Test(arguments: [
        (#"{"limit":true}"#, "'limit' must be an integer"), (#"{"limit":"7"}"#, "'limit' must be an integer"),
        (#"{"limit":7.5}"#, "'limit' must be an integer"),
        (#"{"limit":0}"#, "'limit' must be from 1 to 1000, it is 0"),
        (#"{"limit":1001}"#, "'limit' must be from 1 to 1000, it is 1001"),
        (#"{"order":"up"}"#, "'order' must be 'asc' or 'desc'"),
        (#"{"owner":"bob"}"#, #"'owner' must be a uid or "*""#),
        (#"{"owner":4294967296}"#, #"'owner' must be a uid or "*""#),
        (#"{"owner":-1}"#, #"'owner' must be a uid or "*""#),
        (#"{"trashed":1}"#, "'trashed' must be true or false"),
        (#"{"since":1764050400000}"#, "'since' must be a string"),
        (#"{"since":"2026-11-25"}"#, "'since' must be a time as in '2026-11-25T06:00:00.000Z'"),
        (#"{"sort":"x"}"#, "'sort' must be 'changed' or 'created' or 'messages' or 'title'"),
    ])
    func `is refused when a filter is of the wrong kind (B121)`(_ source: String, _ message: String) throws {
        #expect(try findRefusal(source) == message)
    }
}

@Suite struct `The handshake` {
    private func words(_ source: String) throws -> String {
        var version = 0
        return try refusal(source) { (view) throws(WireError) in
            version = try Method.Initialize.parameters(view).protocolVersion
        } ?? "\(version)"
    }

    @Test(arguments: [
        (#"{"protocolVersion":1,"clientCapabilities":{"fs":{}},"more":[]}"#, "1"),
        (#"{"protocolVersion":9999}"#, "9999"),
        (#"{"protocolVersion":0}"#, "0"), ("{}", "'protocolVersion' is missing"),
        (#"{"protocolVersion":"1"}"#, "'protocolVersion' must be an integer"),
        (#"{"protocolVersion":true}"#, "'protocolVersion' must be an integer"),
    ])
    func `needs a version as an integer`(_ source: String, _ expected: String) throws {
        #expect(try words(source) == expected)
    }
}
