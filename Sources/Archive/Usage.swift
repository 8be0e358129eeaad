package import Conversation

/// What one turn used.
package struct TurnUsage: Sendable, Equatable {
    package var owner: UserID
    /// Tokens as the provider counted, or estimated where it did not.
    package var input: Int
    package var output: Int
    package var cached: Int
    /// Millionths of a dollar.
    package var cost: Int

    package init(owner: UserID, input: Int, output: Int, cached: Int, cost: Int) {
        self.owner = owner
        self.input = input
        self.output = output
        self.cached = cached
        self.cost = cost
    }
}

/// Sums over some turns.
package struct UsageSum: Sendable, Equatable {
    package var turns = 0
    package var tokens = 0
    /// Millionths of a dollar.
    package var cost = 0

    /// A number that two of them can be added and stay one.
    package static func bounded(_ value: Int) -> Int { min(max(value, 0), 1 << 61) }

    package static func + (a: UsageSum, b: UsageSum) -> UsageSum {
        UsageSum(turns: a.turns + b.turns, tokens: a.tokens + b.tokens, cost: a.cost + b.cost)
    }

    package init(turns: Int = 0, tokens: Int = 0, cost: Int = 0) {
        self.turns = turns
        self.tokens = tokens
        self.cost = cost
    }
}

/// A day since 1970 in UTC.
package enum UsageDay {
    package static let milliseconds: Int64 = 86_400_000
    package static func of(_ time: Int64) -> Int64 { time / milliseconds }
    /// Milliseconds from `time` to the next day.
    package static func rest(of time: Int64) -> Int { Int(milliseconds - time % milliseconds) }
}
