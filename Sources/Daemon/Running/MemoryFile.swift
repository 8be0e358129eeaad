internal import Crypto
internal import Posix

/// Where sessions in memory have their database: a file in a memory file system, which never reaches a disk.
enum MemoryFile {
    /// Directories of one's own: anybody may write to /dev/shm, and put something there first.
    private static var directories: [String] {
        [
            "/dev/shm/convod-\(Process.userID)",
            Process.environment["XDG_RUNTIME_DIR"].map { $0 + "/convod" },
        ].compactMap(\.self)
    }

    /// Why none of them can be used.
    static var problem: String {
        for directory in directories {
            // What cannot be looked at belongs to nobody that could be named.
            guard let status = (try? Files.status(directory)) ?? nil, status.owner != Process.userID else {
                continue
            }
            let owner = Process.userName(status.owner).map { "'\($0)'" } ?? "\(status.owner)"
            return
                "sessions in memory have no place: '\(directory)' belongs to user \(owner); an administrator can take it away"
        }
        return
            "there is no memory file system for ephemeral sessions: neither /dev/shm nor XDG_RUNTIME_DIR can be used"
    }

    /// Its path, one for each database; nil where there is no memory file system, or it is not safe to use.
    static func path(for database: String) -> String? {
        let name = SHA256Digest.of(Array(Files.absolute(database).utf8)).hexadecimal.prefix(16)
        for directory in directories {
            try? Files.makeDirectories(directory)
            guard Locations.isUsable(directory), let status = try? Files.status(directory),
                status.mode & 0o077 == 0
            else { continue }
            return "\(directory)/\(name).db"
        }
        return nil
    }

    /// Removes it with what SQLite keeps beside it.
    static func remove(_ path: String) {
        for end in ["", "-wal", "-shm"] { try? Files.remove(path + end) }
    }
}
