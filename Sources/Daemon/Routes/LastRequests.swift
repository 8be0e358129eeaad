internal import Archive
internal import ContextWindow
internal import Conversation
internal import Upstream

/// What went out last for a session to an upstream and model: when, and how its body began.
///
/// It is gone with the daemon; then nobody can tell.
final class LastRequests {
    /// Sessions with their models that are remembered at most; then all are forgotten.
    private static let most = 2_000

    /// A request.
    struct Sent {
        /// Milliseconds since 1970 UTC.
        let at: Int64
        let print: BodyPrint
        /// The provider's ID of the answer; nil where it gave none.
        let responseID: String?
        /// Where its newest messages began; nil where it had none.
        var begin: Int?
        /// What became of the thoughts of its messages; nil where there were none.
        var thoughts: Receipt.Thoughts?
        /// What the server counted of it; nil where it did not say.
        var counted: CountedRequest?
    }

    private struct Key: Hashable {
        let session: SessionRow
        let upstream: String
        let model: String
    }

    private var known: [Key: Sent] = [:]
    /// Messages with media with which a request was refused, and without those taken.
    private var mediaRefused: [Key: Set<MessageID>] = [:]

    /// The messages of a session of which a model is sent no media any more; nobody knows which of them it does not take.
    func mediaRefused(of session: SessionRow, _ upstream: String, _ model: String) -> Set<MessageID> {
        mediaRefused[Key(session: session, upstream: upstream, model: model)] ?? []
    }

    func noteMediaRefused(
        _ messages: Set<MessageID>, of session: SessionRow, _ upstream: String, _ model: String
    ) {
        if mediaRefused.count >= LastRequests.most { mediaRefused = [:] }
        mediaRefused[Key(session: session, upstream: upstream, model: model), default: []].formUnion(messages)
    }

    /// The last one; nil where none is known.
    func last(of session: SessionRow, _ upstream: String, _ model: String) -> Sent? {
        known[Key(session: session, upstream: upstream, model: model)]
    }

    /// Remembers one, and gives how many bytes it begins with as the one before did; nil where none is known.
    func take(_ sent: Sent, of session: SessionRow, _ upstream: String, _ model: String) -> Int? {
        let key = Key(session: session, upstream: upstream, model: model)
        if known.count >= LastRequests.most, known[key] == nil { known = [:] }
        return known.updateValue(sent, forKey: key).map { sent.print.shared(with: $0.print) }
    }
}
