internal import Posix

/// Where the prompts of a chat come from.
protocol PromptSource: AnyObject {
    /// The next prompt or command; a signal only where it ends the chat.
    func next() throws(CommandError) -> StandardInput.Line
    /// Whether the text that came last stood in quotes, and so is a prompt whatever it begins with.
    var isQuoted: Bool { get }
    /// Answers one question with a line; nil where there is none.
    func answer(to question: String) throws(CommandError) -> String?
    /// Who cancels an answer does not want what was typed for after it.
    func dropAhead()
    /// Puts what was sent into the history, where there is one; what leaves no trace is not kept behind this chat.
    func remember(_ text: String, leavesNoTrace: Bool)
}

/// What a source is told of the chat.
struct PromptWatch {
    let signals: Int32?
    /// Descriptors that are watched while nobody asks, and who hears of them.
    let others: () -> [Int32]
    let onReady: () -> Void
    /// What may stand for the end of what was typed.
    let complete: (String) -> (drop: Int, words: [String])
    /// The lines that show what may, behind what was typed.
    let listed: (String, [String]) -> [String]
}
