package import ContextWindow
package import Conversation
internal import Crypto
internal import JSON

/// Which thoughts may go back to a provider that binds each to all that stood before it, and to the thought before it
/// (wire-2.md A3, A7).
///
/// From the newest on: the newest that is bound to what is being built goes, then the one before which it was made if that is
/// bound so too, and so on. All others stay out, and what nothing is known of never goes.
enum ThoughtChain {
    /// Leaves out of a request what is off the chain, and says what its answer's thoughts will be bound to.
    static func bound(_ request: ModelRequest, _ bindings: [String: Message.Binding]) -> ModelRequest {
        var request = request
        request.messages = request.messages.map(\.withoutLastThoughts)
        request.messages.removeAll { $0.parts.isEmpty }
        let digests = digests(of: request)
        let kept = kept(request.messages, digests, bindings)
        var last: String?, first: String?
        for index in request.messages.indices {
            request.messages[index].parts.removeAll { part in
                guard part.isThought else { return false }
                guard let seal = part.seal, kept.contains(seal) else { return true }
                last = seal
                first = first ?? seal
                return false
            }
        }
        request.messages.removeAll { $0.parts.isEmpty }
        request.binding = Message.Binding(
            model: request.model, digest: digests.last ?? "", after: last, first: first)
        return request
    }

    /// The seals of those that go.
    private static func kept(
        _ messages: [OutgoingMessage], _ digests: [String], _ bindings: [String: Message.Binding]
    ) -> Set<String> {
        var kept: Set<String> = [], wanted: String?, firsts: Set<String> = []
        for (index, message) in messages.enumerated().reversed() {
            for seal in message.parts.reversed().compactMap(\.seal) {
                if !kept.isEmpty {
                    guard let wanted else { return kept }
                    if seal != wanted { continue }
                }
                guard let binding = bindings[seal], binding.digest == digests[index] else {
                    if kept.isEmpty { continue }
                    return kept
                }
                kept.insert(seal)
                wanted = binding.after
                if let first = binding.first { firsts.insert(first) }
                // What was left out when one of these was thought stays out.
                if firsts.contains(seal) { return kept }
            }
        }
        return kept
    }

    /// For each message the digest of all before it, and last that of all: tools, system prompt and messages as they are sent,
    /// without thoughts.
    private static func digests(of request: ModelRequest) -> [String] {
        var chain = SHA256Digest.of(
            JSONWriter.object {
                $0.optional("tools", raw: request.parameters.tools)
                $0.optional("system", request.system)
            })
        var all = [short(chain)]
        for message in request.messages {
            let said = message.parts.filter { !$0.isThought }
            // What has only thoughts is no message without them.
            if !said.isEmpty {
                var writer = JSONWriter()
                writer.array {
                    $0.string(message.role == .assistant ? "model" : "user")
                    $0.raw(Part.encode(said))
                }
                chain = SHA256Digest.of(chain + writer.bytes)
            }
            all.append(short(chain))
        }
        return all
    }

    private static func short(_ digest: [UInt8]) -> String { Array(digest.prefix(16)).hexadecimal }
}

extension OutgoingMessage {
    /// An answer without thoughts at its end, where an interruption may leave them: none may end in one.
    var withoutLastThoughts: OutgoingMessage {
        var message = self
        while message.role == .assistant, message.parts.last?.isThought ?? false {
            message.parts.removeLast()
        }
        return message
    }
}

extension ModelRequest {
    /// The request with those thoughts that its provider takes back, by what they are bound to.
    ///
    /// Where the thought of an open tool loop stays out the model is not to think at all (wire.md E6), nor where it never had one,
    /// as one that another provider's model began, and `refused` are ways of asking that are refused then.
    package func chained(_ bindings: [String: Message.Binding], refused: DialectRules.Thinking = [])
        -> ModelRequest
    {
        var request = thinking(asIn: ThoughtChain.bound(self, bindings))
        if let tokens = request.parameters.thinking, tokens != 0,
            refused.contains(tokens > 0 ? .budgeted : .free), request.hasThoughtlessLoop
        {
            request.parameters.thinking = nil
        }
        return request
    }

    /// Whether results of tools are at the end, with or without what the user says to them, and neither the first nor the last
    /// answer of their loop has a thought.
    private var hasThoughtlessLoop: Bool {
        let end = (messages.lastIndex { $0.role != .user } ?? -1) + 1
        guard end > 0, messages[end - 1].role == .tool else { return false }
        let begin = messages[..<end].lastIndex { $0.role == .user }.map { $0 + 1 } ?? 0
        let runs = messages[begin..<end].split { $0.role != .assistant }
        func thinks(_ run: ArraySlice<OutgoingMessage>) -> Bool {
            run.contains { $0.parts.contains(where: \.isThought) }
        }
        return !(runs.first.map(thinks) ?? false) && !(runs.last.map(thinks) ?? false)
    }

    /// Another one of the same messages, whose model is not to think where the thought of an open tool loop is gone.
    private func thinking(asIn other: ModelRequest) -> ModelRequest {
        var other = other
        if thinksInLoop, !other.thinksInLoop { other.parameters.thinking = nil }
        return other
    }

    /// The request with as many of its thoughts, the newest, as there is room for in tokens, with how much there is to read of those
    /// and how many stay out.
    ///
    /// The oldest of an unbroken run may stay out (wire-2.md A3), and then stay out. Where some must, the rest has a share of the room,
    /// so that for a while the requests behind this one begin as it does; an open tool loop keeps all of its own that fit.
    package func keepingThoughts(in room: Int, share: Double, _ weights: TokenWeights) -> (
        request: ModelRequest, size: ContentSize, leftOut: Int
    ) {
        let sizes = thoughtSizes(weights), costs = sizes.map { weights.tokens($0) }, room = max(0, room)
        if costs.reduce(0, +) <= room { return (self, sizes.reduce(ContentSize(), +), 0) }
        let most = Int(Double(room) * share), loop = costs.count - loopThoughts
        var left = costs.count, kept = 0
        while left > 0, kept + costs[left - 1] <= (left > loop ? room : most) {
            left -= 1
            kept += costs[left]
        }
        var request = self, index = 0
        for message in request.messages.indices {
            request.messages[message].parts.removeAll { part in
                guard part.isThought else { return false }
                index += 1
                return index <= left
            }
        }
        request.messages.removeAll { $0.parts.isEmpty }
        let first = request.messages.lazy.flatMap(\.parts).compactMap(\.seal).first
        request.binding = binding.map {
            Message.Binding(
                model: $0.model, digest: $0.digest, after: first == nil ? nil : $0.after, first: first)
        }
        return (thinking(asIn: request), sizes[left...].reduce(ContentSize(), +), left)
    }

    /// How many thoughts an open tool loop has; 0 where the user spoke last.
    private var loopThoughts: Int {
        guard messages.last?.role == .tool else { return 0 }
        let loop = messages.lastIndex { $0.role == .user }.map { messages[($0 + 1)...] } ?? messages[...]
        return loop.reduce(0) { $0 + $1.parts.count(where: \.isThought) }
    }

    /// Tokens of all its thoughts.
    package func thoughtTokens(_ weights: TokenWeights) -> Int {
        thoughtSizes(weights).reduce(0) { $0 + weights.tokens($1) }
    }

    /// How much there is to read of each of its thoughts, in their order.
    private func thoughtSizes(_ weights: TokenWeights) -> [ContentSize] {
        messages.lazy.flatMap(\.parts).filter(\.isThought).map { part in
            let size = TokenEstimate.size(of: part.visibleText), sums = weights.parts(size)
            // One that shows nothing was seen to cost about 100 (wire-2.md A5).
            return sums.plain + sums.wide < 100 ? ContentSize(tokens: 100) : size
        }
    }

    /// How many thoughts it carries.
    package var thoughtCount: Int {
        var count = 0
        for message in messages.indices {
            for part in messages[message].parts.indices where messages[message].parts[part].isThought {
                count += 1
            }
        }
        return count
    }

    /// The request without any thought, after its provider refused one; nil where it has none.
    ///
    /// Inside a tool loop some models demand the thought that is missing then, unless they are not to think at all
    /// (wire.md E6).
    package func withoutThoughts(after failure: UpstreamFailure) -> ModelRequest? {
        guard failure.parameter == Quirks.thoughts else { return nil }
        if messages.contains(where: { $0.parts.contains { $0.isThought || $0.anySeal != nil } }) {
            return thoughtless
        }
        // What it misses is a thought that nobody has.
        guard let tokens = parameters.thinking, tokens != 0, hasThoughtlessLoop else { return nil }
        var copy = self
        copy.parameters.thinking = nil
        return copy
    }

    /// The request without any thought, and without seals of calls.
    package var thoughtless: ModelRequest {
        var copy = ThoughtChain.bound(self, [:])
        for message in copy.messages.indices {
            copy.messages[message].parts = copy.messages[message].parts.compactMap(\.withoutSeal)
        }
        if copy.messages.last?.role == .tool { copy.parameters.thinking = nil }
        return copy
    }

    /// Whether the answer whose calls are being answered has a thought.
    fileprivate var thinksInLoop: Bool {
        messages.last?.role == .tool
            && messages.last { $0.role == .assistant }?.parts.contains(where: \.isThought) ?? false
    }
}
