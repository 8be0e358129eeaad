internal import JSON
internal import Posix
internal import TestSupport

/// A daemon over scripted servers, with a client that keeps them alive.
struct Bench {
    let servers: [ScriptedUpstream]
    let daemon: TestDaemon
    let client: TestClient

    /// Each script is a server named `a`, `b`, …; `each` has what every upstream has beside kind, address and model.
    init(
        _ scripts: [[[ScriptedUpstream.Step]]], kind: String = "openai", each: String = "", more: String = "",
        environment: [String: String] = [:], clock: (@Sendable () -> Int64)? = nil,
        steady: (@Sendable () -> Int64)? = nil
    ) throws {
        servers = try scripts.map { try ScriptedUpstream($0) }
        let names = ["a", "b", "c"].prefix(scripts.count)
        let entries = zip(names, servers).map { name, server in
            let base = kind == "openai" ? server.base : server.origin
            return
                "\(name): { kind: '\(kind)', baseURL: '\(base)', model: 'm'\(each.isEmpty ? "" : ", ")\(each) }"
        }
        let route = names.map { "'\($0)'" }.joined(separator: ", ")
        daemon = try TestDaemon(
            """
            { upstreams: { \(entries.joined(separator: ", ")), echo: { kind: 'echo' } }, routes: { default: [\(route)] },
              \(more.contains("retry:") ? more : "retry: { base: '1ms' }\(more.isEmpty ? "" : ", ")\(more)") }
            """, environment: environment, clock: clock, steady: steady)
        client = try daemon.client()
        client.kept = [daemon] + servers
    }

    /// How many requests each server got.
    var counts: [Int] { servers.map(\.requests.count) }

    /// Sends a prompt in a session of its own.
    func ask(_ session: String, _ words: String = "hello", _ extras: String = "") throws -> TestClient.Answer
    {
        try client.open(session)
        return try client.prompt(session, words, extras)
    }

    /// How the tries of a prompt's turn went.
    func outcomes(_ answer: TestClient.Answer) throws -> [String] {
        let id = answer.extras?["turnId"]?.string ?? answer.message["error"]?["data"]?["turnId"]?.string ?? ""
        let turn = try client.call("_convod/turn/get", #"{"turnId":"\#(id)"}"#).result
        let attempts = turn?["attempts"].map { Array($0.elements) } ?? []
        return attempts.map { "\($0["upstream"]?.string ?? "") \($0["outcome"]?.string ?? "")" }
    }
}

/// A clock that stands until it is moved; in milliseconds since 1970.
final class ManualClock: Sendable {
    private let time = Locked<Int64>(1_795_586_400_000)
    var now: @Sendable () -> Int64 { { [time] in time.withLock { $0 } } }
    func advance(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}

/// A 503 with nothing more.
let down = ScriptedUpstream.failure("503 Service Unavailable", "{}")

extension ScriptedUpstream {
    /// Answers `fine` in Anthropic's dialect.
    static let fineByAnthropic = byAnthropic("fine")

    /// Answers in Anthropic's dialect, behind a thought of which only the seal is known.
    static func sealedByAnthropic(_ seal: String, _ words: String) -> [ScriptedUpstream.Step] {
        byAnthropic(words, seal: seal)
    }

    private static func byAnthropic(_ words: String, seal: String? = nil) -> [ScriptedUpstream.Step] {
        var events = [#"{"type":"message_start","message":{"usage":{"input_tokens":3}}}"#], index = 0
        func add(_ block: String, _ delta: String) {
            events += [
                #"{"type":"content_block_start","index":\#(index),"content_block":\#(block)}"#,
                #"{"type":"content_block_delta","index":\#(index),"delta":\#(delta)}"#,
                #"{"type":"content_block_stop","index":\#(index)}"#,
            ]
            index += 1
        }
        if let seal {
            add(
                #"{"type":"thinking","thinking":""}"#, #"{"type":"signature_delta","signature":"\#(seal)"}"#)
        }
        add(#"{"type":"text","text":""}"#, #"{"type":"text_delta","text":"\#(words)"}"#)
        events += [
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#,
            #"{"type":"message_stop"}"#,
        ]
        return [.write(ScriptedUpstream.head + events.map { "data: \($0)\n\n" }.joined())]
    }
}
