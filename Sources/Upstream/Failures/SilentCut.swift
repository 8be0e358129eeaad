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

    /// Bytes by which a request must be longer than the one before, to say something.
    private static let growth = 512
    /// Bytes of a text at most that a token stands for, twice what the thriftiest tokenizers need.
    private static let mostBytes = 32

    /// Judges by what the server counted of the request before: a longer one that has no more tokens was cut, however much
    /// what was expected has come near to such counts meanwhile.
    static func shows(_ counted: Int, of request: ModelRequest, behind before: CountedRequest) -> Bool {
        // What else counts (tools, pictures, thoughts) must be the same, or the difference is that.
        guard before.others == CountedRequest.Others(request) else { return false }
        let growth = request.saidBytes - before.bytes
        // A server that has cut leaves out more or less, as whole messages come.
        if before.isCut {
            return growth >= 0 && counted * 8 <= before.tokens * 9
                && (counted - before.tokens) * 8 < max(growth, SilentCut.growth)
        }
        return before.tokens > 1_000 && growth >= SilentCut.growth
            && (counted - before.tokens) * SilentCut.mostBytes < growth
    }
}

/// What a request held, and what the server counted of it.
package struct CountedRequest: Sendable {
    /// Bytes of its text without thoughts; of one that was cut, those of the shortest that was.
    package let bytes: Int
    /// Tokens; of one that was cut, the most that the server counted of such.
    package let tokens: Int
    /// Whether the server read less than it was sent.
    package let isCut: Bool
    /// What it held beside its text.
    fileprivate let others: Others

    /// What counts of a request beside its text.
    fileprivate struct Others: Equatable {
        let demands: Int
        let mediaBytes: Int
        let thoughts: Int

        init(_ request: ModelRequest) {
            let parameters = request.parameters
            demands = [parameters.tools, parameters.toolChoice, parameters.schema].reduce(0) {
                $0 + ($1?.count ?? 0)
            }
            mediaBytes = request.mediaBytes
            thoughts = request.textBytes - request.saidBytes
        }
    }

    /// Takes note of an answer's count; `before` is the one before it.
    package init(_ request: ModelRequest, counted: Int, isCut: Bool, behind before: CountedRequest?) {
        let isCutAgain = isCut && before?.isCut ?? false
        bytes = isCutAgain ? min(request.saidBytes, before?.bytes ?? .max) : request.saidBytes
        tokens = isCutAgain ? max(counted, before?.tokens ?? 0) : counted
        self.isCut = isCut
        others = Others(request)
    }
}
