/// How long a provider keeps the beginnings of requests, so that what begins as a request before is cheaper and read sooner.
package enum PromptCache: String, Sendable, CaseIterable {
    /// Not at all.
    case none
    /// Five minutes since it was read last, as Anthropic and OpenAI do unasked (wire-2.md B1).
    case minutes = "5m"
    /// An hour, where the dialect can ask for that; Anthropic takes twice the price of input for it.
    case hour = "1h"

    /// Milliseconds.
    package var life: Int64 {
        switch self {
        case .none: 0
        case .minutes: 300_000
        case .hour: 3_600_000
        }
    }
}
