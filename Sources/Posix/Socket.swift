internal import CLinux

/// The identity of a connected peer, as the kernel tells it.
package struct Peer: Sendable, Equatable {
    /// The process that connected; 0 when the kernel names none.
    package let pid: Int32
    /// Its effective user ID when it connected.
    package let uid: UInt32
    /// Its effective group ID when it connected.
    package let gid: UInt32
    /// Supplementary groups at the time of connecting.
    package let groups: [UInt32]

    package init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32]) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    /// Whether the kernel named nobody, as for a socket that is no Unix socket.
    package var isNobody: Bool { uid == UInt32.max || pid == 0 }
}

/// Unix domain stream sockets.
package enum UnixSocket {
    /// The most bytes a path may have (unix(7): `sun_path` is 108 with its NUL).
    package static let longestPath = 107

    /// Connects to a listening socket and returns a blocking descriptor.
    package static func connect(to path: String) throws(PosixError) -> Descriptor {
        let socket = try make()
        try unsafe withAddress(path) { (address, length) throws(PosixError) in
            var code: Int32 = 0
            repeat {
                code = unsafe clinux_connect(socket.raw, address, length)
            } while code != 0 && errno == EINTR
            guard code == 0 else { throw .last("connect", path) }
        }
        return socket
    }

    /// Binds and listens; the file has `mode` at most from its first moment.
    ///
    /// The path must not exist.
    ///
    /// Linux gives the file the mode of the unbound socket less the umask, so no other user can connect before the mode
    /// is set, and the umask, which belongs to all threads, is left alone.
    package static func listen(at path: String, mode: UInt32, backlog: Int32 = 4096) throws(PosixError)
        -> Descriptor
    {
        let socket = try make()
        guard fchmod(socket.raw, mode) == 0 else { throw .last("fchmod", path) }
        try unsafe withAddress(path) { (address, length) throws(PosixError) in
            guard unsafe clinux_bind(socket.raw, address, length) == 0 else { throw .last("bind", path) }
        }
        // What the umask took away; never of what somebody put in its place meanwhile.
        if try Files.status(path)?.mode != mode { try Files.setMode(mode, of: path) }
        guard CLinux.listen(socket.raw, backlog) == 0 else { throw .last("listen", path) }
        return socket
    }

    /// How many that are gone already are passed over, one behind the other, before that counts as a failure.
    private static let mostGone = 64

    /// Takes one waiting connection, non-blocking; nil when none waits any more.
    package static func accept(_ listener: Int32) throws(PosixError) -> Descriptor? {
        var gone = 0
        while true {
            let fd = clinux_accept(listener)
            if fd >= 0 { return Descriptor(owning: fd) }
            switch errno {
            case EINTR, ECONNABORTED:
                gone += 1
                if gone == mostGone { throw .last("accept") }
            case EAGAIN: return nil
            default: throw .last("accept")
            }
        }
    }

    /// Two connected blocking sockets.
    package static func pair() throws(PosixError) -> (Int32, Int32) {
        var fds: [Int32] = [0, 0]
        let code = unsafe fds.withUnsafeMutableBufferPointer {
            unsafe socketpair(
                AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, $0.baseAddress)
        }
        guard code == 0 else { throw .last("socketpair") }
        return (fds[0], fds[1])
    }

    /// Ends the sending direction; the peer reads an end of file.
    package static func shutdownWriting(_ fd: Int32) { _ = CLinux.shutdown(fd, Int32(SHUT_WR)) }

    /// Ends both directions; the peer sees the end even while other descriptors of the socket live.
    package static func shutdown(_ fd: Int32) { _ = CLinux.shutdown(fd, Int32(SHUT_RDWR)) }

    /// Who is at the other end.
    package static func peer(of fd: Int32) throws(PosixError) -> Peer {
        var peer = clinux_peer()
        guard unsafe clinux_peer_credentials(fd, &peer) == 0 else { throw .last("getsockopt") }
        return Peer(pid: peer.pid, uid: peer.uid, gid: peer.gid, groups: groups(of: fd))
    }

    /// The peer's supplementary groups; Linux allows 65,536 (setgroups(2)).
    private static func groups(of fd: Int32) -> [UInt32] {
        var room: Int32 = 256
        while room <= 65_536 {
            var groups = [UInt32](repeating: 0, count: Int(room))
            let n = unsafe groups.withUnsafeMutableBufferPointer {
                unsafe clinux_peer_groups(fd, $0.baseAddress, room)
            }
            if n >= 0 { return Array(groups.prefix(Int(n))) }
            guard errno == ERANGE else { return [] }
            room *= 16
        }
        return []
    }

    /// The path that a socket is bound to; nil where it has none in the file system.
    package static func path(of fd: Int32) -> String? {
        var path = [CChar](repeating: 0, count: 110)
        let isBound = unsafe path.withUnsafeMutableBufferPointer {
            unsafe clinux_socket_path(fd, $0.baseAddress, Int32($0.count)) != 0
        }
        guard isBound else { return nil }
        return String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether a descriptor is a Unix stream socket that listens.
    package static func isListening(_ fd: Int32) -> Bool { clinux_is_unix_listener(fd) != 0 }

    /// Sends one datagram to a socket path (a leading `@` means the abstract namespace), as sd_notify(3) does, and never waits.
    package static func notify(_ text: String, to path: String) throws(PosixError) {
        let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw .last("socket") }
        let socket = Descriptor(owning: fd)
        try unsafe withAddress(path) { (address, length) throws(PosixError) in
            var text = text
            let sent = text.withUTF8 {
                unsafe clinux_sendto(socket.raw, $0.baseAddress, $0.count, address, length)
            }
            // A queue that nobody reads is full, and must not hold this process up.
            guard sent >= 0 else { throw .last("sendto", path) }
        }
    }

    private static func make() throws(PosixError) -> Descriptor {
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw .last("socket") }
        return Descriptor(owning: fd)
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr_un>, socklen_t) throws(PosixError) -> Void
    ) throws(PosixError) {
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count <= longestPath else {
            throw PosixError("bind", path, errno: ENAMETOOLONG)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let isAbstract = bytes[0] == UInt8(ascii: "@")
        if isAbstract { unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0[0] = 0 } }
        let length = socklen_t(2 + bytes.count + (isAbstract ? 0 : 1))
        var failure: PosixError?
        unsafe withUnsafePointer(to: &address) { pointer in
            do throws(PosixError) { try unsafe body(pointer, length) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
