internal import ContextWindow
internal import Conversation

extension RandomWindow {
    /// A smaller case of which `isBroken` is still true: fewer messages, fewer parts, fewer marks, shorter texts.
    package func shrunk(while isBroken: (RandomWindow) -> Bool) -> RandomWindow {
        var best = self, tries = 0, isSmaller = true
        func attempt(_ change: (inout RandomWindow) -> Void) -> Bool {
            guard tries < 4_000 else { return false }
            tries += 1
            var smaller = best
            change(&smaller)
            guard isBroken(smaller) else { return false }
            best = smaller
            isSmaller = true
            return true
        }
        while isSmaller, tries < 4_000 {
            isSmaller = false
            var length = best.drafts.count
            while length >= 1 {
                var start = 0
                while start < best.drafts.count {
                    let end = min(start + length, best.drafts.count)
                    if !attempt({ $0.drafts.removeSubrange(start..<end) }) { start += length }
                }
                length /= 2
            }
            if best.system != nil { _ = attempt { $0.system = nil } }
            if best.anchor != nil { _ = attempt { $0.anchor = nil } }
            if best.isCold { _ = attempt { $0.isCold = false } }
            if best.policy.maxTurns != nil { _ = attempt { $0.policy.maxTurns = nil } }
            if best.policy.maxMessages != nil { _ = attempt { $0.policy.maxMessages = nil } }
            if best.strategy == .summarize { _ = attempt { $0.strategy = .sawtooth } }
            if best.strategy == .sawtooth { _ = attempt { $0.strategy = .slide } }
            for index in best.summaries.indices.reversed() { _ = attempt { $0.summaries.remove(at: index) } }
            for index in best.summaries.indices where best.summaries[index].text?.count ?? 0 > 1 {
                _ = attempt { $0.summaries[index].text = "x" }
            }
            for index in best.drafts.indices {
                if best.drafts[index].isPinned { _ = attempt { $0.drafts[index].isPinned = false } }
                if best.drafts[index].isExcluded { _ = attempt { $0.drafts[index].isExcluded = false } }
                if best.drafts[index].status != .complete {
                    _ = attempt { $0.drafts[index].status = .complete }
                }
                var part = best.drafts[index].parts.count - 1
                while part >= 0, best.drafts[index].parts.count > 1 {
                    let place = part
                    _ = attempt { $0.drafts[index].parts.remove(at: place) }
                    part -= 1
                }
                for part in best.drafts[index].parts.indices {
                    guard case .text(let text) = best.drafts[index].parts[part], text.count > 1 else {
                        continue
                    }
                    _ = attempt { $0.drafts[index].parts[part] = .text("x") }
                }
            }
        }
        return best
    }

    /// The case in a few lines, for people.
    package var described: String {
        var lines = [
            "budget \(budget), \(strategy.rawValue), anchor \(anchor.map(String.init) ?? "none"), cold \(isCold), turns \(policy.maxTurns.map(String.init) ?? "any"), messages \(policy.maxMessages.map(String.init) ?? "any"), low mark \(policy.lowMark.map { "\($0)" } ?? "default"), system \(system ?? "none")"
        ]
        for summary in summaries {
            lines.append(
                "  summary of \(summary.first) to \(summary.last)\(summary.isRequested ? ", asked for" : ""): \(summary.text ?? "none")"
            )
        }
        for (index, draft) in drafts.enumerated() {
            let marks = (draft.isPinned ? " pinned" : "") + (draft.isExcluded ? " excluded" : "")
            lines.append(
                "  \(index + 1) \(draft.role.name) \(draft.status.name)\(marks): \(String(decoding: Part.encode(draft.parts), as: UTF8.self))"
            )
        }
        return lines.joined(separator: "\n")
    }
}
