internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// A connection that writes on a thread of its own and only counts what comes, for clients that ask without end.
final class RawClient {
    private let socket: Int32
    private let owner: Descriptor
    private let sent = Locked(0)
    private(set) var lines = 0
    /// The last bytes that came.
    private(set) var tail: [UInt8] = []
    private var buffer: [UInt8] = []

    init(_ path: String) throws {
        let made = try UnixSocket.connect(to: path)
        socket = made.raw
        owner = made
    }

    /// Writes bytes without waiting for them to be taken.
    func write(_ bytes: [UInt8]) throws {
        let socket = socket, sent = sent
        try startUnjoined("test-raw") {
            var offset = 0
            while offset < bytes.count {
                // A blocking socket takes all or nothing more; in pieces one sees how far it came.
                let piece = Array(bytes[offset..<min(offset + 32_768, bytes.count)])
                guard let n = try? System.send(socket, piece) else { break }
                offset += n
                sent.withLock { $0 += n }
            }
        }
    }

    func write(_ text: String) throws { try write(Array(text.utf8)) }

    /// Bytes that the daemon's side has taken.
    var sentBytes: Int { sent.withLock { $0 } }

    /// Whether something came that was not read yet.
    var hasMore: Bool { get throws { try !System.wait(readable: [socket], milliseconds: 0).isEmpty } }

    /// Reads until so many lines came in all; false when the connection ended first.
    func read(lines wanted: Int, milliseconds: Int32 = 60_000) throws -> Bool {
        while lines < wanted {
            guard try !System.wait(readable: [socket], milliseconds: milliseconds).isEmpty else {
                throw Late(description: "only \(lines) of \(wanted) lines came")
            }
            buffer.removeAll(keepingCapacity: true)
            let got: Int?
            do { got = try System.read(socket, into: &buffer, most: 1 << 16) } catch { return false }
            if got == 0 { return false }
            lines += buffer.count { $0 == 0x0A }
            tail = Array((tail + buffer).suffix(2_000))
        }
        return true
    }

    /// Ends both directions.
    func close() { UnixSocket.shutdown(socket) }
}

extension RealDaemon {
    /// Appends messages of one text each.
    func fill(_ session: String, _ texts: [String], role: String = "user", ifMissing: Bool = true) throws {
        let messages = texts.map { #"{"role":"\#(role)","content":[{"type":"text","text":"\#($0)"}]}"# }
        let client = try RawClient(socket)
        try client.write(
            #"{"jsonrpc":"2.0","id":1,"method":"_convod/message/append","params":{"sessionId":"\#(session)","ifMissing":"create","messages":["#
                + messages.joined(separator: ",") + "]}}\n")
        guard try client.read(lines: 1), !String(decoding: client.tail, as: UTF8.self).contains("error")
        else {
            throw Late(description: String(decoding: client.tail, as: UTF8.self))
        }
    }

    /// Checks that it lives, serves, and has let go of what it held.
    func checkAtEase(
        peakMiB: Int, _ what: String, _ location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(
            try client().call("_convod/server/info").result != nil, "\(what)", sourceLocation: location)
        if isSanitized { return }
        let peak = try kibibytes("VmHWM") >> 10
        #expect(peak <= peakMiB, "\(what): it held \(peak) MiB", sourceLocation: location)
        // A debug build is larger by itself.
        try soon("\(what): idle again, under 40 MiB", milliseconds: 10_000) {
            try kibibytes("VmRSS") < 40 << 10
        }
    }
}

/// A line client of user nobody that stays connected.
final class ClientOfNobody {
    private let program: PipedProgram
    private var bytes: [UInt8] = []

    /// Needs root and setpriv.
    init(_ socket: String) throws {
        program = try PipedProgram(
            "/usr/bin/setpriv",
            ["--reuid=65534", "--clear-groups", "/usr/bin/socat", "-", "UNIX-CONNECT:\(socket)"],
            environment: [:])
    }

    /// The next line; throws when the connection ends.
    func next() throws -> JSONView {
        while !bytes.contains(0x0A) {
            let got = try System.read(program.from.raw, into: &bytes, most: 65_536)
            if got == 0 { throw Late(description: "closed: \(text(bytes))") }
        }
        let line = Array(bytes.prefix { $0 != 0x0A })
        bytes.removeFirst(line.count + 1)
        return try JSONDocument(line).root
    }

    func ask(_ method: String, _ params: String = "{}") throws -> JSONView {
        let line = #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(params)}"#
        _ = try System.write(program.to.raw, Array(line.utf8) + [0x0A])
        return try next()
    }

    /// Sends a notification.
    func tell(_ method: String, _ params: String) throws {
        let line = #"{"jsonrpc":"2.0","method":"\#(method)","params":\#(params)}"#
        _ = try System.write(program.to.raw, Array(line.utf8) + [0x0A])
    }

    /// All that comes until the connection ends.
    func rest() throws -> String {
        while let got = try System.read(program.from.raw, into: &bytes, most: 65_536), got > 0 {}
        return text(bytes)
    }
}

/// A program whose standard input and output are pipes; it ends with this.
final class PipedProgram {
    let to: Descriptor, from: Descriptor
    private let pid: Int32
    private var isReaped = false

    init(_ program: String, _ arguments: [String], environment: [String: String]) throws {
        let input = try Process.pipe(), output = try Process.pipe()
        pid = try Process.start(
            program, arguments, environment: environment,
            streams: .init(input: input.reading, output: output.writing))
        _ = Descriptor(owning: input.reading)
        _ = Descriptor(owning: output.writing)
        to = Descriptor(owning: input.writing)
        from = Descriptor(owning: output.reading)
    }

    func signal(_ number: Int32) throws { try Process.signal(pid, number) }

    /// Waits for its end.
    func ended() throws -> Process.Ending? {
        defer { isReaped = true }
        return try Process.reap(pid)
    }

    deinit {
        if isReaped { return }
        try? Process.signal(pid, Signals.kill)
        _ = try? Process.reap(pid)
    }
}
