internal import Posix

/// The socket's file: made with its mode from the first moment, a stale one replaced, another's never touched.
struct Listener: ~Copyable {
    let socket: Descriptor
    private let path: String
    /// Held for life, so that two daemons never take the same stale socket for their own.
    private let lock: Descriptor?
    private let inode: UInt64?
    /// Whether it came from a service manager, whose affair its file is.
    let isActivated: Bool

    /// Takes a socket that systemd made; its file is systemd's and stays.
    ///
    /// Throws `PosixError.notListening` for anything but a Unix stream socket that listens: peers have no names elsewhere.
    init(activated fd: Int32) throws(PosixError) {
        let checked = try Listener.checked(fd)
        try checked.setCloseOnExec()
        try checked.setNonBlocking()
        let bound = UnixSocket.path(of: fd) ?? ""
        inode = bound.isEmpty ? nil : (try? Files.status(bound))?.inode
        // What cannot be seen from here cannot be seen to go.
        path = inode == nil ? "" : bound
        socket = checked
        lock = nil
        isActivated = true
    }

    private static func checked(_ fd: Int32) throws(PosixError) -> Descriptor {
        guard UnixSocket.isListening(fd) else { throw PosixError("use", errno: PosixError.notListening) }
        return Descriptor(owning: fd)
    }

    /// Binds at a path whose directory is there.
    init(path: String, mode: UInt32) throws(DaemonError) {
        guard path.utf8.count <= UnixSocket.longestPath else {
            throw DaemonError(
                "cannot listen at '\(path)': a socket's path may have \(UnixSocket.longestPath) bytes, this one has \(path.utf8.count); choose a shorter one with --socket"
            )
        }
        let lock = try Listener.lock(path)
        try Listener.clear(path)
        socket = try Listener.listen(path, mode)
        self.path = path
        self.lock = .some(consume lock)
        isActivated = false
        inode = (try? Files.status(path))?.inode
    }

    private static func listen(_ path: String, _ mode: UInt32) throws(DaemonError) -> Descriptor {
        do throws(PosixError) {
            let socket = try UnixSocket.listen(at: path, mode: mode)
            try socket.setNonBlocking()
            return socket
        } catch { throw DaemonError("cannot listen at '\(path)': \(error.reason)") }
    }

    private static func lock(_ path: String) throws(DaemonError) -> Descriptor {
        do throws(PosixError) {
            let file = try Files.openOwn(path + ".lock", .readingAndCreating)
            try Files.lock(file.raw)
            return file
        } catch {
            let words =
                error.isAgain
                ? "another daemon has this socket; stop it, or choose another with --socket"
                : error.description
            throw DaemonError("cannot listen at '\(path)': \(words)")
        }
    }

    /// Removes a socket that nobody listens at.
    ///
    /// Only a refused connection proves that.
    private static func clear(_ path: String) throws(DaemonError) {
        do throws(PosixError) {
            guard let status = try Files.status(path) else { return }
            guard status.kind == .socket else {
                throw PosixError("find a socket", path, errno: 17)
            }
            do throws(PosixError) { _ = try UnixSocket.connect(to: path) } catch {
                guard error.isConnectionRefused else { throw error }
                return try Files.remove(path)
            }
            throw PosixError("find a stale socket", path, errno: 98)
        } catch {
            let words =
                switch error.errno {
                case 17:
                    "there is something at this path that is no socket; move it away, or choose another path with --socket"
                case 98: "another program listens there; stop it, or choose another path with --socket"
                default: error.reason
                }
            throw DaemonError("cannot listen at '\(path)': \(words)")
        }
    }

    /// Whether the path still leads here; true where it has none.
    var isInPlace: Bool {
        guard let inode else { return path.isEmpty }
        guard let status = try? Files.status(path) else { return false }
        return status.kind == .socket && status.inode == inode
    }

    /// Removes the file, if it is still the one that was made.
    func removeFile() {
        guard !isActivated, let inode, let status = try? Files.status(path), status.inode == inode else {
            return
        }
        try? Files.remove(path)
    }
}
