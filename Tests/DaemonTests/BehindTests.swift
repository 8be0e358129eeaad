internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A client that fell behind` {
    @Test func `while another edits the path loses that session, and keeps its connection and the others`()
        throws
    {
        let chunks = (0..<3_000).map { "chunk \($0) " + String(repeating: "w", count: 180) }
        let script: [ScriptedUpstream.Step] =
            [.write(ScriptedUpstream.head)]
            + chunks.map { .write(ScriptedUpstream.chunk(#"{"content":\#(quoted($0))}"#)) }
            + [
                .write(
                    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
                )
            ]
        let bench = try Bench([[script]])
        let honest = try bench.daemon.client(), other = try bench.daemon.client()
        for name in ["shared", "own"] { try honest.open(name) }
        _ = try honest.prompt("shared", "first", #""upstream":"echo""#)
        _ = try other.call("session/resume", #"{"sessionId":"shared","cwd":"/","mcpServers":[]}"#)
        // The honest client does not read while 600 KB of an answer go by, and then the path changes under it.
        #expect(try other.prompt("shared", "long").result != nil)
        let first = try other.call("_convod/message/list", #"{"sessionId":"shared","limit":1}"#).result
        let id = first?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
        #expect(
            try other.call(
                "_convod/message/set",
                #"{"sessionId":"shared","messageId":"\#(id)","content":[{"type":"text","text":"other"}]}"#
            ).result
                != nil)
        var left: JSONView?
        let asked = try honest.start("_convod/server/info")
        while left == nil {
            let message = try honest.next()
            let extras = message["params"]?["update"]?["_meta"]?["convod"]
            if extras?["left"]?.bool == true { left = message }
        }
        #expect(left?["params"]?["sessionId"]?.string == "shared")
        #expect(left?["params"]?["update"]?["_meta"]?["convod"]?["error"]?["kind"]?.string == "conflict")
        _ = asked
        #expect(
            try honest.prompt("own", "still here", #""upstream":"echo""#).result?["stopReason"]?.string
                == "end_turn")
        let loaded = try honest.call("session/load", #"{"sessionId":"shared","cwd":"/","mcpServers":[]}"#)
        #expect(loaded.text("user_message_chunk") == "other")
    }
}
