/// A variable of the environment that holds a provider's key or leads to one, sorted by name.
///
/// A daemon without a configuration asks the providers whose variables are set, and tells its administrators which.
package enum KeyVariable: String, Sendable, CaseIterable {
    /// Anthropic's key.
    case anthropic = "ANTHROPIC_API_KEY"
    /// Google's key, by the name that is Gemini's own.
    case gemini = "GEMINI_API_KEY"
    /// Google's key, by the name that all its libraries know; beats `gemini`.
    case google = "GOOGLE_API_KEY"
    /// The path of a file with a Google credential, for who has no key.
    case googleCredentials = "GOOGLE_APPLICATION_CREDENTIALS"
    /// OpenAI's key.
    case openai = "OPENAI_API_KEY"

    /// The names of those that an environment has, empty ones not counted.
    package static func names(in environment: [String: String]) -> [String] {
        allCases.map(\.rawValue).filter { !(environment[$0] ?? "").isEmpty }
    }
}
