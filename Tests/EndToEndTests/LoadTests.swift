internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import TestSupport
internal import Testing

extension Tag {
    /// Holds many connections.
    @Tag static var manyClients: Self
}

/// Bare connections, closed together.
private final class Connections {
    private(set) var all: [Int32] = []

    /// Connects once more.
    func add(_ path: String) throws { all.append(try UnixSocket.connect(to: path).release()) }

    func close() {
        for fd in all { _ = Descriptor(owning: fd) }
        all = []
    }

    deinit { close() }
}

@Suite struct `Load` {
    @Test func `of a line of 100 MB costs little memory and one error, and others are served`() throws {
        let daemon = try RealDaemon()
        let flooder = try UnixSocket.connect(to: daemon.socket)
        let client = try daemon.client()
        let piece = [UInt8](repeating: 0x61, count: 64 << 10)
        for number in 0..<1_600 {
            try send(piece, flooder.raw)
            if number.isMultiple(of: 200) { #expect(try client.call("_convod/server/info").result != nil) }
        }
        try send(
            Array("\n{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"_convod/server/info\"}\n".utf8), flooder.raw)
        var framer = LineFramer(limit: 1 << 20), lines: [JSONView] = []
        while lines.count < 2 {
            while case .line(let line)? = framer.next() { lines.append(try JSONDocument(line).root) }
            if lines.count >= 2 { break }
            try #require(!(try System.wait(readable: [flooder.raw], milliseconds: 20_000)).isEmpty)
            let got = try framer.fill { (buffer) throws(PosixError) in
                try System.read(flooder.raw, into: &buffer, most: 64 << 10)
            }
            try #require(got != 0, "the daemon closed the connection")
        }
        #expect(lines[0]["error"]?["data"]?["kind"]?.string == "line_too_long")
        #expect(lines[1]["id"]?.int == 7 && lines[1]["result"] != nil)
        let peak = try daemon.kibibytes("VmHWM")
        print("a line of 100 MB: at most \(peak) KiB resident")
        #expect(peak < 120 << 10 || daemon.isSanitized)
    }

    private func send(_ bytes: [UInt8], _ fd: Int32) throws {
        var offset = 0
        while offset < bytes.count { offset += try System.send(fd, bytes, from: offset) ?? 0 }
    }

    @Test func `of more connections than descriptors costs no processor time and passes (B136)`() throws {
        let daemon = try RealDaemon(launcher: ["/bin/sh", "-c", "ulimit -n 128; exec \"$@\"", "sh"])
        let client = try daemon.client()
        try client.open("demo")
        let before = try daemon.processorTime()
        let held = Connections()
        for _ in 0..<200 { try held.add(daemon.socket) }
        for _ in 0..<5 {
            // Held for two seconds in all; nothing more comes on the admitted ones.
            _ = try System.wait(readable: [], milliseconds: 400)
            #expect(try client.prompt("demo", "hello").result != nil)
        }
        let used = (try daemon.processorTime() - before) / 10_000_000
        #expect(used < 100 || daemon.isSanitized, "\(used) hundredths of a second")
        held.close()
        try soon("a new client is served") {
            guard let fresh = try? daemon.client() else { return false }
            return (try? fresh.call("_convod/server/info").result) != nil
        }
        #expect(try client.messages("demo").count == 10)
        #expect(daemon.logged.split(separator: "\n").count < 100)
        #expect(try daemon.stop() == .exited(0))
    }

    @Test(.tags(.manyClients)) func `of many idle clients and some that stream costs each nothing`() throws {
        let most = Process.environment["CONVOD_MANY"].flatMap { Int($0) }
        let idle = most ?? 200, streaming = most == nil ? 16 : 64
        _ = Process.raiseFileLimit()
        let daemon = try RealDaemon()
        let atRest = try daemon.kibibytes("VmRSS")
        let held = Connections()
        for _ in 0..<idle { try held.add(daemon.socket) }
        let socket = daemon.socket
        let answers = try onThreads(streaming) { number in Self.stream("s\(number)", socket) }
        let whole = (1...200).map(String.init).joined(separator: " ")
        #expect(answers.filter { $0 != whole } == [])
        let info = try daemon.client().call("_convod/server/info").result
        #expect(info?["connections"]?.int ?? 0 > idle)
        print(
            "\(idle) idle and \(streaming) streaming clients: \(try daemon.kibibytes("VmHWM")) KiB resident, \(atRest) at rest"
        )
        #expect(try daemon.stop() == .exited(0))
    }

    /// What came of `count to 200` in a session of its own, or what went wrong.
    private static func stream(_ session: String, _ socket: String) -> String {
        do {
            let client = try Client(connectingTo: socket)
            _ = try client.call(
                named: "session/new",
                Array(#"{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"\#(session)"}}}"#.utf8))
            var received = ""
            _ = try client.call(
                named: "session/prompt",
                Array(#"{"sessionId":"\#(session)","prompt":[{"type":"text","text":"count to 200"}]}"#.utf8),
                milliseconds: 60_000
            ) { event in
                guard case .notification(_, let params) = event else { return }
                received += params?["update"]?["content"]?["text"]?.string ?? ""
            }
            return received
        } catch { return "\(error)" }
    }
}
