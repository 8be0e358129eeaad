internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Store
internal import Upstream

/// What a prompt, or a request to look at one, asks the window for.
struct WindowRequest {
    var options: TurnOptions
    /// The proposed prompt's parts; nil goes on from the head.
    var prompt: [Part]?
    /// The prompt's raw JSON.
    var content: [UInt8]?
    /// Tokens that the request may have at most, after a provider said that it was too long.
    var limit: Int?
}

/// A window with what it was made for.
struct MadeWindow {
    let window: Window
    var request: ModelRequest
    /// The receipt as raw JSON.
    let receipt: [UInt8]
}

/// Reads as much of a session as a window needs, and cuts it.
struct WindowMaker {
    let services: Services

    /// The window for a candidate, or one error that says what does not fit.
    func make(_ session: SessionRecord, _ asked: WindowRequest, _ candidate: Candidate) throws(WireError)
        -> MadeWindow
    {
        let parameters = try modelParameters(asked.options)
        var policy = try policy(session.session, asked.options)
        if let most = parameters.maxTokens { policy.reserveTokens = most }
        let length = candidate.upstream.contextLength(of: candidate.model)
        if let length, policy.reserveTokens >= length, parameters.maxTokens == nil,
            policy.reserveTokens == services.configuration.window.reserveTokens
        {
            policy.reserveTokens = length / 4  // nobody chose it for so small a window
        }
        if let length, policy.reserveTokens >= length {
            throw .invalid(
                "\(policy.reserveTokens) tokens are reserved for the answer, but model '\(candidate.model.prefix(80))' holds \(length) in all; reserve less"
            )
        }
        let calibration = services.calibrations.of(candidate.upstream.name, candidate.model)
        let budget = min(policy.budget(contextLength: length, calibration), asked.limit ?? Int.max)
        let (history, before) = try history(session, asked, policy, budget)
        let window: Window
        do throws(WindowError) {
            window = try Window.cut(history, system: session.session.system, policy: policy, budget: budget)
        } catch {
            throw WireError(
                .contextOverflow, error.sentence,
                details: [
                    "needed": Array(String(error.needed).utf8), "budget": Array(String(error.budget).utf8),
                ])
        }
        let request = ModelRequest(
            model: candidate.model, system: session.session.system,
            messages: window.outgoing(for: candidate.upstream.rules),
            parameters: parameters, estimate: window.receipt.estimate, userMessageCount: history.count,
            previousUserText: before)
        var writer = JSONWriter()
        window.receipt.write(to: &writer)
        return MadeWindow(window: window, request: request, receipt: writer.bytes)
    }

    /// The configuration's policy with what the session and the request change.
    func policy(_ session: Session, _ options: TurnOptions) throws(WireError) -> WindowPolicy {
        var policy = services.configuration.window
        for raw in [session.settings.window, options.window] {
            guard let raw, let view = try? JSONDocument(raw).root else { continue }
            do { policy = try policy.overridden(by: view) } catch { throw .invalid(error.reason) }
        }
        return policy
    }

    private func modelParameters(_ options: TurnOptions) throws(WireError) -> ModelParameters {
        guard let raw = options.params, let view = try? JSONDocument(raw).root else {
            return ModelParameters()
        }
        return ModelParameters(view)
    }

    /// The newest part of the history with the prompt behind it, and what the user said before.
    private func history(
        _ session: SessionRecord, _ asked: WindowRequest, _ policy: WindowPolicy, _ budget: Int
    ) throws(WireError) -> (History, String?) {
        var messages: [Message], pins: [Message] = [], excluded = 0
        do throws(StoreError) {
            let reader = services.store(of: session.row).reader
            messages = try reader.newest(
                session, tokens: budget, turns: policy.maxTurns, messages: policy.maxMessages)
            if let first = messages.first, first.seq > 1 {
                pins = try reader.pins(session, below: first.seq)
                excluded = try reader.excludedCount(session, below: first.seq)
            }
        } catch { throw WireError(error) }
        // A prompt that is stored already is not what was said before it.
        let isStored = asked.prompt == nil && messages.last?.role == .user
        let before = (isStored ? messages.dropLast() : messages[...]).last {
            $0.role == .user && $0.isSendable
        }?.parts.first?.visibleText
        var count = session.session.messageCount, tokens = session.session.tokens
        if let parts = asked.prompt, let content = asked.content {
            let cost = TokenEstimate.message(parts)
            count += 1
            tokens += cost
            messages.append(
                Message(
                    id: MessageID(high: 0, low: 0), seq: count, role: .user, createdAt: services.clock(),
                    tokens: cost, content: content))
        }
        return (
            History(
                messages: messages, olderPins: pins, olderExcluded: excluded, count: count, tokens: tokens),
            before
        )
    }
}
