internal import Conversation

/// Whether a server read less than it was sent, and did not say so, as Ollama does (wire.md C5).
enum SilentCut {
    /// Judges by the tokens that the server counted, and by those that were expected.
    ///
    /// Tokenizers differ in thrift by far more than a cut need be: of Chinese, of Thai or of base64 some count a third of
    /// what others do, so bytes a token decide as well. Plain text has at most about 5 of them, scripts of three bytes a
    /// character up to 15; of a text that was cut each token seems to hold more. A count just below a power of two is what
    /// Ollama's windows leave.
    static func isLikely(counted: Int, expected: Int, of request: ModelRequest) -> Bool {
        let estimate = request.size.tokens
        guard estimate > 1_000 else { return false }
        let bytes = request.textBytes
        let isDense = estimate * 10 > bytes * 3
        let isAtPower = (10...18).contains { (0...64).contains((1 << $0) - counted) }
        return counted * 2 < expected && counted * (isDense ? 20 : 8) < bytes
            || isAtPower && counted * 5 < expected * 4 && counted * (isDense ? 18 : 11) < bytes * 2
    }
}
