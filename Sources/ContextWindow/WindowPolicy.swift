package import JSON

/// What a window may hold.
package struct WindowPolicy: Sendable, Equatable {
    /// What is left out when not all fits.
    package enum Strategy: String, Sendable, CaseIterable {
        /// What is best for the upstream and the limits; see `chosen`.
        case auto
        /// Leaves out as little as possible.
        case slide
        /// Leaves out much at once and then nothing for many turns.
        case sawtooth
        /// The same, with a summary of what is left out in its place.
        case summarize
    }

    /// The strategy that a window is made by.
    package struct Chosen: Sendable, Equatable {
        package let name: Strategy
        /// Why it is this one, in a few words.
        package let why: String

        /// Never `auto`.
        fileprivate init(_ name: Strategy, _ why: String) {
            self.name = name
            self.why = why
        }

        package static let slide = Chosen(.slide, "it is set")
        package static let sawtooth = Chosen(.sawtooth, "it is set")
        package static let summarize = Chosen(.summarize, "it is set")

        /// Whether windows begin where they began before, between two cuts.
        package var keepsAnchor: Bool { name == .sawtooth || name == .summarize }

        package var strategy: any CutStrategy {
            switch name {
            case .auto, .slide: SlideStrategy()
            case .sawtooth: SawtoothStrategy()
            case .summarize: SummarizeStrategy()
            }
        }
    }

    package var strategy: Strategy
    /// What may be sent, in estimated tokens; nil means the model's context length less `reserveTokens`.
    package var maxTokens: Int?
    /// Kept free for the answer.
    package var reserveTokens: Int
    /// Whole turns, the newest included.
    package var maxTurns: Int?
    /// Messages, the newest turn included; whole turns only.
    package var maxMessages: Int?
    /// The share of each limit to which `sawtooth` cuts; nil means the default for the budget.
    package var lowMark: Double?
    /// What pins may have together when one is added; nil means a quarter of the budget.
    package var pinTokens: Int?

    /// What is sent when neither the policy nor the model says how much.
    package static let unknownModelTokens = 8_192

    package init(
        strategy: Strategy = .auto, maxTokens: Int? = nil, reserveTokens: Int = 1_024, maxTurns: Int? = nil,
        maxMessages: Int? = nil, lowMark: Double? = nil, pinTokens: Int? = nil
    ) {
        self.lowMark = lowMark
        self.pinTokens = pinTokens
        self.strategy = strategy
        self.maxTokens = maxTokens
        self.reserveTokens = reserveTokens
        self.maxTurns = maxTurns
        self.maxMessages = maxMessages
    }

    /// The policy with the fields that `view` sets; null gives a field its default back.
    package func overridden(by view: JSONView) throws(WindowPolicyError) -> WindowPolicy {
        guard view.kind == .object else { throw WindowPolicyError("'window' must be an object") }
        if let key = view.duplicateKey {
            throw WindowPolicyError("'window.\(key.prefix(40))' stands twice; each may stand once")
        }
        var policy = self
        for member in view.members {
            switch member.key {
            case "strategy" where member.value.isNull: policy.strategy = WindowPolicy().strategy
            case "strategy":
                guard let name = member.value.string, let strategy = Strategy(rawValue: name) else {
                    let known = Strategy.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
                    throw WindowPolicyError("'window.strategy' must be \(known)")
                }
                policy.strategy = strategy
            case "maxTokens": policy.maxTokens = try positive(member)
            case "maxTurns": policy.maxTurns = try positive(member)
            case "maxMessages": policy.maxMessages = try positive(member)
            case "pinTokens": policy.pinTokens = try positive(member)
            case "lowMark" where member.value.isNull: policy.lowMark = nil
            case "lowMark":
                guard let value = member.value.double, WindowPolicy.lowMarks.contains(value) else {
                    throw WindowPolicyError(
                        "'window.lowMark' must be a number from \(WindowPolicy.lowMarks.lowerBound) to \(WindowPolicy.lowMarks.upperBound), or null"
                    )
                }
                policy.lowMark = value
            case "reserveTokens" where member.value.isNull:
                policy.reserveTokens = WindowPolicy().reserveTokens
            case "reserveTokens":
                guard let value = member.value.int, value >= 0 else {
                    throw WindowPolicyError("'window.reserveTokens' must be an integer of 0 or more, or null")
                }
                policy.reserveTokens = value
            default: throw WindowPolicyError("'window.\(member.key.prefix(40))' is not known")
            }
        }
        return policy
    }

    /// What `lowMark` may be.
    package static let lowMarks = 0.1...0.95

    /// The share to which a cut of this budget goes: a small one is used further.
    func lowMark(of budget: Int) -> Double { lowMark ?? (budget < 16_384 ? 0.75 : 0.6) }

    /// The strategy for an upstream whose provider keeps requests in a cache, or does not.
    package func chosen(cachesPrompts: Bool) -> Chosen {
        switch strategy {
        case .slide: .slide
        case .sawtooth: .sawtooth
        case .summarize: .summarize
        case .auto where !cachesPrompts: Chosen(.slide, "this upstream keeps no prompts in a cache")
        case .auto where maxTurns != nil: Chosen(.slide, "'maxTurns' is set")
        case .auto where maxMessages != nil: Chosen(.slide, "'maxMessages' is set")
        case .auto: Chosen(.sawtooth, "this upstream may keep prompts in a cache")
        }
    }

    /// Tokens that pins may have together when one is added to a window of this budget.
    package func pinTokens(of budget: Int) -> Int { min(pinTokens ?? budget / 4, budget) }

    /// The settings of which a change makes an anchor void, as one text.
    package var fingerprint: String {
        "\(strategy.rawValue) \(maxTokens ?? 0) \(reserveTokens) \(maxTurns ?? 0) \(maxMessages ?? 0) \(lowMark ?? 0)"
    }

    private func positive(_ member: JSONMembers.Member) throws(WindowPolicyError) -> Int? {
        if member.value.isNull { return nil }
        guard let value = member.value.int, value > 0 else {
            throw WindowPolicyError("'window.\(member.key)' must be an integer of 1 or more, or null")
        }
        return value
    }

    /// How many tokens may be sent to a model of this context length; nil means that nobody knows it.
    ///
    /// All are tokens of the model, as it is expected to count them.
    package func budget(contextLength: Int?) -> Int {
        let room = contextLength.map { max(1, $0 - reserveTokens) }
        return switch (maxTokens, room) {
        case (let own?, let room?): min(own, room)
        case (let own?, nil): own
        case (nil, let room?): room
        case (nil, nil): WindowPolicy.unknownModelTokens
        }
    }
}

/// What is wrong with a window policy, in one clause.
package struct WindowPolicyError: Error, Sendable, Equatable {
    /// A clause for a person that names the member.
    package let reason: String
    package init(_ reason: String) { self.reason = reason }
}
