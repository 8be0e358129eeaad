internal import CLinux

/// Tells one state of a file from another: a file that was written or replaced has another stamp.
package struct FileStamp: Sendable, Equatable {
    /// When its bytes changed last: seconds since 1970, and nanoseconds of the next one.
    ///
    /// Kept apart, since files may be dated far past what 64 bits of nanoseconds hold.
    package let modified: Int64
    /// 0 to 999,999,999.
    package let modifiedNanoseconds: Int64
    /// In bytes.
    package let size: Int64
    package let inode: UInt64
    /// The number of the file system that the inode belongs to.
    package let device: UInt64
    /// The permission bits.
    package let mode: UInt32
    package let isRegular: Bool

    /// Looks at what the path leads to, through symlinks; nil when nothing is there.
    package static func of(_ path: String) throws(PosixError) -> FileStamp? {
        var raw = stat()
        guard unsafe stat(path, &raw) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .last("stat", path)
        }
        return FileStamp(
            modified: Int64(raw.st_mtim.tv_sec), modifiedNanoseconds: Int64(raw.st_mtim.tv_nsec),
            size: Int64(raw.st_size), inode: UInt64(raw.st_ino), device: UInt64(raw.st_dev),
            mode: raw.st_mode & 0o7777, isRegular: clinux_file_type(raw.st_mode) == 0o100000)
    }
}

/// What file a path leads to.
package struct FilePlace: Sendable, Equatable {
    /// The number of the file system: the major one in the upper half, the minor one in the lower.
    package let device: UInt64
    /// Unique on the device, as long as the file is there.
    package let inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    /// Looks at what the path leads to, through symlinks; nil when nothing is there.
    ///
    /// Cheap also for a file that is written to all the time.
    package static func of(_ path: String) throws(PosixError) -> FilePlace? {
        let found = unsafe clinux_place_of(path)
        if found.error == ENOENT || found.error == ENOTDIR { return nil }
        guard found.error == 0 else { throw PosixError("statx", path, errno: found.error) }
        return FilePlace(device: found.device, inode: found.inode)
    }
}

extension Files {
    /// The path with all its symlinks followed, so that a rename replaces the file and not a link to it.
    package static func resolved(_ path: String) throws(PosixError) -> String {
        guard let text = unsafe realpath(path, nil) else { throw .last("realpath", path) }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
    }
}
