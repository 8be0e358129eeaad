internal import Archive
internal import ContextWindow
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
    /// A path of a session, where a model refused media of it.
    private struct Path: Hashable {
        let branch: BranchRow
        let upstream: String
        let model: String
    }

    /// Up to which message a request was refused with media of the history, and taken without them.
    private var mediaRefused: [Path: Int] = [:]

    /// Up to which message of a session's path a model is sent no media any more; nobody knows which of them it does not take.
    func mediaRefused(of session: SessionRecord, _ upstream: String, _ model: String) -> Int? {
        mediaRefused[Path(branch: session.branch, upstream: upstream, model: model)]
    }

    func noteMediaRefused(through seq: Int, of session: SessionRecord, _ upstream: String, _ model: String) {
        if mediaRefused.count >= LastRequests.most { mediaRefused = [:] }
        mediaRefused[Path(branch: session.branch, upstream: upstream, model: model)] = seq
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
