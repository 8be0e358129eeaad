internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Store

/// Sends sessions on their way that were in the trash for long enough, and those into the trash that nobody touched for as long
/// as the configuration says, or that are more than it wants to keep; away from everything that anybody waits for.
final class TrashKeeper {
    /// Milliseconds from the start, and between two looks.
    private static let first = 500, pause = 3_600_000
    /// Sessions of one look.
    private static let few = 200

    private let archives: Archives
    private let purges: Purges
    private let configuration: CurrentConfiguration
    private let clocks: Clocks
    private let loop: EventLoop
    private let log: Log
    /// Whether a turn runs or waits on a session: it is left for another time.
    private let isUsed: (SessionRow) -> Bool
    /// Hears of each that is purged, once its ID is free.
    private let purged: (SessionRow, SessionID, UserID) -> Void
    /// What waits for the next look; nil while one goes on.
    private var timer: EventLoop.TimerID?
    /// What tells how old things are.
    private var time: CautiousTime
    /// The present look's time.
    private var now: Int64
    /// Whether what is kept was said otherwise while a look went on.
    private var looksAgain = false

    init(
        _ archives: Archives, _ purges: Purges, _ configuration: CurrentConfiguration, _ clocks: Clocks,
        _ loop: EventLoop, _ log: Log, isUsed: @escaping (SessionRow) -> Bool,
        purged: @escaping (SessionRow, SessionID, UserID) -> Void
    ) {
        self.isUsed = isUsed
        self.purged = purged
        self.archives = archives
        self.purges = purges
        self.configuration = configuration
        self.clocks = clocks
        now = clocks.now()
        time = CautiousTime(wall: now, steady: clocks.steady())
        self.loop = loop
        self.log = log
    }

    /// Keeps what is done to sessions by itself, as what the daemon's own user did.
    private func note(_ sessions: [String]) {
        for session in sessions {
            let entry = AuditEntry(
                at: clocks.now(), user: UserID(Process.userID), pid: Int(Process.id), method: "retention",
                session: session, outcome: "done")
            archives.write(NoteAudit(entry), isEphemeral: false) { _ in }
        }
    }

    func begin() { wait(TrashKeeper.first) }

    /// Looks soon where it waits for its next look: what is kept may be said otherwise now.
    func lookSoon() {
        guard let timer else {
            looksAgain = true
            return
        }
        loop.cancel(timer)
        wait(TrashKeeper.first)
    }

    private func wait(_ milliseconds: Int) {
        let wait = looksAgain ? TrashKeeper.first : milliseconds
        looksAgain = false
        timer = loop.after(milliseconds: wait) { [weak self] in
            self?.timer = nil
            self?.look()
        }
    }

    private func look() {
        let (time, ahead) = time.now(wall: clocks.now(), steady: clocks.steady())
        now = time
        if ahead > 0 {
            log.warning(
                "clock_leapt", ("seconds", "\(ahead / 1_000)"),
                ("what", "what is old is kept a day longer; see whether the machine's clock is right"))
        }
        emptyTrash()
    }

    private func emptyTrash() {
        let grace = configuration.value.retention.trash
        guard grace > 0 else { return trashOld() }
        let look = ExpiredTrash(before: now - Int64(grace), limit: TrashKeeper.few)
        archives.readAway(look, isShort: false) { [weak self] result in
            guard let self else { return }
            guard case .success(let rows) = result, !rows.isEmpty else { return trashOld() }
            purge(rows)
        }
    }

    private func purge(_ rows: [SessionRow]) {
        archives.readAway(SessionNames(rows), isShort: false) { [weak self] names in
            guard let self else { return }
            // Whose names cannot be read go all the same.
            let names = (try? names.get()) ?? [:]
            purges.purge(
                rows.map { ($0, nil) }, onlyTrashed: true, isPatient: true, archives,
                removed: { [purged] row in
                    if let name = names[row] { purged(row, name.id, name.owner) }
                }
            ) { [weak self] result in
                guard let self else { return }
                guard case .success(let sums) = result else { return wait(TrashKeeper.pause) }
                // What cannot be purged now keeps nothing else from its turn.
                if sums.isEmpty { return trashOld() }
                let sum = sums.values.reduce(PurgeSum(), +)
                note(rows.filter { sums[$0] != nil }.compactMap { names[$0]?.id.text })
                log.notice(
                    "trash_emptied", ("sessions", "\(sum.sessions)"), ("messages", "\(sum.messages)"))
                emptyTrash()
            }
        }
    }

    private func trashOld() {
        let rule = configuration.value.retention
        guard let age = rule.age else { return trashLarge() }
        var find = FindSessions(owner: .all, limit: TrashKeeper.few)
        find.until = now - Int64(age)
        find.tag = rule.tag
        find.isDescending = false
        find.includesEmpty = true
        trash(find, 0)
    }

    private func trash(_ find: FindSessions, _ count: Int) {
        archives.readAway(find, isShort: false) { [weak self] result in
            guard let self else { return }
            guard case .success(let output) = result else { return wait(TrashKeeper.pause) }
            trash(output.sessions) { [weak self] moved in
                guard let self else { return }
                let count = count + moved
                if let next = output.next {
                    var rest = find
                    rest.after = next
                    return trash(rest, count)
                }
                if count > 0 { log.notice("old_sessions_trashed", ("sessions", "\(count)")) }
                if find.isArchived == nil {
                    var archived = find
                    archived.after = nil
                    archived.isArchived = true
                    return trash(archived, 0)
                }
                trashLarge()
            }
        }
    }

    /// Moves some sessions to the trash, unless they are used or change meanwhile; `then` gets how many went.
    private func trash(_ sessions: [SessionRecord], _ then: @escaping (Int) -> Void) {
        let free = sessions.filter { !isUsed($0.row) }
        var left = free.count, moved = 0
        if left == 0 { return then(0) }
        for record in free {
            let id = record.session.id
            let write = TrashSession(
                id, owner: record.session.owner, unchangedSince: record.session.activity)
            archives.write(write, of: record.row) { [weak self] result in
                if case .success(true) = result {
                    self?.note([id.text])
                    moved += 1
                }
                left -= 1
                if left == 0 { then(moved) }
            }
        }
    }

    private func trashLarge() {
        let rule = configuration.value.retention
        guard let size = rule.size else { return wait(TrashKeeper.pause) }
        SizeKeeper(archives, most: size, tag: rule.tag) { [weak self] in
            if let self { trash($0, $1) } else { $1(0) }
        } done: { [weak self] trashed in
            guard let self else { return }
            if trashed > 0 { log.notice("sessions_over_size_trashed", ("sessions", "\(trashed)")) }
            wait(TrashKeeper.pause)
        }.begin()
    }
}
