import Glibc
import Posix
import TestSupport
import Testing

@Suite struct `A Unix socket` {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A path of exactly so many bytes inside the directory.
    private func path(of bytes: Int) -> String {
        let start = directory.file("")
        return start + String(repeating: "s", count: bytes - start.utf8.count)
    }

    @Test func `may have a path of 107 bytes (B142)`() throws {
        let path = path(of: 107)
        let listener = try UnixSocket.listen(at: path, mode: 0o600)
        #expect(try Files.status(path)?.kind == .socket)
        let client = try UnixSocket.connect(to: path)
        let server = try UnixSocket.accept(listener.raw)
        let isConnected = server != nil
        #expect(isConnected)
        _ = consume client
    }

    @Test func `with a path of 108 bytes is refused by both ends, and nothing is made of it (B142)`() throws {
        let long = path(of: 108)
        let expected = PosixError("bind", long, errno: ENAMETOOLONG)
        #expect(throws: expected) { _ = try UnixSocket.listen(at: long, mode: 0o600) }
        #expect(throws: expected) { _ = try UnixSocket.connect(to: long) }
        #expect(try Files.status(String(long.dropLast())) == nil)
    }

    @Test func `says where it is bound, and nothing where it is not`() throws {
        let path = path(of: 107)
        let listener = try UnixSocket.listen(at: path, mode: 0o600), client = try UnixSocket.connect(to: path)
        #expect(UnixSocket.path(of: listener.raw) == path)
        #expect(UnixSocket.path(of: client.raw) == nil)
        #expect(UnixSocket.path(of: 0) == nil)
    }

    @Test func `that takes notices and is not read holds up nobody`() throws {
        let path = directory.file("notify")
        let notices = try DatagramSocket(at: path)
        var sent = 0
        let error = #expect(throws: PosixError.self) {
            while sent < 100_000 {
                try UnixSocket.notify("WATCHDOG=1", to: path)
                sent += 1
            }
        }
        #expect(error?.isAgain == true && sent > 0)
        #expect(try notices.next() == "WATCHDOG=1")
    }

    @Test func `is not put over a thing that is there`() throws {
        let path = directory.file("x")
        try Files.replace(path, with: [1])
        let error = #expect(throws: PosixError.self) { _ = try UnixSocket.listen(at: path, mode: 0o600) }
        #expect(error == PosixError("bind", path, errno: EADDRINUSE))
        #expect(try Files.read(path) == [1])
    }

    @Test func `that nobody listens at refuses the connection (B139)`() throws {
        let path = directory.file("stale")
        do { _ = try UnixSocket.listen(at: path, mode: 0o600) }
        #expect(try Files.status(path)?.kind == .socket)
        // A program that another test is just starting has the listener until it runs.
        try Patience.until(true) {
            do throws(PosixError) { _ = try UnixSocket.connect(to: path) } catch {
                return error.isConnectionRefused
            }
            return false
        }
    }

    @Test func `tells who is at the other end`() throws {
        let (a, b) = try UnixSocket.pair()
        let first = Descriptor(owning: a), second = Descriptor(owning: b)
        let peer = try UnixSocket.peer(of: first.raw)
        #expect(peer == Peer(pid: Process.id, uid: Process.userID, gid: getgid(), groups: peer.groups))
        #expect(try UnixSocket.peer(of: second.raw) == peer)
    }

    @Test func `carries bytes both ways and ends when the sender does`() throws {
        let (a, b) = try UnixSocket.pair()
        let first = Descriptor(owning: a), second = Descriptor(owning: b)
        #expect(try System.send(first.raw, [1, 2, 3, 4], from: 1) == 3)
        UnixSocket.shutdownWriting(first.raw)
        var bytes: [UInt8] = [9]
        #expect(try System.read(second.raw, into: &bytes, most: 2) == 2)
        #expect(try System.read(second.raw, into: &bytes, most: 2) == 1)
        #expect(try System.read(second.raw, into: &bytes, most: 2) == 0)
        #expect(bytes == [9, 2, 3, 4])
        #expect(try System.write(second.raw, [5]) == 1)
        #expect(try System.read(first.raw, into: &bytes, most: 8) == 1)
    }

    @Test func `that does not block says when there is nothing, and when there is no room (B134)`() throws {
        let (a, b) = try UnixSocket.pair()
        let first = Descriptor(owning: a), second = Descriptor(owning: b)
        try first.setNonBlocking()
        var bytes: [UInt8] = []
        #expect(try System.read(first.raw, into: &bytes, most: 8) == nil)
        #expect(bytes == [])
        let block = [UInt8](repeating: 7, count: 100_000)
        var sent = 0
        while let n = try System.send(first.raw, block, from: sent % block.count) { sent += n }
        #expect(sent > 0)
        while bytes.count < sent { _ = try System.read(second.raw, into: &bytes, most: sent - bytes.count) }
        #expect(bytes.allSatisfy { $0 == 7 })
        #expect(try System.send(first.raw, [8]) == 1)
    }

    @Test func `whose other end is gone fails without a signal`() throws {
        let (a, b) = try UnixSocket.pair()
        let first = Descriptor(owning: a)
        do { _ = Descriptor(owning: b) }
        let error = #expect(throws: PosixError.self) { try System.send(first.raw, [1]) }
        #expect(error == PosixError("send", errno: EPIPE))
    }

    @Test func `gives no connection when none waits`() throws {
        let listener = try UnixSocket.listen(at: directory.file("s"), mode: 0o600)
        try listener.setNonBlocking()
        let connection = try UnixSocket.accept(listener.raw)
        let isNone = connection == nil
        #expect(isNone)
    }
}
