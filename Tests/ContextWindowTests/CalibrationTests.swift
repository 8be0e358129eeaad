internal import ContextWindow
internal import Testing

@Suite struct `A calibration` {
    @Test func `takes the first count whole and the next ones in part, within its bounds`() {
        var calibration = Calibration()
        let first = calibration.learn(counted: 1_500, estimate: 1_000)
        #expect(first && calibration.ratio == 1.5)
        let second = calibration.learn(counted: 1_000, estimate: 1_000)
        #expect(second && abs(calibration.ratio - 1.4) < 1e-9 && calibration.samples == 2)
        for _ in 0..<100 { _ = calibration.learn(counted: 90_000, estimate: 1_000) }
        #expect(calibration.ratio <= 2.5 && calibration.ratio > 2.49)
        for _ in 0..<100 { _ = calibration.learn(counted: 1, estimate: 1_000) }
        #expect(calibration.ratio >= 0.6 && calibration.ratio < 0.61)
    }

    @Test func `learns nothing from small requests and from no count`() {
        var calibration = Calibration()
        let isSmall = calibration.learn(counted: 90, estimate: 199)
        let isNothing = calibration.learn(counted: 0, estimate: 900)
        #expect(!isSmall && !isNothing)
        #expect(calibration == Calibration())
    }

    @Test func `shrinks the room of a model that counts more than we do, but not what was asked for`() {
        let calibration = Calibration(ratio: 2, samples: 1)
        let policy = WindowPolicy(reserveTokens: 1_000)
        #expect(policy.budget(contextLength: 9_000, calibration) == 4_000)
        var own = policy
        own.maxTokens = 3_000
        #expect(own.budget(contextLength: 9_000, calibration) == 3_000)
        #expect(own.budget(contextLength: nil, calibration) == 3_000)
    }
}
