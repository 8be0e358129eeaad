internal import Conversation

/// The summaries of a history that a window may hold, and what they make of the cut.
struct ReadySummaries {
    /// A summary that fits.
    struct Ready {
        let summary: Summary
        /// As a message.
        let size: ContentSize
        let tokens: Int
    }

    /// Newest first; all end before the newest turn.
    let ready: [Ready]
    /// Up to where nothing is sent, since somebody asked for the summary of it; 0 for nowhere.
    let floor: Int
    /// Up to where rounds were made, whatever came of them; 0 for none.
    let covered: Int

    /// `newest` is the place of the newest turn, `loopSince` when its open tool loop began: what was made in it unasked waits for its
    /// end, since it would stand before what the loop was begun with; `room` what is left beside what must be in.
    init(
        _ history: History, _ strategy: WindowPolicy.Strategy, newest: Int?, loopSince: Int64? = nil,
        _ weights: TokenWeights, room: Int
    ) {
        var ready: [Ready] = [], floor = 0, covered = 0
        for summary in history.summaries {
            // What somebody asked for and came to nothing says nothing of what is made unasked.
            if summary.text != nil || !summary.isRequested { covered = max(covered, summary.last) }
            guard let told = summary.told, newest.map({ summary.last < $0 }) ?? false, summary.last > floor,
                summary.isRequested
                    || strategy == .summarize && (loopSince.map { summary.createdAt <= $0 } ?? true)
            else { continue }
            let size = TokenEstimate.size(of: [.text(told)]), tokens = weights.tokens(size)
            // It is never needed: what leaves no room for the conversation itself stays out, unless somebody asked for it.
            guard tokens <= (summary.isRequested ? room : room / 2) else { continue }
            ready.append(Ready(summary: summary, size: size, tokens: tokens))
            if summary.isRequested { floor = max(floor, summary.last) }
        }
        self.ready = ready.filter { $0.summary.last >= floor }
        self.floor = floor
        self.covered = covered
    }

    /// Room that is kept whichever of them is sent.
    var tokens: Int { ready.map(\.tokens).max() ?? 0 }

    /// The newest that ends before a place; or the one that was asked for, where it ends inside the turn that begins there, since
    /// nothing before it is sent.
    func last(before begin: Int) -> Ready? {
        ready.first { $0.summary.last < begin }
            ?? (floor > 0 ? ready.first { $0.summary.last == floor } : nil)
    }
}

extension Receipt.Summary {
    /// What of a summary is told: `kept` are sent whole, `excluded` were never in it.
    init(_ ready: ReadySummaries.Ready, kept: [Message], excluded: [Message]) {
        let range = ready.summary.range
        let others = Set((kept + excluded).map(\.seq).filter { range.contains($0) })
        self.init(
            id: ready.summary.id, range: range, tokens: ready.tokens, count: range.count - others.count)
    }
}

extension CutQuestion {
    /// Leaves out what a summary stands for that somebody asked for, and keeps room for one; `isRead` says that all behind that
    /// one was read.
    mutating func take(_ summaries: ReadySummaries, isRead: Bool) {
        // What such a turn has behind the summary is told nowhere else.
        turns.removeAll { $0.last <= summaries.floor }
        if summaries.floor > 0 && isRead { isWhole = true }
        fixed += summaries.tokens
        summaryEnds = summaries.ready.map(\.summary.last)
    }

    /// What should be summarized behind this turn.
    func outlook(_ cut: Cut, covered: Int, _ chosen: WindowPolicy.Chosen, used: Int) -> SummaryOutlook? {
        guard chosen.name == .summarize, !turns.isEmpty else { return nil }
        let last = turns[cut.first].seq - 1
        let isReady = covered > last
        let next = isReady ? nil : SummarizeStrategy().next(self).flatMap { $0 > covered ? $0 : nil }
        let sent = turns[cut.first...], messages = sent.reduce(0) { $0 + $1.messages }
        func share(_ count: Int, _ most: Int?) -> Double {
            most.map { Double(count) / Double(max(1, $0)) } ?? 0
        }
        return SummaryOutlook(
            begin: last, used: used, budget: budget,
            fullness: max(share(sent.count, maxTurns), share(messages, maxMessages)),
            gap: last > covered && !(isWhole && cut.first == 0) ? last : nil,
            next: next)
    }
}
