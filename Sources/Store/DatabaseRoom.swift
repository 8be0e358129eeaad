internal import Archive
internal import Posix

/// Blocks of the disk that the database's file is going to need, kept before a commit is taken.
///
/// A commit goes to the log, and later its pages move into the file, which grows by them. Were there no room for that, the log
/// could never be moved, nothing could be deleted, and no daemon could start. So a disk that is full refuses the commit, and what
/// was taken always fits. Blocks behind the end of the file go when SQLite cuts it to its length behind a checkpoint
/// (wal.c, walCheckpoint), and are kept anew then.
struct DatabaseRoom: ~Copyable {
    /// Bytes that are kept beyond what is needed, where there are so many, and those that only what makes room may take.
    private static let slack: Int64 = 1 << 20, reserve: Int64 = 512 << 10

    private let path: String
    /// Never closed while a connection of this process has the file: that would let go of its locks
    /// (https://sqlite.org/howtocorrupt.html, section 2.2).
    private var file: Descriptor?
    private var kept: Int64 = 0
    /// Bytes of the file itself.
    private var size: Int64 = 0
    private var isSupported = true

    /// `path` is the database's.
    init(_ path: String) { self.path = path }

    /// Whether there is room for so many bytes and some more, without keeping any.
    func hasSlack(for bytes: Int64) -> Bool {
        !isSupported || bytes + DatabaseRoom.reserve + DatabaseRoom.slack / 2 <= kept
    }

    /// What is kept beyond what is needed: nothing of the last of a disk, which the log needs too.
    private var spare: Int64 { isShort ? 0 : DatabaseRoom.slack }

    /// Whether the disk has little left.
    var isShort: Bool { Files.freeBytes(path).map { $0 < 16 << 20 } ?? false }

    /// Sees to it that the file can have so many bytes; `isFreeing` says that what is done makes room.
    mutating func provide(_ bytes: Int64, isFreeing: Bool = false) throws(ArchiveError) {
        let end = isFreeing || bytes <= size ? bytes : bytes + DatabaseRoom.reserve
        guard isSupported, end > kept else { return }
        if keep(end + spare) || keep(end) { return }
        throw ArchiveError(.full, "commit", reason: "database or disk is full")
    }

    /// Keeps blocks up to an end; false where there are none.
    ///
    /// What cannot be told is not known to be too little.
    private mutating func keep(_ end: Int64) -> Bool {
        do throws(PosixError) {
            if file == nil { file = try Files.open(path, .appending) }
            guard let fd = file?.raw else { return true }
            isSupported = try Files.keepBlocks(fd, from: kept, to: end)
            kept = end
            return true
        } catch { return PosixError.meaning(of: error.errno) != .noRoom }
    }

    /// The log was moved as far as could be: what was kept behind the file's end may be gone, and is kept again.
    mutating func moved() {
        kept = 0
        // Where it cannot be told, more is kept than need be.
        size = (try? Files.status(path, follows: true))?.map { Int64($0.size) } ?? 0
        guard size > 0 else { return }
        _ = keep(size + DatabaseRoom.reserve + spare)
    }
}
