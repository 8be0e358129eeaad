internal import ConvoClient
internal import Posix

extension Command {
    static let acp = Command(
        name: "acp", summary: "be an ACP agent on standard input and output, for editors and bridges",
        details: """
            A plain pipe between this process and the daemon's socket, byte for byte. Ends when input ends and the
            daemon has sent all its answers. Silent, since editors show every line on standard error as an error.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let fd = client.descriptor
        let ended: Wakeup
        do throws(PosixError) {
            ended = try Wakeup(blocking: true)
            _ = try Thread(named: "acp answers") {
                copy(from: fd, to: 1)
                ended.signal()
            }
        } catch { throw CommandError(.failure, "cannot start a thread: \(error.description)") }
        guard forward(to: fd, until: ended) else {
            throw CommandError(.failure, "the daemon closed the connection; 'convo logs' may say why")
        }
        UnixSocket.shutdownWriting(fd)
        ended.wait()
        return withExtendedLifetime(client) { .success }
    }

    /// Copies standard input to the daemon; false when the daemon ended before the input.
    private static func forward(to fd: Int32, until ended: Wakeup) -> Bool {
        var bytes: [UInt8] = []
        while true {
            guard let ready = try? System.wait(readable: [0, ended.fd], milliseconds: -1) else {
                return false
            }
            if ready.contains(ended.fd) { return false }
            guard ready.contains(0) else { continue }
            bytes.removeAll(keepingCapacity: true)
            guard let n = try? System.read(0, into: &bytes, most: 64 << 10), n != 0 else { return true }
            var offset = 0
            while offset < bytes.count {
                guard let sent = try? System.send(fd, bytes, from: offset) else { return false }
                offset += sent
            }
        }
    }

    /// Copies what the daemon sends until its end.
    @Sendable private static func copy(from fd: Int32, to output: Int32) {
        var bytes: [UInt8] = []
        while true {
            bytes.removeAll(keepingCapacity: true)
            guard let n = try? System.read(fd, into: &bytes, most: 64 << 10), n > 0 else { return }
            guard (try? Console.write(bytes, to: output)) != nil else { return }
        }
    }
}
