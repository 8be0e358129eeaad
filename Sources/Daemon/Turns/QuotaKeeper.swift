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
        if let cost = view["cost"]?.double { cap.cost = Int(cost * 1_000_000) }
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
