package import Conversation

/// What one turn, or one summary, used.
package struct TurnUsage: Sendable, Equatable {
    /// The session's owner, whose quota it counts against.
    package var owner: UserID
    /// Tokens as the provider counted, or estimated where it did not.
    package var input: Int
    /// Tokens of the answer, counted or estimated likewise.
    package var output: Int
    /// Those of `input` that the provider took out of its cache; 0 where it did not say.
    package var cached: Int
    /// Those of `input` that it put into its cache; 0 where it did not say.
    package var written = 0
    /// Those of `output` that are thoughts; 0 where it did not say.
    package var thoughts = 0
    /// Millionths of a dollar; nil where nobody knows what it costs.
    package var cost: Int?
    /// Whether it came to nothing.
    package var hasFailed = false
    /// Milliseconds from asking to the first piece of the answer; nil where none came.
    package var firstMs: Int?

    /// Whether it has tokens that cost something.
    package var isCall: Bool { input > 0 || output > 0 }

    package init(owner: UserID, input: Int, output: Int, cached: Int, cost: Int?) {
        self.owner = owner
        self.input = input
        self.output = output
        self.cached = cached
        self.cost = cost
    }
}

/// What a try took that came to nothing, and at whom.
package struct SpentTry: Sendable, Equatable {
    package let used: TurnUsage
    /// The upstream's name, and the model by its provider's name.
    package let upstream: String
    package let model: String

    package init(used: TurnUsage, upstream: String, model: String) {
        self.used = used
        self.upstream = upstream
        self.model = model
    }
}

extension TurnUsage {
    /// What two calls used together; what it costs is known where it is of both.
    package static func + (a: TurnUsage, b: TurnUsage) -> TurnUsage {
        var sum = TurnUsage(
            owner: a.owner, input: a.input + b.input, output: a.output + b.output,
            cached: a.cached + b.cached,
            cost: a.cost.flatMap { cost in b.cost.map { cost + $0 } })
        sum.written = a.written + b.written
        sum.thoughts = a.thoughts + b.thoughts
        return sum
    }
}

/// Sums over some turns.
package struct UsageSum: Sendable, Equatable {
    /// How many were summed up.
    package var turns = 0
    /// Of requests and answers together.
    package var tokens = 0
    /// Millionths of a dollar.
    package var cost = 0

    /// A number that two of them can be added and stay one.
    package static func bounded(_ value: Int) -> Int { min(max(value, 0), 1 << 61) }

    /// Adds what was used; both must hold numbers that `bounded` made.
    package static func + (a: UsageSum, b: UsageSum) -> UsageSum {
        UsageSum(turns: a.turns + b.turns, tokens: a.tokens + b.tokens, cost: a.cost + b.cost)
    }

    /// Takes away what was added before.
    package static func - (a: UsageSum, b: UsageSum) -> UsageSum {
        UsageSum(turns: a.turns - b.turns, tokens: a.tokens - b.tokens, cost: a.cost - b.cost)
    }

    package init(turns: Int = 0, tokens: Int = 0, cost: Int = 0) {
        self.turns = turns
        self.tokens = tokens
        self.cost = cost
    }
}

/// A day since 1970 in UTC.
package enum UsageDay {
    /// The day of a time, which is in milliseconds since 1970.
    package static func of(_ time: Int64) -> Int64 { time / Timestamp.day }
    /// Milliseconds from `time` to the next day.
    package static func rest(of time: Int64) -> Int { Int(Timestamp.day - time % Timestamp.day) }
}
