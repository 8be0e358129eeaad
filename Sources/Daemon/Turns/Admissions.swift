internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol

/// Who of the users may begin a turn: as many run as the process has descriptors for, and their requests take no more memory
/// than clients may, a user's no more than half of the turns and a user's share of the memory.
///
/// Those that find no room wait in their sessions' queues, where their words are in the archive.
final class Admissions {
    /// Copies of a request that are in memory until its answer begins, about: its words, and the body that goes out.
    private static let copies = 2

    /// What a turn takes for as long as somebody holds it.
    final class Share {
        fileprivate let user: UserID
        fileprivate var bytes: Int
        private weak var keeper: Admissions?

        fileprivate init(_ user: UserID, bytes: Int, _ keeper: Admissions) {
            self.user = user
            self.bytes = bytes
            self.keeper = keeper
        }

        /// Its request has so many bytes, by what is known now; 0 once its answer has begun.
        func set(bytes: Int) { keeper?.change(self, to: bytes * Admissions.copies) }

        deinit { keeper?.release(self) }
    }

    private struct Sum {
        var turns = 0
        var bytes = 0
    }

    private let loop: EventLoop
    private let limits: () -> Limits
    /// Turns that run at one time.
    private let mostTurns: Int
    private var all = Sum()
    private var users: [UserID: Sum] = [:]
    private var waiting: [UserID: Fifo<() -> Bool>] = [:]
    private var isWaking = false

    init(_ loop: EventLoop, mostTurns: Int, limits: @escaping () -> Limits) {
        self.loop = loop
        self.limits = limits
        self.mostTurns = mostTurns
    }

    /// Takes a share for a turn of a user, with a request of so many bytes; nil where there is no room.
    ///
    /// Whoever has nothing under way gets one, so that the largest prompt there may be is answered.
    func share(_ user: UserID, bytes: Int) -> Share? {
        let bytes = bytes * Admissions.copies, own = users[user] ?? Sum(), limits = limits()
        guard all.turns < mostTurns, own.turns < max(1, mostTurns / 2) else { return nil }
        let fits = own.bytes + bytes <= limits.userBuffers && all.bytes + bytes <= limits.buffers
        guard fits || own.turns == 0 else { return nil }
        all.turns += 1
        users[user, default: Sum()].turns += 1
        let share = Share(user, bytes: 0, self)
        change(share, to: bytes)
        return share
    }

    /// Calls back once a user's turn may have room again; what is called says whether somebody waited still.
    func whenRoom(_ user: UserID, _ then: @escaping () -> Bool) {
        waiting[user, default: Fifo()].append(then)
    }

    private func change(_ share: Share, to bytes: Int) {
        let more = bytes - share.bytes
        share.bytes = bytes
        all.bytes += more
        users[share.user]?.bytes += more
        if more < 0 { wake() }
    }

    private func release(_ share: Share) {
        all.turns -= 1
        all.bytes -= share.bytes
        if var own = users[share.user] {
            own.turns -= 1
            own.bytes -= share.bytes
            users[share.user] = own.turns > 0 ? own : nil
        }
        wake()
    }

    /// Lets one of each user that waits look again; each that then takes a share and gives it back wakes the next.
    private func wake() {
        if isWaking || waiting.isEmpty { return }
        isWaking = true
        loop.after(milliseconds: 0) { [weak self] in
            guard let self else { return }
            isWaking = false
            for user in Array(waiting.keys) {
                while let next = waiting[user]?.popFirst(), !next() {}
                if waiting[user]?.isEmpty ?? true { waiting[user] = nil }
            }
        }
    }
}
