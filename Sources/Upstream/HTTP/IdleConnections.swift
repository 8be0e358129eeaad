internal import Posix

/// The sockets of connections that wait for their next request.
///
/// What a server sends on such a connection belongs to no request: libcurl (7.88) takes it for the answer to the next one, and then
/// each answer on that connection is another request's, of whatever session, key or user. So a connection on which anything
/// came, the server's end of it too, is shut down before the next request looks for one.
struct IdleConnections {
    /// Their sockets, with what tells a socket from a later one of the same number.
    private var sockets: [Int32: String] = [:]

    /// The answer on a socket is over: its connection waits, or is closed in a moment.
    mutating func add(_ socket: Int32) { sockets[socket] = Files.stream(socket) }

    /// A socket is used again.
    mutating func remove(_ socket: Int32) { sockets[socket] = nil }

    /// Shuts those down on which something came.
    mutating func shutUnclean() {
        if sockets.isEmpty { return }
        // Where nobody can tell, none is used again.
        let found = try? System.wait(readable: Array(sockets.keys), milliseconds: 0)
        for socket in found ?? Array(sockets.keys) {
            // One that libcurl closed may be anybody's by now.
            if let known = sockets.removeValue(forKey: socket), Files.stream(socket) == known {
                UnixSocket.shutdown(socket)
            }
        }
    }
}
