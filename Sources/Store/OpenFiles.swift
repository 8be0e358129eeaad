internal import Archive
internal import Posix

/// The database's file and its WAL, as they were opened.
///
/// SQLite writes on into a file that was removed or moved, and nobody finds that again. So both names are looked at before
/// a durable commit, and behind every one, before its answers leave.
struct OpenFiles {
    private struct Name {
        let path: String
        /// What it led to first; nil until something was there.
        var place: FilePlace?
    }

    private var database: Name
    private var log: Name

    init(_ path: String) {
        database = Name(path: path)
        log = Name(path: path + "-wal")
    }

    /// What is wrong with the files; nil while both names lead to what they led to when it was seen first.
    mutating func look() -> ArchiveError? { OpenFiles.look(&database) ?? OpenFiles.look(&log) }

    /// Whether the database itself is where it was, so that its WAL can still be moved into it.
    mutating func hasDatabase() -> Bool { OpenFiles.look(&database) == nil }

    private static func look(_ name: inout Name) -> ArchiveError? {
        func gone(_ why: String) -> ArchiveError {
            ArchiveError(.gone, "look after '\(name.path)'", reason: why)
        }
        let now: FilePlace?
        do throws(PosixError) { now = try FilePlace.of(name.path) } catch { return gone(error.reason) }
        guard let before = name.place else {
            name.place = now
            return nil
        }
        if now == before { return nil }
        return gone(now == nil ? "it was removed or moved" : "another file is there now")
    }
}
