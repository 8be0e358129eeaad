internal import Archive
internal import Conversation
internal import Store

/// Walks a user's sessions from the one that changed last, and sends to the trash what does not fit into so many bytes of
/// content: archived ones count as older than all others, and the first one always stays.
final class SizeKeeper {
    /// Sessions of one slice.
    private static let few = 100

    private let archives: Archives
    private let most: Int
    /// The tag that a session must have to go; nil for any or none.
    private let tag: String?
    private var owners: ArraySlice<UserID> = []
    private var find = FindSessions(owner: .all, limit: 0)
    private var bytes = 0
    private var seen = 0
    private var trashed = 0
    /// What of the slice does not fit.
    private var excess: [SessionRecord] = []
    private let trash: ([SessionRecord], _ then: @escaping (Int) -> Void) -> Void
    private let done: (_ trashed: Int) -> Void

    /// `most` is in bytes, for each user; `trash` moves sessions to the trash and says how many went, `done` gets how many
    /// that were, at the end or where something cannot be read.
    init(
        _ archives: Archives, most: Int, tag: String?,
        trash: @escaping ([SessionRecord], _ then: @escaping (Int) -> Void) -> Void,
        done: @escaping (_ trashed: Int) -> Void
    ) {
        self.trash = trash
        self.archives = archives
        self.most = most
        self.tag = tag
        self.done = done
    }

    func begin() {
        archives.readAway(Owners(), isShort: false) { [self] result in
            owners = ((try? result.get()) ?? [])[...]  // what cannot be read now is looked at in an hour
            nextOwner()
        }
    }

    private func nextOwner() {
        guard let owner = owners.popFirst() else { return done(trashed) }
        (bytes, seen) = (0, 0)
        find = FindSessions(owner: .user(owner), limit: SizeKeeper.few)
        slice()
    }

    private func slice() {
        archives.readAway(find, isShort: false) { [self] result in
            guard case .success(let output) = result else { return done(trashed) }
            weigh(output.sessions[...], next: output.next)
        }
    }

    /// Weighs sessions one after the other, as long as those before them leave room.
    private func weigh(_ sessions: ArraySlice<SessionRecord>, next: Int64?) {
        guard let record = sessions.first else { return goOn(next) }
        let rest = sessions.dropFirst()
        if bytes > most {
            add(record)
            return weigh(rest, next: next)
        }
        archives.readAway(CountPurge([record.row]), isShort: false) { [self] result in
            guard case .success(let sum) = result else { return done(trashed) }
            bytes += sum.bytes
            seen += 1
            if bytes > most && seen > 1 { add(record) }
            weigh(rest, next: next)
        }
    }

    /// Moves what does not fit, and takes the next slice behind that.
    private func goOn(_ next: Int64?) {
        let moved = excess
        excess = []
        trash(moved) { [self] count in
            trashed += count
            if next == nil && find.isArchived == true { return nextOwner() }
            find.after = next
            if next == nil { find.isArchived = true }
            slice()
        }
    }

    private func add(_ record: SessionRecord) {
        if let tag, !record.session.tags.contains(tag) { return }
        excess.append(record)
    }
}
