import ContextWindow
import TestSupport
import Testing

private func overridden(_ source: String, _ policy: WindowPolicy = WindowPolicy()) throws -> Result<
    WindowPolicy, WindowPolicyError
> {
    let view = try Fixtures.json(source)
    do throws(WindowPolicyError) { return .success(try policy.overridden(by: view)) } catch {
        return .failure(error)
    }
}

@Suite struct `A window policy` {
    @Test func `takes what it is told and keeps the rest`() throws {
        let policy = WindowPolicy(maxTokens: 10, reserveTokens: 20, maxTurns: 30, maxMessages: 40)
        #expect(try overridden("{}", policy) == .success(policy))
        let changed = WindowPolicy(
            strategy: .slide, maxTokens: 1, reserveTokens: 0, maxTurns: nil, maxMessages: 4)
        #expect(
            try overridden(
                #"{"strategy":"slide","maxTokens":1,"reserveTokens":0,"maxTurns":null,"maxMessages":4}"#,
                policy) == .success(changed))
    }

    @Test(arguments: ["strategy", "maxTokens", "reserveTokens", "maxTurns", "maxMessages", "lowMark"])
    func `gives a field its default back for null`(_ field: String) throws {
        #expect(try overridden("{\"\(field)\":null}") == .success(WindowPolicy()))
        #expect(
            try overridden(#"{"reserveTokens":null}"#, WindowPolicy(reserveTokens: 7))
                == .success(WindowPolicy()))
    }

    @Test(arguments: [
        ("[]", "'window' must be an object"),
        (#"{"strategy":"saw"}"#, "'window.strategy' must be 'auto', 'slide', 'sawtooth', 'summarize'"),
        (#"{"strategy":1}"#, "'window.strategy' must be 'auto', 'slide', 'sawtooth', 'summarize'"),
        (#"{"maxTokens":0}"#, "'window.maxTokens' must be an integer of 1 or more, or null"),
        (#"{"maxTokens":-1}"#, "'window.maxTokens' must be an integer of 1 or more, or null"),
        (#"{"maxTokens":"1"}"#, "'window.maxTokens' must be an integer of 1 or more, or null"),
        (#"{"maxTurns":true}"#, "'window.maxTurns' must be an integer of 1 or more, or null"),
        (#"{"maxMessages":1.5}"#, "'window.maxMessages' must be an integer of 1 or more, or null"),
        (#"{"reserveTokens":-1}"#, "'window.reserveTokens' must be an integer of 0 or more, or null"),
        (#"{"lowMark":1}"#, "'window.lowMark' must be a number from 0.1 to 0.95, or null"),
        (#"{"maxToken":1}"#, "'window.maxToken' is not known"),
        (#"{"maxTokens":1,"maxTokens":2}"#, "'window.maxTokens' stands twice; each may stand once"),
    ])
    func `is refused when it is set, not when it is used (B013)`(_ source: String, _ reason: String) throws {
        #expect(try overridden(source) == .failure(WindowPolicyError(reason)))
    }

    @Test func `chooses a strategy by the upstream and the limits, unless one is set`() {
        func chosen(_ policy: WindowPolicy, caches: Bool = true) -> WindowPolicy.Strategy {
            policy.chosen(cachesPrompts: caches).name
        }
        #expect(chosen(WindowPolicy()) == .sawtooth && chosen(WindowPolicy(), caches: false) == .slide)
        #expect(chosen(WindowPolicy(maxTurns: 3)) == .slide && chosen(WindowPolicy(maxMessages: 3)) == .slide)
        #expect(chosen(WindowPolicy(maxTokens: 3)) == .sawtooth)
        #expect(chosen(WindowPolicy(strategy: .sawtooth, maxTurns: 3), caches: false) == .sawtooth)
        #expect(chosen(WindowPolicy(strategy: .slide)) == .slide)
    }

    @Test(
        arguments: [
            (nil, 4_097, 1_050, 3_047), (nil, nil, 1_050, 8_192), (5_000, nil, 1_050, 5_000),
            (5_000, 4_097, 1_050, 3_047), (2_000, 4_097, 1_050, 2_000),
            (nil, 1_000, 1_050, 1), (nil, 1_000, 1_000, 1),
        ] as [(Int?, Int?, Int, Int)])
    func `leaves room for the answer (B014)`(_ maxTokens: Int?, _ length: Int?, _ reserve: Int, _ budget: Int)
    {
        #expect(
            WindowPolicy(maxTokens: maxTokens, reserveTokens: reserve).budget(contextLength: length) == budget
        )
    }
}
