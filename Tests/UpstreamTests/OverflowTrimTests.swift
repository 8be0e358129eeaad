internal import Testing
internal import Upstream

/// What a server says that holds `limit` tokens and counted `counted`.
private func overflow(_ limit: Int?, _ counted: Int?, isLowerBound: Bool = false) -> UpstreamFailure {
    var failure = UpstreamFailure(.overflow, "too long", status: 400, isRetryable: false)
    failure.overflow = .init(limit: limit, counted: counted, isLowerBound: isLowerBound)
    return failure
}

private func change(
    _ failure: UpstreamFailure, estimate: Int, length: Int? = nil, answer: Int? = nil, trims: Int = 0
) -> OverflowTrim.Change? {
    OverflowTrim.change(after: failure, estimate: estimate, length: length, answer: answer, trims: trims)
}

@Suite struct `A request that was too long` {
    @Test func `is not changed for any other failure`() {
        let slow = UpstreamFailure(.throttled, "slow", isRetryable: true)
        #expect(change(slow, estimate: 10_000, length: 8_192) == nil)
        #expect(change(overflow(8_192, 9_000), estimate: 0) == nil)
    }

    @Test func `loses a quarter, then as much as nearly any server takes, where nothing is said`() {
        #expect(change(overflow(nil, nil), estimate: 8_000) == .window(6_000))
        #expect(change(overflow(nil, 9_000), estimate: 8_000) == .window(6_000))
        #expect(change(overflow(nil, nil), estimate: 6_000, trims: 1) == .few(1_024))
        #expect(change(overflow(nil, nil), estimate: 2_000, trims: 1) == .few(500))
        #expect(change(overflow(nil, nil), estimate: 1) == .window(1))
    }

    @Test func `asks for a shorter answer where nothing is said and that is most of it`() {
        #expect(change(overflow(nil, nil), estimate: 49, answer: 4_096) == .answer(1_024))
        #expect(change(overflow(nil, nil), estimate: 49, answer: 1_024, trims: 1) == .answer(256))
        #expect(change(overflow(nil, nil), estimate: 3_000, answer: 4_096) == .window(2_250))
    }

    @Test func `loses of its history where the answer needs what it asks for, as with a budget to think`() {
        let failure = overflow(200_000, 193_000)
        let may = [true, false].map {
            OverflowTrim.change(
                after: failure, estimate: 190_900, length: 200_000, answer: 9_024, mayShrink: $0, trims: 0)
        }
        #expect(may == [.answer(3_000), .window(178_968)])
        // What is needed at least does not fit either: nothing is asked that must be refused again.
        let least = [2_000, 3_072].map {
            OverflowTrim.change(
                after: overflow(12_000, 9_173), estimate: 9_100, length: 12_000, answer: 3_664, least: $0,
                trims: 0)
        }
        // 12000 less 3072 and a margin of 240, by a count that is 9173 / 9100 of ours.
        #expect(least == [.answer(2_571), .window(8_531)])
    }

    @Test func `is made to fit what the server holds, in our measure`() {
        // 8192 less a margin of 256 by a count that is 9000 / 7500 of ours.
        #expect(change(overflow(8_192, 9_000), estimate: 7_500) == .window(6_613))
        // Room for the answer is kept.
        #expect(change(overflow(8_192, 9_000), estimate: 7_500, answer: 1_000) == .window(5_780))
        // It always shrinks, though our measure finds it small enough.
        #expect(change(overflow(8_192, 8_200), estimate: 2_000) == .window(1_875))
        // A ratio beyond belief is cut off: 100000 / 1000.
        #expect(change(overflow(8_192, 100_000), estimate: 1_000) == .window(937))
        #expect(change(overflow(100, 50_000), estimate: 40_000) == .window(67))
    }

    @Test func `keeps its history where only the answer is too long`() {
        #expect(change(overflow(4_096, 3_000), estimate: 2_900, answer: 2_000) == .answer(840))
        #expect(change(overflow(200_000, 199_000), estimate: 190_000, answer: 8_192) != nil)
        // Too little room for an answer worth having: the history is cut.
        guard case .window? = change(overflow(4_096, 4_000), estimate: 3_900, answer: 2_000) else {
            Issue.record("the answer was cut to nothing")
            return
        }
    }

    @Test func `keeps its history where what is kept for the answer is most of what the server holds`() {
        // A quarter of 4096 is kept, whoever asked for 4096.
        #expect(change(overflow(4_096, 6_814), estimate: 6_814, answer: 4_096) == .window(2_816))
        #expect(change(overflow(3_000, 2_950), estimate: 2_950, answer: 2_900) == .window(2_063))
        #expect(OverflowTrim.mostAnswer(4_096, of: 4_096, least: 0) == 1_024)
        #expect(OverflowTrim.mostAnswer(4_096, of: 4_096, least: 3_000) == 3_000)
        #expect(OverflowTrim.mostAnswer(500, of: 4_096, least: 0) == 500)
        // What must be kept is.
        let failure = overflow(4_096, 6_814)
        let needed = OverflowTrim.change(
            after: failure, estimate: 6_814, length: 4_096, answer: 3_000, mayShrink: false, trims: 0)
        #expect(needed == .window(840))
    }

    @Test func `loses what is too much where that is all that is said`() {
        var failure = overflow(nil, nil)
        failure.overflow?.excess = 512
        #expect(change(failure, estimate: 8_000) == .window(7_424))
        #expect(change(failure, estimate: 6_000, trims: 1) == .few(1_024))
        // More than all of it by its count: then as much as nearly any server takes.
        failure.overflow?.excess = 9_000
        #expect(change(failure, estimate: 6_000) == .few(1_024))
    }

    @Test func `does not trust a lower bound`() {
        // vLLM counts to the limit less the answer, whatever it is sent (wire.md C5).
        #expect(
            change(overflow(4_096, 3_997, isLowerBound: true), estimate: 9_000, answer: 100) == .window(3_740)
        )
        #expect(
            change(overflow(4_096, 3_997, isLowerBound: true), estimate: 4_000, answer: 100) == .window(3_000)
        )
        #expect(change(overflow(4_096, nil), estimate: 4_000, answer: 100) == .window(3_000))
    }

    @Test func `that was refused without a word is trimmed near the window alone`() {
        var mute = UpstreamFailure(.refused, "refused", status: 400, isRetryable: false)
        #expect(change(mute, estimate: 8_000, length: 8_192) == nil)
        mute.overflow = .init(limit: nil, counted: nil)
        #expect(change(mute, estimate: 7_000, length: 8_192) == .window(5_250))
        #expect(change(mute, estimate: 6_900, length: 8_192) == nil)
        #expect(change(mute, estimate: 7_000) == nil)
    }

    @Test func `comes to an end whatever is said of it`() {
        for limit in [nil, 1, 100, 4_096, 1_000_000] {
            for counted in [nil, 1, 4_096, 2_000_000] {
                for answer in [nil, 1, 2_000, 10_000_000] {
                    let failure = overflow(limit, counted)
                    switch change(failure, estimate: 5_000, answer: answer) {
                    case .window(let size): #expect(size >= 1 && size < 5_000)
                    case .answer(let size): #expect(size >= 64 && size < answer ?? 0)
                    case .few, .newest: #expect(limit == nil)
                    case nil: Issue.record("nothing was changed")
                    }
                }
            }
        }
    }
}
