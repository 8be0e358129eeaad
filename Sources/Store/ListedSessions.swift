internal import Archive
internal import Conversation

/// Sessions as they were when a list read them last.
///
/// Whatever happens to a session moves it to the end of the order of changes, so one that stands where it stood is as it
/// was: a list need not read it again. What other programs write without moving it is seen once all this is forgotten.
struct ListedSessions {
    /// Sessions that are kept; past them all are forgotten.
    static let most = 1_000
    /// Nanoseconds after which all are forgotten.
    private static let age: UInt64 = 5_000_000_000

    private var records: [SessionRow: SessionRecord] = [:]
    private var began: UInt64 = 0

    /// Forgets what is too old to be shown.
    mutating func forgetOld(now: UInt64) {
        guard now &- began >= ListedSessions.age else { return }
        began = now
        records = [:]
    }

    /// A session that has its last change at a place in the order; nil where it must be read.
    func session(_ row: SessionRow, at activity: Int64) -> SessionRecord? {
        guard let known = records[row], known.session.activity == activity else { return nil }
        return known
    }

    /// Keeps one that was read as lists show it, unless nothing was said in it: its first words may move it nowhere.
    mutating func keep(_ record: SessionRecord) {
        if record.session.isEmpty { return }
        if records.count >= ListedSessions.most { records = [:] }
        records[record.row] = record
    }
}
