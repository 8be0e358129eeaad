import ContextWindow
import Conversation
import TestSupport
import Testing

/// Random cases, and those of them whose windows could be made; worked out once for all tests of this file.
private let cases: [WindowCase] = {
    var random = SeededRandom("ContextWindow")
    return (0..<800).map { _ in WindowCase(&random) }
}()
private let windows: [(WindowCase, Window)] = cases.compactMap { one in (try? one.cut()).map { (one, $0) } }

/// Runs `body` for each of them, with what names the seed when it fails.
private func forWindows(_ body: (WindowCase, Window, String) throws -> Void) rethrows {
    let seed = "CONVOD_SEED=\(SeededRandom.runSeed)"
    #expect(windows.count > 300, "\(seed)")
    for (one, window) in windows { try body(one, window, seed) }
}

@Suite struct `Any window` {
    @Test func `holds pins and the newest turn of the user, whole`() {
        forWindows { one, window, random in
            let kept = Set(window.messages.map(\.seq))
            let newest = one.messages.last { $0.role == .user && $0.isSendable }
            #expect(newest.map { kept.contains($0.seq) } ?? true, "\(random)")
            for message in one.messages where message.isPinned && message.isSendable && message.role != .tool
            {
                #expect(kept.contains(message.seq), "\(random)")
            }
            for message in window.messages { #expect(one.messages.contains(message), "\(random)") }
            #expect(window.system == one.system, "\(random)")
        }
    }

    @Test func `is refused only when pins and the newest turn do not fit`() {
        let random = "CONVOD_SEED=\(SeededRandom.runSeed)"
        var refused = 0
        for one in cases {
            do throws(WindowError) { _ = try one.cut() } catch {
                refused += 1
                #expect(error.budget == one.budget && error.needed > error.budget, "\(random)")
                #expect(error.needed == error.system + error.pinned + error.newest, "\(random)")
                #expect(Reckoning(one.messages).window(one) == nil, "\(random)")
            }
        }
        #expect(refused > 30, "\(random)")
    }

    @Test func `is in order, without doubles, and holds nothing that was excluded, refused or failed`() {
        forWindows { _, window, random in
            let seqs = window.messages.map(\.seq)
            #expect(seqs == Set(seqs).sorted(), "\(random)")
            #expect(
                window.messages.allSatisfy {
                    !$0.isExcluded && ![.failed, .refused, .streaming].contains($0.status)
                }, "\(random)")
        }
    }

    @Test func `is the longest suffix of turns within the budget, by count of all of them`() throws {
        try forWindows { one, window, random in
            let expected = try #require(Reckoning(one.messages).window(one), "\(random)")
            #expect(window.messages.map(\.seq) == expected.seqs, "\(random)")
            #expect(window.receipt.estimate == expected.cost, "\(random)")
            #expect(window.receipt.estimate <= one.budget, "\(random)")
        }
    }

    @Test
    func `starts with a message of the user or the first of the system, but for pins and their partners`() {
        forWindows { one, window, random in
            guard let sent = window.receipt.sent else { return }
            let first = window.messages.first { $0.seq >= sent.lowerBound }
            let opening = one.messages.first { ($0.role == .user || $0.role == .system) && $0.isSendable }
            #expect(first?.role == .user || first?.seq == opening?.seq, "\(random)")
            let pins = Set(window.receipt.pinned)
            #expect(
                window.messages.allSatisfy { $0.seq >= sent.lowerBound || pins.contains($0.seq) }, "\(random)"
            )
        }
    }

    @Test func `comes out the same a second time, and cutting it again changes nothing`() throws {
        try forWindows { (one, window, random) throws in
            #expect(try one.cut() == window, "\(random)")
            #expect(try one.cut(again: window).messages == window.messages, "\(random)")
        }
    }

    @Test func `adds up in its receipt`() {
        forWindows { one, window, random in
            let receipt = window.receipt
            #expect(receipt.sentCount == window.messages.count, "\(random)")
            #expect(receipt.sentCount + receipt.leftOutCount == one.messages.count, "\(random)")
            #expect(
                receipt.leftOutTokens == one.messages.reduce(0) { $0 + $1.tokens }
                    - window.messages.reduce(0) { $0 + $1.tokens }, "\(random)")
            #expect(receipt.excludedCount == one.messages.count(where: \.isExcluded), "\(random)")
        }
    }
}

@Suite struct `Any request` {
    static let rules = [
        DialectRules.openAI, DialectRules(isAlternating: true, startsWithUser: false),
        DialectRules(isAlternating: true, thoughtIssuer: "a", startsWithUser: true),
        DialectRules(isAlternating: false, thoughtIssuer: "b", startsWithUser: true),
    ]

    @Test(arguments: rules) func `has no empty part and no empty message`(_ rules: DialectRules) {
        forWindows { _, window, random in
            for message in window.outgoing(for: rules) {
                #expect(!message.parts.isEmpty && !message.parts.contains(.text("")), "\(random)")
            }
        }
    }

    @Test(arguments: rules) func `has each call answered right behind it, once, and nothing else answered`(
        _ rules: DialectRules
    ) {
        forWindows { _, window, random in
            let out = window.outgoing(for: rules)
            for (index, message) in out.enumerated() {
                let behind = index + 1 < out.count && out[index + 1].role == .tool ? out[index + 1].parts : []
                if message.role == .assistant {
                    #expect(results(behind) == calls(message.parts), "\(random)")
                }
                if message.role == .tool {
                    #expect(index > 0 && out[index - 1].role == .assistant, "\(random)")
                }
                #expect(
                    message.role == .tool
                        ? results(message.parts).count == message.parts.count
                        : results(message.parts).isEmpty, "\(random)")
                #expect(message.role == .assistant || calls(message.parts).isEmpty, "\(random)")
            }
        }
    }

    @Test(arguments: rules) func `invents no result for a call that has one in the window`(
        _ rules: DialectRules
    ) {
        forWindows { _, window, random in
            let here = Set(window.messages.filter { $0.role == .tool }.flatMap { results($0.parts) })
            let invented = window.outgoing(for: rules).flatMap(\.parts).compactMap { part -> String? in
                guard case .toolResult(let result) = part, result.text.hasPrefix("interrupted") else {
                    return nil
                }
                return result.callID
            }
            #expect(
                invented.allSatisfy {
                    $0 == "call_0" || !here.contains($0) || isBefore(its: $0, window.messages)
                }, "\(random)")
        }
    }

    /// Whether a result stands before its call, so that it answers nothing.
    private func isBefore(its id: String, _ messages: [Message]) -> Bool {
        let call = messages.firstIndex { $0.role == .assistant && calls($0.parts).contains(id) }
        let result = messages.lastIndex { $0.role == .tool && results($0.parts).contains(id) }
        return call.map { call in result.map { $0 < call } ?? true } ?? true
    }

    @Test(arguments: rules) func `has roles as its dialect demands`(_ rules: DialectRules) {
        forWindows { _, window, random in
            let out = window.outgoing(for: rules)
            if rules.isAlternating {
                for (a, b) in zip(out, out.dropFirst()) { #expect(a.role != b.role, "\(random)") }
            }
            if rules.startsWithUser {
                #expect(out.first { $0.role != .system }.map { $0.role == .user } ?? true, "\(random)")
            }
        }
    }

    @Test(arguments: rules) func `carries thoughts only to who made them`(_ rules: DialectRules) {
        forWindows { _, window, random in
            for part in window.outgoing(for: rules).flatMap(\.parts) {
                if case .thought(_, let issuer, _) = part {
                    #expect(rules.thoughtIssuer != nil && issuer == rules.thoughtIssuer, "\(random)")
                }
            }
        }
    }

    @Test(arguments: rules) func `costs no more than the receipt says`(_ rules: DialectRules) {
        forWindows { _, window, random in
            let gated = window.gated(for: rules)
            let system =
                TokenEstimate.perRequest
                + (gated.system.map { TokenEstimate.text($0) + TokenEstimate.perMessage } ?? 0)
            let cost = gated.messages.reduce(system) { $0 + TokenEstimate.message($1.parts) }
            // These windows are cut for a dialect that takes an answer at the beginning.
            let opening = gated.mapped.opened * TokenEstimate.message([.text(DialectRules.opening)])
            #expect(cost - opening <= window.receipt.estimate, "\(random)")
        }
    }
}
