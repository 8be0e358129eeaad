package import JSON

/// What a window may hold.
package struct WindowPolicy: Sendable, Equatable {
    /// What is left out when not all fits.
    package enum Strategy: String, Sendable, CaseIterable {
        /// Keeps the longest suffix of whole turns that fits.
        case slide
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

    /// What is sent when neither the policy nor the model says how much.
    package static let unknownModelTokens = 8_192

    package init(
        strategy: Strategy = .slide, maxTokens: Int? = nil, reserveTokens: Int = 1_024, maxTurns: Int? = nil,
        maxMessages: Int? = nil
    ) {
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

    private func positive(_ member: JSONMembers.Member) throws(WindowPolicyError) -> Int? {
        if member.value.isNull { return nil }
        guard let value = member.value.int, value > 0 else {
            throw WindowPolicyError("'window.\(member.key)' must be an integer of 1 or more, or null")
        }
        return value
    }

    /// How many estimated tokens may be sent to a model of this context length; nil means that nobody knows it.
    ///
    /// The context length is in the provider's tokens, `maxTokens` in estimated ones.
    package func budget(contextLength: Int?, _ calibration: Calibration = Calibration()) -> Int {
        let room = contextLength.map { calibration.estimated(max(1, $0 - reserveTokens)) }
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
