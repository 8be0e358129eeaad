internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A tool call without end` {
    @Test(arguments: ["openai", "anthropic", "gemini"])
    func `is given up at 64 MiB, its turn ends and its session goes on`(kind: String) throws {
        let megabyte = String(repeating: "x", count: 1 << 20)
        let head = ScriptedUpstream.head
        let (start, piece): (String, String) =
            switch kind {
            case "openai":
                (
                    "",
                    ScriptedUpstream.chunk(
                        #"{"tool_calls":[{"index":0,"id":"c","function":{"name":"n","arguments":"\#(megabyte)"}}]}"#
                    )
                )
            case "anthropic":
                (
                    #"data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"n","input":{}}}"#
                        + "\n\n",
                    #"data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\#(megabyte)"}}"#
                        + "\n\n"
                )
            default:
                (
                    "",
                    #"data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"n","args":{"x":"\#(megabyte)"}}}]}}]}"#
                        + "\n\n"
                )
            }
        let script: [ScriptedUpstream.Step] =
            [.write(head + start)] + [ScriptedUpstream.Step](repeating: .write(piece), count: 70)
        let bench = try Bench(
            [[script]], kind: kind, more: "limits: { outbox: '256MiB' }, retry: { attempts: 1, base: '1ms' }")
        let answer = try bench.ask("s")
        #expect(
            answer.error?["message"]?.string?.contains("67108864 bytes") == true, "\(answer.kind ?? "whole")")
        let next = try bench.client.prompt("s", "goes on?", #""upstream":"echo""#)
        #expect(next.result?["stopReason"]?.string == "end_turn", "\(next.error.map { text($0.raw) } ?? "")")
    }
}
