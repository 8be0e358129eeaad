internal import Conversation
internal import Crypto
internal import JSON
internal import TestSupport
internal import Testing
internal import Transcripts

@Suite struct `An export` {
    /// What an export sends, and its count.
    private func export(_ client: TestClient, _ params: String = "") throws -> (
        records: [JSONView], count: Int?
    ) {
        let answer = try client.call("_convod/export", #"{"sessionId":"s"\#(params)}"#)
        let records = answer.updates.filter { $0["method"]?.string == "_convod/export/item" }
            .compactMap { $0["params"]?["record"] }
        return (records, answer.result?["count"]?.int)
    }

    private func types(_ records: [JSONView]) -> [String] { records.compactMap { $0["type"]?.string } }

    @Test func `in JSON lines holds every branch and every turn (B166)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "one")
        let second = try client.prompt("s", "two").extras?["messageId"]?.string ?? ""
        // The answer to 'two' is made anew, and then 'one' gets other words: three branches.
        _ = try client.call("_convod/turn/retry", #"{"sessionId":"s","messageId":"\#(second)"}"#)
        let (first, _) = try export(client)
        let prompt = first.first { $0["message"]?["content"]?.string == "one" }?["id"]?.string ?? ""
        _ = try client.call(
            "_convod/turn/retry",
            #"{"sessionId":"s","messageId":"\#(prompt)","prompt":[{"type":"text","text":"uno"}]}"#)
        let (records, count) = try export(client)
        #expect(
            types(records)
                == ["session", "message", "message"] + [String](repeating: "branch_message", count: 5)
                + [String](repeating: "turn", count: 4) + ["end"])
        #expect(count == records.count)
        let said = records.compactMap { $0["message"]?["content"]?.string }
        #expect(said.filter { ["uno", "one", "two"].contains($0) }.sorted() == ["one", "two", "uno"])
        // The tree is whole: every parent is there, and the head is the last one of the path.
        let ids = Set(records.compactMap { $0["message"] == nil ? nil : $0["id"]?.string })
        #expect(ids.count == 7)
        for record in records where record["message"] != nil {
            #expect(record["parentId"]?.string.map(ids.contains) ?? true)
        }
        #expect(records.first?["head"]?.string == records[2]["id"]?.string)
        let turn = records.last { $0["type"]?.string == "turn" }
        #expect(turn?["model"]?.string == "echo" && turn?["receipt"] != nil && turn?["usage"] != nil)
    }

    @Test func `is read back and written again as it was`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s", #""title":"t","tags":["a"]"#)
        let answer = try client.prompt("s", "one").extras?["messageId"]?.string ?? ""
        _ = try client.call("_convod/turn/retry", #"{"sessionId":"s","messageId":"\#(answer)"}"#)
        let exported = try export(client).records
        let lines: [UInt8] = exported.reduce(into: []) { $0 += $1.raw + [0x0A] }
        let format = try #require(TranscriptFormats.standard["jsonl"]), make = try #require(format.decoder)
        var decoder = make(), encoder = format.encoder()
        let records = try decoder.feed(lines) + decoder.finish()
        var again = TranscriptRecords()
        for record in records { encoder.add(record, to: &again) }
        let sum = SHA256Digest.of(again.bytes).hexadecimal
        encoder.end(TranscriptSeal(records: again.ends.count, sha256: sum), to: &again)
        #expect(again.bytes == lines)
    }

    @Test func `for people has the active path alone`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let answer = try client.prompt("s", "one").extras?["messageId"]?.string ?? ""
        _ = try client.call("_convod/turn/retry", #"{"sessionId":"s","messageId":"\#(answer)"}"#)
        let (records, count) = try export(client, #","format":"markdown""#)
        #expect(records.count == 3 && count == 3)
        #expect(try export(client, #","format":"markdown","header":false"#).count == 2)
    }

    @Test func `of many pages comes in order, with branches behind the path, and its digest is the file's`()
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let filler = String(repeating: "x\\n", count: 1_500)
        func append(_ numbers: Range<Int>) throws {
            let messages = numbers.map {
                #"{"role":"user","content":[{"type":"text","text":"\#($0) \#(filler)"}]}"#
            }
            let answer = try client.call(
                "_convod/message/append",
                #"{"sessionId":"s","messages":[\#(messages.joined(separator: ","))]}"#)
            #expect(answer.error == nil)
        }
        for start in stride(from: 0, to: 300, by: 50) { try append(start..<(start + 50)) }
        let ids = try export(client, #","header":false"#).records.compactMap { $0["id"]?.string }
        #expect(ids.count == 300)
        _ = try client.call(
            "_convod/message/set",
            #"{"sessionId":"s","messageId":"\#(ids[9])","content":[{"type":"text","text":"1000 other"}]}"#)
        try append(300..<400)

        let answer = try client.call("_convod/export", #"{"sessionId":"s"}"#)
        let records = answer.updates.filter { $0["method"]?.string == "_convod/export/item" }
            .compactMap { $0["params"]?["record"] }
        let said = records.compactMap { record in
            (record["message"]?["content"]?.string).flatMap { Int($0.prefix { $0 != " " }) }
        }
        #expect(said == Array(0..<9) + [1000] + Array(300..<400) + Array(9..<300))
        #expect(types(records).filter { $0 == "branch_message" }.count == 291)
        let file: [UInt8] = records.reduce(into: []) { $0 += $1.raw + [0x0A] }
        #expect(answer.result?["sha256"]?.string == SHA256Digest.of(file).hexadecimal)
        #expect(answer.result?["count"]?.int == records.count)
    }

    @Test func `in a format that convod has not is refused, unless it was brought by one line`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.isChecked = false
        try client.open("s")
        let refusal = try client.call("_convod/export", #"{"sessionId":"s","format":"dummy"}"#)
        #expect(refusal.error?["message"]?.string == "'format' must be 'jsonl' or 'markdown'")

        let formats = TranscriptFormats(TranscriptFormats.standard.all + [.dummy])
        let other = try TestDaemon(formats: formats), guest = try other.client()
        guest.isChecked = false
        try guest.open("s")
        _ = try guest.prompt("s", "one")
        let (records, count) = try export(guest, #","format":"dummy""#)
        #expect(records.map(\.string) == ["begin s", "user 1", "assistant 1", "end 2"] && count == 4)
    }
}
