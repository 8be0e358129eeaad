package import Conversation

/// Ends a turn: its answer becomes a message, its pieces go, its tries and its end are written.
package struct EndTurn: ArchiveWrite {
    /// The seq of the answer's message, nil when there is none.
    ///
    /// Throws `changedElsewhere` when the turn is closed already, or gone: what was told of it is then not what is kept.
    package typealias Output = Int?
    package let turn: TurnID
    /// How it ended, with what the provider said.
    package let ending: Turn.Ending
    /// The answer's parts as raw JSON; nil when nothing came.
    package let content: [UInt8]?
    /// How much there is to read of the answer.
    package let size: ContentSize
    /// All its tries, in order.
    package let attempts: [Attempt]
    /// Raw JSON; nil leaves the stored one.
    package let receipt: [UInt8]?
    /// Who answered; nil leaves what is stored.
    package let upstream: String?
    /// The model that answered; nil leaves what is stored.
    package let model: String?
    /// What it used, nil for a turn that asked nobody.
    package let used: TurnUsage?
    /// What tries took whose answers were thrown away.
    package let spent: [SpentTry]
    /// Further answers, which become branches.
    package let alternatives: [NewMessage]
    /// What was learned of the model's tokens; nil for nothing.
    package let learned: Learned?
    /// The branch to go back to when nothing came of the turn; nil goes back to before its prompt.
    package let restores: BranchRow?
    /// Under which key the answer is kept for repeated questions; nil keeps it nowhere.
    package let cacheKey: [UInt8]?
    /// Where the windows of who answered begin, when that is not what came with the prompt; nil where it stays.
    package let anchor: Anchor?
    /// What the answer's thoughts are bound to; nil where nothing is known.
    package let binding: Message.Binding?

    package init(
        _ turn: TurnID, _ ending: Turn.Ending, content: [UInt8]?, size: ContentSize, attempts: [Attempt] = [],
        receipt: [UInt8]? = nil, upstream: String? = nil, model: String? = nil, used: TurnUsage? = nil,
        spent: [SpentTry] = [],
        alternatives: [NewMessage] = [], cacheKey: [UInt8]? = nil, restores: BranchRow? = nil,
        learned: Learned? = nil, anchor: Anchor? = nil, binding: Message.Binding? = nil
    ) {
        self.binding = binding
        self.anchor = anchor
        self.learned = learned
        self.restores = restores
        self.used = used
        self.spent = spent
        self.alternatives = alternatives
        self.cacheKey = cacheKey
        self.turn = turn
        self.ending = ending
        self.content = content
        self.size = size
        self.attempts = attempts
        self.receipt = receipt
        self.upstream = upstream
        self.model = model
    }
}
