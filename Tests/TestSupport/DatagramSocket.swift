internal import Glibc
package import Posix

/// A bound Unix datagram socket that takes what a service sends to `NOTIFY_SOCKET` (sd_notify(3)).
package struct DatagramSocket: ~Copyable {
    private let socket: Descriptor

    /// Binds at a path where nothing is.
    package init(at path: String) throws(PosixError) { socket = try DatagramSocket.bound(to: path) }

    private static func bound(to path: String) throws(PosixError) -> Descriptor {
        let fd = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw PosixError("socket", path, errno: errno) }
        let socket = Descriptor(owning: fd)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: Array(path.utf8.prefix(UnixSocket.longestPath)))
        }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let code = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(fd, $0, length) }
        }
        guard code == 0 else { throw PosixError("bind", path, errno: errno) }
        return socket
    }

    /// The next datagram as text, nil when none comes in time.
    package func next(milliseconds: Int32 = 10_000) throws(PosixError) -> String? {
        guard try !System.wait(readable: [socket.raw], milliseconds: milliseconds).isEmpty else { return nil }
        var bytes: [UInt8] = []
        _ = try System.read(socket.raw, into: &bytes, most: 4_096)
        return text(bytes)
    }
}
