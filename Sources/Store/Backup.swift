package import Archive
internal import Posix

extension BackUp: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) { writer.beginBackup(to: path) }
}

/// The copy that is being made, and those that wait.
struct BackupLine {
    private var current: Backup?
    private var waiting: [String] = []
    /// Copies that came to an end since somebody was told, with their bytes.
    private var ended: [(path: String, result: Result<Int, ArchiveError>)] = []

    /// Whether there is something to copy.
    var isWanted: Bool { current != nil || !waiting.isEmpty }

    mutating func add(_ path: String) { waiting.append(path) }

    /// Copies until `deadline` (nanoseconds) has passed; what goes wrong ends one copy alone.
    mutating func step(of database: Database, until deadline: UInt64) {
        guard let path = current?.path ?? waiting.first else { return }
        do throws(ArchiveError) {
            if current == nil {
                waiting.removeFirst()
                current = try Backup(of: database, to: path)
            }
            guard try current?.step(until: deadline) ?? false else { return }
            let size = try? Files.status(path)?.size  // it was there a moment ago
            ended.append((path, .success(Int(size ?? 0))))
        } catch {
            current?.abandon()
            ended.append((path, .failure(error)))
        }
        current = nil
    }

    /// The copy that is being made begins anew: what was taken of pages before may hold what is in none any more.
    mutating func beginAnew() {
        guard let unfinished = current else { return }
        unfinished.abandon()
        waiting.insert(unfinished.path, at: 0)
        current = nil
    }

    /// Copies that came to an end since this was asked last.
    mutating func takeEnded() -> [(path: String, result: Result<Int, ArchiveError>)] {
        defer { ended = [] }
        return ended
    }

    func abandon() { current?.abandon() }
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
