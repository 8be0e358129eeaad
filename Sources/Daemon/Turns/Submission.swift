internal import Archive
internal import Conversation
internal import Crypto
internal import Protocol
internal import Sessions

/// What a prompt brings: a new message of the user, or with `prompt` nil only the wish to go on.
struct Submission {
    var session: SessionRecord
    var prompt: [UInt8]?
    var parts: [Part]?
    var turn: TurnRequest
    /// Where it goes on from: behind this seq, on a branch of its own; nil means the head.
    var base: Int?
    /// The message that a retry named.
    var about: MessageID?
    var asker: Asker
    /// Called once the prompt is stored or refused, so that requests behind it may look at the archive.
    var settled: () -> Void

    /// What tells the same prompt sent again from another one; nil without a request ID.
    var key: Ticket.Key? {
        turn.requestID.map {
            Ticket.Key(name: $0, hash: Submission.hash(parts, turn.options, about: about))
        }
    }

    /// Bytes that it holds while it waits.
    var bytes: Int { (prompt?.count ?? 0) + turn.options.heldBytes }

    func ticket(_ id: TurnID) -> Ticket {
        Ticket(
            id: id, key: key, bytes: bytes, ifBusy: turn.ifBusy, branches: base != nil,
            endsWithAskers: turn.options.onDisconnect == .cancel, askers: [asker])
    }

    /// Over what was decoded, so that another spelling of the same prompt is the same prompt.
    static func hash(_ parts: [Part]?, _ options: TurnOptions, about: MessageID? = nil) -> [UInt8] {
        SHA256Digest.of(
            (parts.map(Part.encode) ?? []) + [0] + (options.params ?? []) + (about?.bytes ?? []))
    }
}

extension TurnOptions {
    /// Bytes that they hold in memory until their turn has ended.
    var heldBytes: Int { (params?.count ?? 0) + (system?.utf8.count ?? 0) + (window?.count ?? 0) }
}
