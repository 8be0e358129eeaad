/// Who holds a flock(2) on a file, as the kernel tells it (proc(5), `/proc/locks`).
package enum FileLocks {
    /// The process that holds an exclusive lock on the file at a path; nil when none does that can be seen from here.
    package static func holder(of path: String) -> Int32? {
        guard isLocked(path), let place = try? FilePlace.of(path), let bytes = try? Files.read("/proc/locks")
        else {
            return nil
        }
        return holder(of: place, in: String(decoding: bytes, as: UTF8.self))
    }

    /// Whether somebody has a lock on the file, found out by taking it for a moment; no where it cannot be opened.
    ///
    /// Who takes it in that moment would be refused, and must try again.
    package static func isLocked(_ path: String) -> Bool {
        guard let file = try? Files.openRegular(path, .reading) else { return false }
        do { try Files.lock(file.raw) } catch { return error.isAgain }
        return false
    }

    /// The same in the text of `/proc/locks`, a lock a line: `1: FLOCK ADVISORY WRITE 31006 fe:00:16220200 0 EOF`.
    ///
    /// Some file systems show another device there than stat(2) does, so one with the right device is only preferred.
    package static func holder(of place: FilePlace, in text: String) -> Int32? {
        var found: Int32?
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 6, words[1] == "FLOCK", words[3] == "WRITE", let pid = Int32(words[4]),
                pid > 0
            else { continue }
            let names = words[5].split(separator: ":")
            guard names.count == 3, UInt64(names[2]) == place.inode else { continue }
            let device = UInt64(names[0], radix: 16).flatMap { major in
                UInt64(names[1], radix: 16).map { major << 32 | $0 }
            }
            if device == place.device { return pid }
            found = found ?? pid
        }
        return found
    }
}
