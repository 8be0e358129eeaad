package import Archive
internal import Posix

/// The lock of a database, held for the daemon's life: one daemon a database.
///
/// It lies on a file beside the database, which says who has it, and on the database itself, so that it holds where the
/// file beside it was removed.
package struct StoreLock: ~Copyable, Sendable {
    private let path: String
    private let text: String
    private var file: Descriptor
    /// What the path led to when the file was locked.
    private var place: FilePlace?
    /// Opened before SQLite opens the database and closed behind it: closing any descriptor of a file drops the locks that
    /// SQLite has on it (fcntl(2)).
    ///
    /// nil where flock is made of those locks, as on NFS.
    private let database: Descriptor?

    /// Where the lock of a database lies.
    package static func path(ofDatabase path: String) -> String { path + ".lock" }

    /// Takes the lock and writes who has it, or says who does.
    ///
    /// Call it before the database is opened, and keep it until that is closed.
    package init(database: String, socket: String) throws(ArchiveError) {
        path = StoreLock.path(ofDatabase: database)
        text = LockOwner(pid: Process.id, socket: socket).text
        let file: Descriptor
        do { file = try StoreLock.take(path, for: text) } catch {
            throw StoreLock.refused(database, error, LockOwner(file: path))
        }
        let itself: Descriptor?
        do { itself = try StoreLock.lockItself(database) } catch {
            let owner = FileLocks.holder(of: database).map { LockOwner(pid: $0, socket: "") }
            throw StoreLock.refused(database, error, owner)
        }
        self.file = consume file
        self.database = consume itself
        place = (try? FilePlace.of(path)) ?? nil
    }

    /// Makes the file anew where it was removed or replaced, and says whether it was.
    package mutating func renew() throws(ArchiveError) -> Bool {
        do throws(PosixError) {
            let there = try FilePlace.of(path)
            if there != nil && there == place { return false }
            file = try StoreLock.take(path, for: text)
            place = try FilePlace.of(path)
            return true
        } catch {
            throw ArchiveError(.readOnly, "make the lock '\(path)' anew", reason: error.reason)
        }
    }

    private static func refused(
        _ database: String, _ error: PosixError, _ owner: LockOwner?
    ) -> ArchiveError {
        guard error.isAgain else {
            return ArchiveError(.readOnly, "lock database '\(database)'", reason: error.description)
        }
        let place = owner.map { $0.socket.isEmpty ? "" : ", socket '\($0.socket)'" } ?? ""
        let who = owner.map { "process \($0.pid)\(place)" } ?? "another process"
        return ArchiveError(
            .locked(by: who), "lock database '\(database)'",
            reason:
                "\(who) has it open; use that daemon, stop it with 'convo stop', or give another --database")
    }

    /// Locks the database's file; nil where that is not possible or would not hold.
    private static func lockItself(_ database: String) throws(PosixError) -> Descriptor? {
        guard Files.networkFileSystem(Files.directory(of: database)) == nil else { return nil }
        let file: Descriptor
        // What cannot be opened SQLite will say better.
        do { file = try Files.openRegular(database, .readingAndCreating) } catch { return nil }
        try lock(file)
        return file
    }

    /// Locks the file and writes `text` into it; EAGAIN means that someone else has it.
    private static func take(_ path: String, for text: String) throws(PosixError) -> Descriptor {
        let file = try Files.openOwn(path, .readingAndCreating)
        try lock(file)
        do { try Files.overwrite(file, with: Array(text.utf8)) } catch {
            // The lock holds whatever the file says; on a full disk what is stored must stay readable.
            guard PosixError.meaning(of: error.errno) == .noRoom else { throw error }
        }
        return file
    }

    private static func lock(_ file: borrowing Descriptor) throws(PosixError) {
        var patience = 5
        while true {
            do throws(PosixError) { return try Files.lock(file.raw) } catch {
                // Somebody may only be looking whether the lock is free.
                patience -= 1
                guard error.isAgain, patience > 0 else { throw error }
                _ = try System.wait(readable: [], milliseconds: 10)
            }
        }
    }
}
