internal import Archive
internal import Conversation
internal import Protocol
internal import Upstream

extension TurnError {
    /// Why a turn fails, as its clients are told.
    init(_ error: WireError) { self.init(kind: error.kind.rawValue, message: error.message) }

    /// The same by an upstream; `retryAfter` is said only where no other try follows.
    init(_ failure: UpstreamFailure, retryAfter: Int? = nil) {
        self.init(kind: failure.kind.rawValue, message: failure.message, retryAfter: retryAfter)
    }
}

extension WireError {
    /// An upstream's failure as clients see it.
    init(_ failure: UpstreamFailure) {
        self.init(
            ErrorKind(rawValue: failure.kind.rawValue) ?? .internalError, failure.message,
            retryAfterMs: failure.retryAfter)
    }

    /// A store's failure as clients see it; the store's own words hold no content.
    init(_ error: ArchiveError) {
        switch error.code {
        case .memoryFull: self.init(.diskFull, "nothing was stored: \(error.reason)")
        case .full:
            self.init(
                .diskFull,
                "the disk is full, nothing was stored: \(error.description); free some space and try again")
        case .readOnly:
            self.init(
                .storeFailed,
                "the database cannot be written: \(error.description); check the file's rights and where it is mounted"
            )
        case .disk:
            self.init(
                .storeFailed,
                "the disk failed, nothing was stored: \(error.description); check it, and restore a backup if it is broken"
            )
        case .gone:
            self.init(
                .storeFailed,
                "nothing more is stored: \(error.description), while the daemon runs; put it back, or export what you need, which can still be read, and run 'convo restart'"
            )
        case .refused:
            let place = Int(error.doing) == nil ? error.doing : "record \(error.doing)"
            self.init(.invalidParams, "\(place): \(error.reason)")
        case .ambiguous(let owners):
            let users = owners.map { String($0.number) }.joined(separator: " and ")
            self.init(
                .invalidParams,
                "users \(users) each have a session of this ID; ask as the one that is meant, as with \"sudo -u '#\(owners.first.map { String($0.number) } ?? "UID")' convo …\""
            )
        case .corrupt: self.init(.storeFailed, "the store is damaged: \(error.description)")
        case .busy:
            self.init(
                .storeFailed,
                "another process holds the database: \(error.description); close it and try again")
        default:
            self.init(.storeFailed, "the store failed: \(error.description); run 'convo logs' to see more")
        }
    }
}
