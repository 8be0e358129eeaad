internal import ContextWindow
internal import Conversation
internal import TestSupport
internal import Testing

/// So much text of English words, and so many Han characters.
private func size(_ words: Int, _ han: Int = 0) -> ContentSize {
    TokenEstimate.size(of: String(repeating: "word ", count: words) + String(repeating: "字", count: han))
}

/// A provider that counts by ratios of its own, with what it counts.
private struct Provider {
    var plain: Double, wide: Double
    let weights = TokenWeights.unknown
    var calibration = Calibration()

    func count(_ size: ContentSize) -> Int { weights.scaled(plain: plain, wide: wide).tokens(size) }
    /// What is expected of a size now, over what is counted.
    func expected(_ size: ContentSize) -> Double {
        Double(calibration.applied(to: weights).tokens(size)) / Double(count(size))
    }
    mutating func learn(_ size: ContentSize) -> Bool {
        calibration.learn(counted: count(size), size, weights)
    }
}

@Suite struct `A calibration` {
    @Test func `takes the first count whole and the next ones in part, within its bounds`() {
        var calibration = Calibration()
        let weights = TokenWeights.unknown, text = ContentSize(tokens: 1_000)
        let first = calibration.learn(counted: 1_500, text, weights)
        #expect(first && calibration.plain.value == 1.5)
        let second = calibration.learn(counted: 1_000, text, weights)
        #expect(second && abs(calibration.plain.value - 1.25) < 1e-9 && calibration.plain.samples == 2)
        for _ in 0..<100 { _ = calibration.learn(counted: 90_000, text, weights) }
        #expect(calibration.plain.value <= 2.5 && calibration.plain.value > 2.49)
        for _ in 0..<100 { _ = calibration.learn(counted: 1, text, weights) }
        #expect(calibration.plain.value >= 0.6 && calibration.plain.value < 0.61)
        #expect(calibration.wide.samples == 0)
    }

    @Test func `learns nothing from small requests and from no count`() {
        var calibration = Calibration()
        let isSmall = calibration.learn(counted: 90, ContentSize(tokens: 199), .unknown)
        let isNothing = calibration.learn(counted: 0, ContentSize(tokens: 900), .unknown)
        #expect(!isSmall && !isNothing)
        #expect(calibration == Calibration())
    }

    @Test func `of one script stays when another is spoken, and is the first guess for that`() {
        var provider = Provider(plain: 0.8, wide: 1.6)
        for _ in 0..<5 { _ = provider.learn(size(2_000)) }
        #expect(abs(provider.expected(size(3_000)) - 1) < 0.01)
        #expect(abs(provider.calibration.applied(to: .unknown).tokens(size(0, 1_000)) - 800) <= 1)
        // The first Chinese answer tells all, and English is as it was.
        _ = provider.learn(size(0, 2_000))
        #expect(abs(provider.expected(size(0, 5_000)) - 1) < 0.01)
        #expect(abs(provider.expected(size(3_000)) - 1) < 0.01)
        #expect(abs(provider.expected(size(1_000, 1_000)) - 1) < 0.01)
    }

    @Test func `of texts in two scripts at once comes near both`() {
        var random = SeededRandom()
        var provider = Provider(plain: 1.3, wide: 0.7)
        for _ in 0..<60 { _ = provider.learn(size(random.int(200...2_000), random.int(200...2_000))) }
        for text in [size(2_000), size(0, 2_000), size(1_000, 1_000)] {
            #expect(abs(provider.expected(text) - 1) < 0.1, "\(random)")
        }
    }

    @Test func `leaves the room of a model, and makes messages dearer`() throws {
        let weights = TokenWeights.unknown.scaled(plain: 2, wide: 1)
        let policy = WindowPolicy(reserveTokens: 1_000)
        #expect(policy.budget(contextLength: 9_000) == 8_000)
        var own = policy
        own.maxTokens = 3_000
        #expect(own.budget(contextLength: 9_000) == 3_000 && own.budget(contextLength: nil) == 3_000)
        let history = History(messages: Histories.of("u a u a u", tokens: 100))
        let window = try Window.cut(
            history, system: nil, policy: policy, budget: 650, CutContext(.slide, weights: weights))
        #expect(window.messages.map(\.seq) == [3, 4, 5] && window.receipt.estimate == 632)
    }
}

@Suite struct `A size` {
    @Test func `is written and read again, and adds up`() {
        var random = SeededRandom()
        for _ in 0..<500 {
            var one = ContentSize(), other = ContentSize()
            for kind in ContentSize.Class.allCases {
                if random.oneIn(2) { one[kind] = UInt32(random.int(0...(1 << random.int(0...31)))) }
                if random.oneIn(2) { other[kind] = UInt32(random.int(0...1_000)) }
            }
            #expect(ContentSize(encoded: one.encoded) == one, "\(random)")
            let sum = one + other
            for kind in ContentSize.Class.allCases {
                #expect(sum[kind] == one[kind] &+ other[kind], "\(random)")
            }
            let parts = TokenWeights.gemini.parts(sum),
                (a, b) = (TokenWeights.gemini.parts(one), TokenWeights.gemini.parts(other))
            #expect(
                abs(parts.plain - a.plain - b.plain) < 0.01 && abs(parts.wide - a.wide - b.wide) < 0.01,
                "\(random)")
        }
    }

    @Test(
        arguments: [
            [0x80], [0x01], [0x11, 0x11], [0x12, 0x11], [0x91, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] as [[UInt8]])
    func `that nobody wrote is none`(_ bytes: [UInt8]) { #expect(ContentSize(encoded: bytes) == nil) }

    @Test func `of a message is a dozen bytes`() {
        let text = "How do I reverse a list in Swift 6?\n\n```swift\nlet a = [1, 2, 3]\n```"
        #expect(TokenEstimate.size(of: [.text(text)]).encoded.count <= 14)
    }
}
