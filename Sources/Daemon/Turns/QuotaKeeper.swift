internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Store
internal import Upstream

/// Tells whether a user or a session has used up what it may use, and how fast a user may ask.
final class QuotaKeeper {
    private let configuration: CurrentConfiguration
    private let clocks: Clocks
    private var throttles: [UserID: Throttle] = [:]
    private var limits = Throttle.Limits()

    init(_ configuration: CurrentConfiguration, _ clocks: Clocks) {
        self.configuration = configuration
        self.clocks = clocks
    }

    // MARK: What is under way

    /// What a turn that runs will use, about: only at its end is it stored what it did.
    ///
    /// It counts for as long as somebody holds it.
    final class Share {
        fileprivate let holder: Holder
        fileprivate let sum: UsageSum
        private weak var keeper: QuotaKeeper?

        fileprivate init(_ holder: Holder, _ sum: UsageSum, _ keeper: QuotaKeeper) {
            self.holder = holder
            self.sum = sum
            self.keeper = keeper
            keeper.running[holder, default: UsageSum()] = keeper.running[holder, default: UsageSum()] + sum
        }

        deinit { keeper?.release(self) }
    }

    /// Whose something is that runs: a prompt never waits for a summary, so those count beside it.
    fileprivate struct Holder: Hashable {
        let user: UserID
        /// Whether it is a summary or a title.
        let isBeside: Bool
    }

    /// What users' turns that run will use, about, and what is made beside them.
    private var running: [Holder: UsageSum] = [:]
    /// The shares that ended last, newest last, which a look from before does not know of.
    private var ended: [(number: Int, holder: Holder, sum: UsageSum)] = []
    private var endedCount = 0
    /// Shares that are remembered: a turn begins long before so many others end.
    private static let mostEnded = 1_024

    /// Which shares a look that is taken now may know of.
    var mark: Int { endedCount }

    private func release(_ share: Share) {
        let left = (running[share.holder] ?? share.sum) - share.sum
        running[share.holder] = left.turns > 0 ? left : nil
        endedCount += 1
        if ended.count >= QuotaKeeper.mostEnded { ended.removeFirst(QuotaKeeper.mostEnded / 2) }
        ended.append((endedCount, share.holder, share.sum))
    }

    /// What else will be used that was under way at a mark.
    private func underWay(_ holder: Holder, since mark: Int) -> UsageSum {
        ended.reversed().prefix { $0.number > mark }.filter { $0.holder == holder }
            .reduce(running[holder] ?? UsageSum()) { $0 + $1.sum }
    }

    /// Takes a share for a turn that begins, where its user has a cap; nil where there is none.
    ///
    /// Throws where what the user has used, as a look told it at a mark, and what others of its turns will use is all there is:
    /// prompts that come at once use no more than those that come one by one.
    func share(
        _ user: UserID, _ found: (sum: UsageSum, mark: Int)?, isBeside: Bool = false,
        _ expected: @autoclosure () -> UsageSum
    ) throws(WireError) -> Share? {
        let cap = configuration.quotas.user
        if cap.isNone { return nil }
        let own = Holder(user: user, isBeside: isBeside)
        if let found {
            let others = underWay(own, since: found.mark)
            if others.turns > 0, let words = QuotaKeeper.excess(found.sum + others, cap) {
                let what =
                    isBeside
                    ? ("summary or title", "summaries and titles", "made") : ("prompt", "prompts", "answered")
                let running =
                    others.turns == 1 ? "\(what.0) that is" : "\(others.turns) \(what.1) that are"
                throw WireError(
                    .throttled,
                    "user \(user) has used, with the \(running) being \(what.2), \(words) of today (UTC); wait until that is done, or raise 'quotas.user' in the configuration",
                    retryAfterMs: 1_000)
            }
        }
        return Share(own, expected(), self)
    }

    /// What a call of so many tokens will use, about.
    static func expected(input: Int, output: Int, _ candidate: Candidate?) -> UsageSum {
        let prices = candidate.flatMap { $0.upstream.prices(of: $0.model, tokens: input) }
        let cost = prices?.cost(Prices.Tokens(input: input, output: output), cache: .none) ?? 0
        return UsageSum(
            turns: 1, tokens: UsageSum.bounded(input + output), cost: UsageSum.bounded(cost))
    }

    /// Whether a user's turns that run, those that have this share aside, will use up what is left.
    func isTaken(_ user: UserID, _ found: PromptLook.Output, but own: Share?) -> Bool {
        guard let used = found.userUsage, let all = running[Holder(user: user, isBeside: false)] else {
            return false
        }
        let others = all - (own?.sum ?? UsageSum())
        return others.turns > 0 && QuotaKeeper.excess(used + others, configuration.quotas.user) != nil
    }

    // MARK: Quotas

    /// What must be looked at to tell whether a session may begin a turn now; nothing where it has no caps.
    func look(for record: SessionRecord) -> PromptLook {
        var look = PromptLook()
        if !cap(of: record.session).isNone { look.usage = record.row }
        if !configuration.quotas.user.isNone {
            look.user = (record.session.owner, UsageDay.of(clocks.now()))
        }
        return look
    }

    /// Why a session may not begin a turn, by what was found; nil when it may.
    func refusal(_ record: SessionRecord, _ found: PromptLook.Output) -> WireError? {
        if let used = found.sessionUsage, let words = QuotaKeeper.excess(used, cap(of: record.session)) {
            return WireError(
                .paused,
                "session '\(record.session.id.text)' is paused: it has used \(words); an administrator can raise 'quota' by '_convod/session/set', or 'quotas.session' in the configuration"
            )
        }
        if let used = found.userUsage, let words = QuotaKeeper.excess(used, configuration.quotas.user) {
            return WireError(
                .quota,
                "user \(record.session.owner) has used \(words) of today (UTC); wait for tomorrow, or raise 'quotas.user' in the configuration",
                retryAfterMs: UsageDay.rest(of: clocks.now()))
        }
        return nil
    }

    /// The session's own cap over the configured one.
    private func cap(of session: Session) -> Quotas.Cap {
        var cap = configuration.quotas.session
        guard let raw = session.settings.quota, let view = try? JSONDocument(raw).root else { return cap }
        if let tokens = view["tokens"]?.int { cap.tokens = tokens }
        if let cost = view["cost"]?.double {
            // What nobody could have set, as by a hand in the database, is the nearest that one can.
            cap.cost = Int(min(max(cost, 0), Quotas.mostDollars) * 1_000_000)
        }
        return cap
    }

    private static func excess(_ used: UsageSum, _ cap: Quotas.Cap) -> String? {
        if let most = cap.tokens, used.tokens >= most { return "\(used.tokens) of \(most) tokens" }
        if let most = cap.cost, used.cost >= most {
            return "\(dollars(used.cost)) of \(dollars(most)) dollars"
        }
        return nil
    }

    private static func dollars(_ millionths: Int) -> String {
        let cents = String(millionths % 1_000_000 + 1_000_000).dropFirst().prefix(4)
        return "\(millionths / 1_000_000).\(cents)"
    }

    // MARK: Limits per minute

    /// Milliseconds until a user may ask again, 0 for at once.
    func wait(for user: UserID) -> Int {
        let now = clocks.steady()
        return throttle(of: user, now)?.wait(tokens: 1, now: now) ?? 0
    }

    /// A user's turn begins, with a request of so many tokens.
    func begin(_ user: UserID, tokens: Int) {
        let now = clocks.steady()
        guard var throttle = throttle(of: user, now) else { return }
        throttle.take(tokens: tokens, now: now)
        throttles[user] = throttle
    }

    private func throttle(of user: UserID, _ now: Int64) -> Throttle? {
        if limits != configuration.userThrottle {
            limits = configuration.userThrottle
            throttles = [:]
        }
        guard limits != .init() else { return nil }
        return throttles[user] ?? Throttle(limits, now: now)
    }
}
