internal import CLinux

/// What kind of thing a path names, and who may touch it.
package struct FileStatus: Sendable, Equatable {
    /// What the file system says that it is; `other` covers pipes and devices.
    package enum Kind: Sendable { case regular, directory, socket, symlink, other }
    package let kind: Kind
    /// The permission bits, without those of the type.
    package let mode: UInt32
    /// The user ID.
    package let owner: UInt32
    /// The group ID.
    package let group: UInt32
    /// In bytes.
    package let size: Int64
    /// Seconds since 1970.
    package let modified: Int64
    package let inode: UInt64
}

/// Files by path.
package enum Files {
    /// Looks at the path itself, or with `follows` at what a symlink names; nil when nothing is there.
    package static func status(_ path: String, follows: Bool = false) throws(PosixError) -> FileStatus? {
        var raw = stat()
        guard unsafe fstatat(AT_FDCWD, path, &raw, follows ? 0 : AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .last("fstatat", path)
        }
        let kind: FileStatus.Kind =
            switch clinux_file_type(raw.st_mode) {
            case 0o100000: .regular
            case 0o040000: .directory
            case 0o140000: .socket
            case 0o120000: .symlink
            default: .other
            }
        return FileStatus(
            kind: kind, mode: raw.st_mode & 0o7777, owner: raw.st_uid, group: raw.st_gid,
            size: Int64(raw.st_size),
            modified: Int64(raw.st_mtim.tv_sec), inode: UInt64(raw.st_ino))
    }

    /// Makes the directory and those above it, each with a mode whatever the mask; one that exists is left as it is.
    package static func makeDirectories(_ path: String, mode: UInt32 = 0o700) throws(PosixError) {
        if try status(path) != nil || path.isEmpty || path == "/" { return }
        try makeDirectories(directory(of: path), mode: mode)
        if unsafe mkdir(path, mode) == 0 {
            guard try status(path)?.mode != mode else { return }
            try setMode(mode, of: path)
        } else if errno != EEXIST {
            throw .last("mkdir", path)
        }
    }

    /// What a descriptor's file is called in `JOURNAL_STREAM` (systemd.exec(5)): its device and its inode.
    package static func stream(_ fd: Int32) -> String? {
        var raw = stat()
        return unsafe fstat(fd, &raw) == 0 ? "\(raw.st_dev):\(raw.st_ino)" : nil
    }

    /// Opens a file; created files have mode 0600.
    ///
    /// Opening never waits, and a terminal there never becomes this process's own.
    package static func open(_ path: String, _ access: Access) throws(PosixError) -> Descriptor {
        try opened(path, access, 0)
    }

    /// Opens a regular file; a FIFO, a terminal or any other thing at the path fails with `PosixError.notRegular`.
    package static func openRegular(_ path: String, _ access: Access) throws(PosixError) -> Descriptor {
        let file = try opened(path, access, 0)
        guard clinux_file_type(try status(of: file, path).st_mode) == 0o100000 else {
            throw PosixError("open", path, errno: PosixError.notRegular)
        }
        return file
    }

    /// Opens a file that this process keeps for itself, as a lock or a log: a regular one, under this name alone, of
    /// this user, and closed to others; anything else fails with `PosixError.notOwn`.
    package static func openOwn(_ path: String, _ access: Access) throws(PosixError) -> Descriptor {
        let file: Descriptor
        do { file = try opened(path, access, O_NOFOLLOW) } catch {
            guard error.errno == ELOOP else { throw error }
            throw PosixError("open", path, errno: PosixError.notOwn)
        }
        let status = try status(of: file, path)
        guard clinux_file_type(status.st_mode) == 0o100000 else {
            throw PosixError("open", path, errno: PosixError.notRegular)
        }
        guard status.st_uid == geteuid(), status.st_nlink <= 1 else {
            throw PosixError("open", path, errno: PosixError.notOwn)
        }
        if status.st_mode & 0o077 != 0 {
            guard fchmod(file.raw, 0o600) == 0 else { throw .last("fchmod", path) }
        }
        return file
    }

    /// Takes every right of others from a regular file of this user; returns the mode that it had, nil where nothing had to be
    /// done.
    package static func close(_ path: String) throws(PosixError) -> UInt32? {
        guard let before = try status(path), before.kind == .regular, before.owner == geteuid(),
            before.mode & 0o077 != 0
        else { return nil }
        try setMode(0o600, of: path)
        return before.mode
    }

    /// Sets the mode of what is at a path; a link there fails, and what it leads to is left as it is.
    static func setMode(_ mode: UInt32, of path: String) throws(PosixError) {
        guard unsafe fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw .last("chmod", path)
        }
    }

    private static func opened(_ path: String, _ access: Access, _ more: Int32) throws(PosixError)
        -> Descriptor
    {
        let fd = unsafe clinux_open(path, access.flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | more, 0o600)
        guard fd >= 0 else { throw .last("open", path) }
        return Descriptor(owning: fd)
    }

    private static func status(of file: borrowing Descriptor, _ path: String) throws(PosixError) -> stat {
        var raw = stat()
        guard unsafe fstat(file.raw, &raw) == 0 else { throw .last("fstat", path) }
        return raw
    }

    /// How `open` opens.
    package enum Access: Sendable {
        /// `replacing` empties what is there, `creatingNew` fails where something is.
        case reading, readingAndCreating, appending, replacing, creatingNew

        fileprivate var flags: Int32 {
            switch self {
            case .reading: O_RDONLY
            case .readingAndCreating: O_RDWR | O_CREAT
            case .appending: O_WRONLY | O_CREAT | O_APPEND
            case .replacing: O_WRONLY | O_CREAT | O_TRUNC
            case .creatingNew: O_WRONLY | O_CREAT | O_EXCL
            }
        }
    }

    /// Reads a whole regular file of at most `limit` bytes; a larger one fails with EFBIG.
    package static func read(_ path: String, limit: Int = 64 << 20) throws(PosixError) -> [UInt8] {
        let file = try openRegular(path, .reading)
        var bytes: [UInt8] = []
        while let n = try System.read(file.raw, into: &bytes, most: 64 << 10), n > 0 {
            if bytes.count > limit { throw PosixError("read", path, errno: EFBIG) }
        }
        return bytes
    }

    /// The name of what is written beside a file before it is renamed to it.
    package static func side(of path: String, _ end: String) -> String { "\(path).\(getpid()).\(end)" }

    /// Makes a new file: never one that somebody else has put under that name, nor what a link there leads to.
    package static func openNew(_ side: String) throws(PosixError) -> Descriptor {
        do throws(PosixError) { return try open(side, .creatingNew) } catch {
            // A process of this number that died may have left one.
            guard error.errno == EEXIST, let left = try status(side), left.kind == .regular,
                left.owner == geteuid()
            else { throw error }
            try remove(side)
            return try open(side, .creatingNew)
        }
    }

    /// Writes a file whole by way of a neighbour and a rename, so that no reader sees half of it.
    ///
    /// It is the caller's and 0600, or of the owner, group and mode of `old`, so that whoever reads that one reads it too.
    package static func replace(_ path: String, with bytes: [UInt8], like old: FileStatus? = nil)
        throws(PosixError)
    {
        let side = side(of: path, "new"), file = try openNew(side)
        do throws(PosixError) {
            if let old {
                guard fchown(file.raw, old.owner, old.group) == 0 else {
                    throw PosixError.last("fchown", side)
                }
                guard fchmod(file.raw, old.mode) == 0 else { throw PosixError.last("fchmod", side) }
            }
            var offset = 0
            while offset < bytes.count { offset += try System.write(file.raw, bytes, from: offset) ?? 0 }
            guard fsync(file.raw) == 0 else { throw PosixError.last("fsync", side) }
            try rename(side, to: path)
        } catch {
            _ = unsafe CLinux.unlink(side)
            throw error
        }
    }

    /// Gives an open file other rights.
    package static func setMode(_ file: borrowing Descriptor, _ mode: UInt32, path: String) throws(PosixError)
    {
        guard fchmod(file.raw, mode) == 0 else { throw .last("chmod", path) }
    }

    /// Gives a file another path in one step; what is there is replaced.
    package static func rename(_ path: String, to other: String) throws(PosixError) {
        guard unsafe CLinux.rename(path, other) == 0 else { throw .last("rename", path) }
    }

    /// Removes a file; one that is not there is fine.
    package static func remove(_ path: String) throws(PosixError) {
        guard unsafe unlink(path) == 0 || errno == ENOENT else { throw .last("unlink", path) }
    }

    /// Removes a directory in which nothing is; one that is not there is fine.
    package static func removeDirectory(_ path: String) throws(PosixError) {
        guard unsafe rmdir(path) == 0 || errno == ENOENT else { throw .last("rmdir", path) }
    }

    /// The names in a directory, in no order; one that is not there fails with ENOENT.
    package static func names(in path: String) throws(PosixError) -> [String] {
        guard let directory = unsafe opendir(path) else { throw .last("read", path) }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe clinux_name(entry).map { unsafe String(cString: $0) } ?? ""
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Whether this process may run the file.
    package static func isExecutable(_ path: String) -> Bool { may(X_OK, path) }

    /// The first program of that name in the directories of a `PATH`; one that is not absolute would mean another place
    /// wherever the process is.
    package static func program(_ name: String, path: String?) -> String? {
        (path ?? "").split(separator: ":").lazy.filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
            .first(where: isProgram)
    }

    /// Whether a file can be run; a directory may have the same bit.
    package static func isProgram(_ path: String) -> Bool {
        guard isExecutable(path), let status = try? status(path) else { return false }
        return status.kind != .directory
    }

    /// Whether this process may write to a file, or make files in a directory.
    package static func isWritable(_ path: String) -> Bool { may(W_OK, path) }

    private static func may(_ mode: Int32, _ path: String) -> Bool { unsafe access(path, mode) == 0 }

    /// Takes an exclusive advisory lock without waiting; EAGAIN means that another process has it.
    package static func lock(_ fd: Int32) throws(PosixError) {
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else { throw .last("flock") }
    }

    /// Puts `bytes` into a file in the place of what it held, in the blocks that it has: a full disk does no harm to
    /// a text that is no longer than the one before.
    package static func overwrite(_ file: borrowing Descriptor, with bytes: [UInt8]) throws(PosixError) {
        let wrote = unsafe bytes.withUnsafeBytes { unsafe pwrite(file.raw, $0.baseAddress, $0.count, 0) }
        guard wrote == bytes.count else { throw .last("pwrite") }
        guard ftruncate(file.raw, off_t(bytes.count)) == 0 else { throw .last("ftruncate") }
    }

    /// Writes what was written to the disk itself.
    package static func sync(_ path: String) throws(PosixError) {
        let file = try openRegular(path, .reading)
        guard fsync(file.raw) == 0 else { throw .last("fsync", path) }
    }

    /// Writes to the disk itself which names a file's directory has.
    package static func syncDirectory(of path: String) throws(PosixError) {
        let directory = try open(Files.directory(of: path), .reading)
        guard fsync(directory.raw) == 0 else { throw .last("fsync", Files.directory(of: path)) }
    }

    /// The nearest directory above a path that is there, and its owner; nil when none can be looked at.
    package static func nearestDirectory(of path: String) -> (path: String, owner: UInt32)? {
        var directory = directory(of: path)
        while true {
            if let status = try? status(directory, follows: true) { return (directory, status.owner) }
            if directory == "/" || directory == "." { return nil }
            directory = Files.directory(of: directory)
        }
    }

    /// The directory part, `.` when there is none.
    package static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The absolute form of a path, made from the working directory, without following links.
    package static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        return Process.workingDirectory + "/" + path
    }

    /// Bytes that this user may still write into the file system of a path; nil where that cannot be told.
    package static func freeBytes(_ path: String) -> Int64? {
        let count = unsafe clinux_free_bytes(path)
        return count < 0 ? nil : count
    }

    /// Keeps blocks of the disk for bytes that a file is going to have, also behind its end, which stays where it is.
    ///
    /// False where the file system has no such call (fallocate(2), EOPNOTSUPP).
    package static func keepBlocks(_ file: Int32, from: Int64, to: Int64) throws(PosixError) -> Bool {
        let error = clinux_keep_blocks(file, from, to)
        if error == EOPNOTSUPP || error == ENOSYS { return false }
        guard error == 0 else { throw PosixError("fallocate", errno: error) }
        return true
    }

    /// The kind of file system when it is one of those where SQLite's locks do not hold, else nil.
    package static func networkFileSystem(_ path: String) -> String? {
        networkFileSystem(kind: unsafe clinux_file_system(path))
    }

    /// Whether a directory lies in a memory file system (statfs(2): tmpfs, ramfs).
    package static func isInMemory(_ path: String) -> Bool {
        let kind = unsafe clinux_file_system(path)
        return kind == 0x0102_1994 || kind == 0x8584_58F6
    }

    /// The same by the number that the kernel gives a kind of file system (statfs(2)).
    package static func networkFileSystem(kind: UInt32) -> String? {
        switch kind {
        case 0x6969: "NFS"
        case 0xFF53_4D42, 0xFE53_4D42, 0x517B: "SMB"
        case 0x0102_1997: "9p"
        case 0x6573_5546: "FUSE"
        case 0x0BD0_0BD0: "Lustre"
        default: nil
        }
    }
}
