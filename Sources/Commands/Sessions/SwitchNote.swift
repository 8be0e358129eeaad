internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol

/// What a session loses when another model is asked: what the provider has in its cache, and thoughts that go back to who made
/// them alone.
struct SwitchNote {
    /// One line for a person; nil where nothing is lost, or nobody can tell.
    let words: String?

    /// Looks before the switch is made; `model` and `upstream` are what it goes to, nil what stays.
    init(_ client: Client, _ session: String, model: String?, upstream: String?) throws(CommandError) {
        let turns = try client.ask(Method.TurnList.self) {
            $0.member("sessionId", session)
            $0.member("limit", 1)
        }.turns
        guard let last = turns.first, let asked = last.model,
            model.map({ $0 != asked }) ?? false || upstream.map({ $0 != last.upstream }) ?? false
        else {
            words = nil
            return
        }
        let next: NextWindow
        do throws(CommandError) {
            next = try NextWindow(of: session, model: model, upstream: upstream, client)
        } catch {
            // Whether it fits there is told when it is asked.
            words = nil
            return
        }
        let receipt = try client.ask(Method.ContextReceipt.self) { $0.member("turnId", last.turnId) }
        let cost = next.cost.map { ", about \(Money.text($0.input))" } ?? ""
        var text = "its next prompt reads about \(Times.number(next.receipt.estimate)) tokens anew\(cost)"
        if let sent = receipt.receipt?.value?.thoughts?.sent, sent > 0 {
            text += "; \(Times.count(sent, "thought")) of \(asked) may stay out"
        }
        words = text
    }
}
