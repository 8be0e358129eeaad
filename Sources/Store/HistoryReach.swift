internal import Archive
internal import Conversation

/// How far back a history is read, newest first: to a turn's edge past the need, or some way into a turn that is so long
/// that it cannot be in any window.
struct HistoryReach {
    /// Rows and bytes of one turn past the need before its edge is given up.
    private static let mostRows = 1_000, mostBytes = 1 << 20
    /// Bytes of a history at most: no provider takes a request of that size.
    private static let most = 64 << 20

    private let need: HistoryNeed
    private var tokens = 0, turns = 0, count = 0
    private var rowsPast = 0, bytesPast = 0
    private(set) var bytes = 0

    /// What tools gave in the turn that is being read.
    private var results: [Message] = []

    init(_ need: HistoryNeed) { self.need = need }

    /// What a call that does not go was given does not go either.
    private mutating func leaveOut(resultsOf calls: Set<String>) {
        if calls.isEmpty { return }
        results.removeAll { result in
            let isOut = result.toolIDs.isSubset(of: calls)
            if isOut {
                tokens -= need.costs.tokens(result)
                count -= 1
            }
            return isOut
        }
    }

    /// Takes the next older message; whether no older one is needed.
    mutating func isEnough(with message: Message) -> Bool {
        bytes += message.content.count + 300
        if bytes > HistoryReach.most { return true }
        if !message.isExcluded && message.status.isSent {
            tokens += need.costs.tokens(message)
            count += 1
            if message.role == .user { turns += 1 }
            if message.role == .tool { results.append(message) }
        } else if message.role == .assistant, !results.isEmpty {
            leaveOut(resultsOf: message.toolIDs)
        }
        if message.role == .user { results = [] }
        let isPast =
            tokens > need.tokens || need.turns.map { turns > $0 } ?? false
            || need.messages.map { count > $0 } ?? false
        guard isPast else { return false }
        if message.role == .user { return true }
        rowsPast += 1
        bytesPast += message.content.count
        let isLong = rowsPast > HistoryReach.mostRows || bytesPast > HistoryReach.mostBytes
        return isLong && (turns > 0 || need.hasPrompt)
    }
}
