package import Archive
internal import Posix

extension BackUp: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) { writer.beginBackup(to: path) }
}

/// A copy that is being made of the database, some pages at a time between commits.
///
/// It is made by the connection that writes, so that what is written meanwhile is in it too, and none of it begins anew.
final class Backup {
    /// Pages of one step.
    private static let few: Int32 = 64

    let path: String
    private let side: String
    private let copy: Database
    private let copying: DatabaseCopy

    init(of database: Database, to path: String) throws(ArchiveError) {
        self.path = path
        side = path + ".part"
        let isTaken: Bool
        do throws(PosixError) {
            isTaken = try Files.status(path) != nil
            if !isTaken {
                try Files.remove(side)
                _ = try Files.openOwn(side, .creatingNew)
            }
        } catch {
            throw ArchiveError(.readOnly, "back up to '\(path)'", reason: error.reason)
        }
        if isTaken {
            throw ArchiveError(
                .readOnly, "back up to '\(path)'", reason: "there is something at this path already")
        }
        copy = try Database(path: side, .writing)
        copying = try DatabaseCopy(from: database, to: copy)
    }

    /// Copies until `deadline` (nanoseconds) has passed; true when all of it is there.
    func step(until deadline: UInt64) throws(ArchiveError) -> Bool {
        repeat {
            if try copying.step(pages: Backup.few) {
                try finish()
                return true
            }
        } while Machine.monotonic() < deadline
        return false
    }

    private func finish() throws(ArchiveError) {
        copying.finish()
        copy.close()
        do throws(PosixError) {
            try Files.sync(side)
            try Files.rename(side, to: path)
            try Files.syncDirectory(of: path)
        } catch { throw ArchiveError(.disk, "back up to '\(path)'", reason: error.reason) }
    }

    /// Takes away what there is of it.
    func abandon() {
        copying.finish()
        copy.close()
        // Nothing more can be done about one that stays.
        for end in ["", "-journal", "-wal", "-shm"] { try? Files.remove(side + end) }
    }
}
