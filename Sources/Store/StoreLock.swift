internal import Posix

/// The lock file beside the database, held for the daemon's life: one daemon a database.
package struct StoreLock: ~Copyable, Sendable {
    private let file: Descriptor

    /// Where the lock of a database lies.
    package static func path(ofDatabase path: String) -> String { path + ".lock" }

    /// Takes the lock and writes who has it, or says who does.
    package init(database: String, socket: String) throws(StoreError) {
        let path = StoreLock.path(ofDatabase: database)
        let file: Descriptor
        do { file = try StoreLock.take(path, for: "\(Process.id)\n\(socket)\n") } catch {
            guard error.isAgain else {
                throw StoreError(.readOnly, "lock database '\(database)'", reason: error.description)
            }
            let owner = StoreLock.owner(ofDatabase: database)
            let who = owner.map { "process \($0.pid), socket '\($0.socket)'" } ?? "another process"
            throw StoreError(
                .locked(by: who), "lock database '\(database)'",
                reason:
                    "\(who) has it open; use that daemon, stop it with 'convo stop', or give another --database"
            )
        }
        self.file = file
    }

    /// Locks the file and writes `text` into it; EAGAIN means that someone else has it.
    private static func take(_ path: String, for text: String) throws(PosixError) -> Descriptor {
        let file = try Files.openOwn(path, .readingAndCreating)
        var patience = 5
        while true {
            do throws(PosixError) {
                try Files.lock(file.raw)
                break
            } catch {
                // Somebody may only be looking whether the lock is free.
                patience -= 1
                guard error.isAgain, patience > 0 else { throw error }
                _ = try System.wait(readable: [], milliseconds: 10)
            }
        }
        do { try Files.overwrite(file, with: Array(text.utf8)) } catch {
            // The lock holds whatever the file says; on a full disk what is stored must stay readable.
            guard PosixError.meaning(of: error.errno) == .noRoom else { throw error }
        }
        return file
    }

    /// Who holds the lock of a database by what its lock file says; nil when it says nothing.
    package static func owner(ofDatabase database: String) -> (pid: Int32, socket: String)? {
        guard let bytes = try? Files.read(path(ofDatabase: database), limit: 8192) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.count >= 2, let pid = Int32(lines[0]) else { return nil }
        return (pid, String(lines[1]))
    }
}
