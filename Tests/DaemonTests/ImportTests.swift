internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `Sessions that are read in` {
    private func records(_ name: String, _ number: Int) -> String {
        let message = "01890a5d-ac96-774b-bcce-00000000000\(number)",
            answer = "01890a5d-ac96-774b-bcce-10000000000\(number)"
        let turn = "01890a5d-ac96-774b-bcce-20000000000\(number)"
        return
            #"{"type":"session","version":1,"harness":"convo","id":"\#(name)","cwd":"/","createdAt":"2026-11-25T06:00:00.000Z","tags":[],"mcpServers":[],"head":"\#(answer)"},"#
            + #"{"type":"message","id":"\#(message)","parentId":null,"message":{"role":"user","content":"q","timestamp":1},"status":"complete","turnId":"\#(turn)"},"#
            + #"{"type":"message","id":"\#(answer)","parentId":"\#(message)","message":{"role":"assistant","content":"a","timestamp":1},"status":"complete","turnId":"\#(turn)"}"#
    }

    private func turn(_ number: Int) -> String {
        #"{"type":"turn","id":"01890a5d-ac96-774b-bcce-20000000000\#(number)","state":"complete","promptId":"01890a5d-ac96-774b-bcce-00000000000\#(number)","messageId":"01890a5d-ac96-774b-bcce-10000000000\#(number)","options":{},"createdAt":"2026-11-25T06:00:00.000Z","endedAt":"2026-11-25T06:00:01.000Z"}"#
    }

    @Test func `at the same time do not meet`() throws {
        let daemon = try TestDaemon(), client = try daemon.client(), other = try daemon.client()
        let a =
            try client.call("_convod/import", #"{"records":[\#(records("a", 1))]}"#).result?["importId"]?
            .string ?? ""
        let b =
            try other.call("_convod/import", #"{"records":[\#(records("b", 2))]}"#).result?["importId"]?
            .string ?? ""
        #expect(try client.call("_convod/session/get", #"{"sessionId":"a"}"#).kind == "not_found")
        #expect(
            try other.call("_convod/import", #"{"importId":"\#(a)","records":[]}"#).kind == "not_found",
            "another client's")
        let one = try client.call(
            "_convod/import", #"{"importId":"\#(a)","records":[\#(turn(1))],"end":true}"#)
        let two = try other.call(
            "_convod/import", #"{"importId":"\#(b)","records":[\#(turn(2))],"end":true}"#)
        #expect(one.result?["turns"]?.int == 1 && two.result?["turns"]?.int == 1, "\(two.message.raw)")
        for name in ["a", "b"] {
            let turns = try client.call("_convod/turn/list", #"{"sessionId":"\#(name)"}"#).result?["turns"]
            #expect(turns?.count == 1)
            #expect(try client.prompt(name, "on").result?["stopReason"]?.string == "end_turn")
        }
        #expect(
            try client.call("_convod/usage", "{}").result?["total"]?["prompts"]?.int == 2,
            "history is not counted")
    }

    @Test func `and given up are gone with the daemon`() throws {
        let directory = try TemporaryDirectory()
        do {
            let daemon = try TestDaemon(in: directory), client = try daemon.client()
            _ = try client.call("_convod/import", #"{"records":[\#(records("a", 1))]}"#)
            daemon.stop()
        }
        let daemon = try TestDaemon(in: directory), client = try daemon.client()
        let again = try client.call(
            "_convod/import", #"{"records":[\#(records("a", 1)),\#(turn(1))],"end":true}"#)
        #expect(
            again.result?["messages"]?.int == 2 && again.result?["sessionId"]?.string == "a",
            "\(again.message.raw)")
    }

    @Test(arguments: [
        (#"{"type":"message"}"#, "'message' must be an object"),
        (#"{"type":"session","id":"b"}"#, "a session ends with 'end'"),
        (
            #"{"type":"branch_message","id":"01890a5d-ac96-774b-bcce-300000000001","parentId":"01890a5d-ac96-774b-bcce-400000000001","message":{"role":"user","content":"q","timestamp":1},"status":"complete"}"#,
            "did not come before it"
        ),
        (
            #"{"type":"summary","id":"01890a5d-ac96-774b-bcce-300000000001","firstSeq":1,"lastSeq":2,"messageId":"01890a5d-ac96-774b-bcce-400000000001","madeAt":2,"createdAt":"2026-11-25T06:00:00.000Z"}"#,
            "did not come before it"
        ),
    ])
    func `are refused with the record that cannot be`(record: String, why: String) throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        let answer = try client.call(
            "_convod/import", #"{"records":[\#(records("a", 1)),\#(record)],"end":true}"#)
        #expect(
            answer.kind == "invalid_params" && text(answer.message.raw).contains(why),
            "\(text(answer.message.raw))")
        #expect(try client.call("_convod/session/get", #"{"sessionId":"a"}"#).kind == "not_found")
    }
}
