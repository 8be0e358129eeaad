internal import JSON
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.answer(["fine"], usage: "null")
private let refused = ScriptedUpstream.failure(
    "400 Bad Request", #"{"error":{"message":"Context size has been exceeded."}}"#)
private let words = String(repeating: "word ", count: 220)

@Suite struct `A refusal that says too long and not how much` {
    private func bench(_ steps: [[ScriptedUpstream.Step]]) throws -> Bench {
        let bench = try Bench(
            [steps], each: "contextLength: 8192",
            more: "window: { strategy: 'slide' }, retry: { base: '1ms' }")
        try bench.client.open("s")
        return bench
    }

    private func count(_ body: String) -> Int { body.split(separator: "prompt ").count - 1 }

    @Test func `is learned from what went through, so that the next turn is not refused`() throws {
        let bench = try bench([fine, fine, fine, fine, refused, fine, fine, fine])
        for number in 1...7 {
            #expect(try bench.client.prompt("s", "prompt \(number) \(words)").text() == "fine")
        }
        let sent = bench.servers[0].requests.map(count)
        #expect(sent.prefix(5) == [1, 2, 3, 4, 5] && sent.count == 8, "\(sent)")
        #expect(sent[5...].allSatisfy { $0 < 5 && $0 > 1 }, "\(sent)")
    }

    @Test func `leaves the newest turn alone the second time, and no turn is lost`() throws {
        let begin = [[ScriptedUpstream.Step]](repeating: fine, count: 9)
        let bench = try bench(begin + [refused, refused, fine, fine])
        for number in 1...11 {
            #expect(try bench.client.prompt("s", "prompt \(number) \(words)").text() == "fine")
        }
        let sent = bench.servers[0].requests.map(count)
        #expect(sent[11] == 1 && sent[12] > 1 && sent[12] < 6, "\(sent)")
    }
}
