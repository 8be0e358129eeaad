internal import Crypto
internal import Posix

/// Where sessions in memory have their database: a file in a memory file system, which never reaches a disk.
enum MemoryFile {
    private static let shared = "/dev/shm"

    /// Directories of one's own in a memory file system that everybody may write to: where somebody put something at the first
    /// name there are others.
    private static func ownDirectories(_ root: String) -> [String] {
        let first = "convod-\(Process.userID)"
        // What cannot be listed has none beside the first.
        let others = ((try? Files.names(in: root)) ?? []).filter { $0.hasPrefix(first + "-") }.sorted()
        return ([first] + others).map { "\(root)/\($0)" }
    }

    private static func directories(_ root: String) -> [String] {
        ownDirectories(root)
            + [Process.environment["XDG_RUNTIME_DIR"].map { $0 + "/convod" }].compactMap(\.self)
    }

    /// Why there is no place.
    static let problem =
        "there is no memory file system for ephemeral sessions: neither /dev/shm nor XDG_RUNTIME_DIR can be used"

    private static func name(for database: String) -> String {
        SHA256Digest.of(Array(Files.absolute(database).utf8)).hexadecimal.prefix(16) + ".db"
    }

    /// Its path, one for each database; nil where there is no memory file system, or it is not safe to use.
    ///
    /// `root` is where everybody may write.
    static func path(for database: String, root: String = shared) -> String? {
        let random = Machine.random(8).map { String($0, radix: 16) }.joined()
        let fresh = "\(root)/convod-\(Process.userID)-\(random)"
        for directory in directories(root) + [fresh] {
            try? Files.makeDirectories(directory)
            if isSafe(directory) { return "\(directory)/\(name(for: database))" }
        }
        return nil
    }

    private static func isSafe(_ directory: String) -> Bool {
        guard Locations.isUsable(directory), let status = try? Files.status(directory) else { return false }
        return status.mode & 0o077 == 0 && Files.isInMemory(directory)
    }

    /// Holds what tells others that a daemon uses it, for as long as the descriptor is open.
    static func hold(_ path: String) throws(PosixError) -> Descriptor {
        // It is locked before it has its name: nobody ever sees it free.
        let side = Files.side(of: path + ".lock", "new"), file = try Files.openNew(side)
        try Files.lock(file.raw)
        try Files.rename(side, to: path + ".lock")
        return file
    }

    /// Removes it with what SQLite keeps beside it.
    static func remove(_ path: String) {
        for end in ["", "-wal", "-shm", ".lock"] { try? Files.remove(path + end) }
    }

    /// Removes what daemons that were killed left: of a database that nobody else has open now, and of all that nobody uses.
    static func sweep(for database: String, root: String = shared) {
        for directory in directories(root) where isSafe(directory) {
            remove("\(directory)/\(name(for: database))")
            for name in (try? Files.names(in: directory)) ?? [] where name.hasSuffix(".db.lock") {
                let path = "\(directory)/\(name)"
                removeUnheld(String(path.dropLast(".lock".count)))
            }
        }
    }

    /// Removes a file that nobody holds, while nobody can take it up.
    private static func removeUnheld(_ path: String) {
        let lock = path + ".lock"
        // What cannot be looked at stays; the lock that is held must be the one that is there.
        guard let file = try? Files.openRegular(lock, .reading), (try? Files.lock(file.raw)) != nil,
            let stream = Files.stream(file.raw), let place = (try? FilePlace.of(lock)) ?? nil,
            stream.hasSuffix(":\(place.inode)")
        else { return }
        remove(path)
    }
}
