/// How long a provider keeps the beginnings of requests, so that what begins as a request before is cheaper and read sooner.
package enum PromptCache: String, Sendable, CaseIterable {
    /// Not at all.
    case none
    /// Five minutes since it was read last, as Anthropic and OpenAI do unasked (wire-2.md B1).
    case minutes = "5m"
    /// An hour, where the dialect can ask for that; Anthropic takes twice the price of input for it.
    case hour = "1h"

    /// Milliseconds after which a request is read anew anyway; where there is no cache as if there were one, for who wants
    /// requests to begin alike all the same.
    package var life: Int64 { self == .hour ? 3_600_000 : 300_000 }
}
