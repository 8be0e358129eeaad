internal import Glibc
internal import Posix

/// A real HTTP server on loopback that answers by a script, one connection after the other.
package final class ScriptedUpstream: Sendable {
    /// What it does with a request, in order.
    package enum Step: Sendable {
        /// Writes bytes.
        case write(String)
        /// Waits until `proceed` is called.
        case hold
        /// Notes that it came so far.
        case mark
        /// Writes bytes that are no text.
        case bytes([UInt8])
        /// Writes some text again and again, until the client closes the connection.
        case pulse(String)
        /// Closes at once with a reset.
        case reset
        /// Waits until the client closes the connection, and notes when.
        case untilClosed
    }

    package let port: UInt16
    private let listener: Int32
    private let scripts: Locked<[[Step]]>
    private let seen = Locked<[String]>([])
    private let closed = Locked<[UInt64]>([])
    private let marked = Locked(0)
    private let gate: Wakeup
    private let thread: Locked<Thread?>

    /// Starts a server; each request takes the next script, the last one serves for all that follow.
    package init(_ scripts: [[Step]]) throws {
        (listener, port) = listenOnLoopback()
        let fd = listener
        let scripts = Locked(scripts), seen = seen, closed = closed, marked = marked
        self.scripts = scripts
        let gate = try Wakeup(blocking: true)
        self.gate = gate
        thread = Locked(
            try Thread(named: "test-upstream") {
                ScriptedUpstream.serve(fd, scripts, seen, closed, marked, gate)
            })
    }

    /// Its address without a path, the base of dialects that bring their own version.
    package var origin: String { "http://127.0.0.1:\(port)" }

    /// The base URL of its OpenAI dialect.
    package var base: String { "\(origin)/v1" }

    /// The requests it got, head and body.
    package var requests: [String] { seen.withLock { $0 } }

    /// When connections were closed by the client, in monotonic nanoseconds.
    package var closings: [UInt64] { closed.withLock { $0 } }

    /// How many marks its scripts came to.
    package var marks: Int { marked.withLock { $0 } }

    /// Lets a script go on behind `hold`.
    package func proceed() { gate.signal() }

    deinit {
        _ = shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        for _ in 0..<8 { gate.signal() }
        if let thread = thread.withLock({ $0.take() }) { thread.join() }
    }

    private static func serve(
        _ fd: Int32, _ scripts: Locked<[[Step]]>, _ seen: Locked<[String]>, _ closed: Locked<[UInt64]>,
        _ marked: Locked<Int>, _ gate: Wakeup
    ) {
        while true {
            let client = accept(fd, nil, nil)
            guard client >= 0 else { return }
            // A thread for each, so that one that holds does not hold up the others.
            do {
                try startUnjoined("test-exchange") { exchange(client, scripts, seen, closed, marked, gate) }
            } catch { close(client) }
        }
    }

    private static func exchange(
        _ client: Int32, _ scripts: Locked<[[Step]]>, _ seen: Locked<[String]>, _ closed: Locked<[UInt64]>,
        _ marked: Locked<Int>, _ gate: Wakeup
    ) {
        defer { close(client) }
        while let request = readRequest(client) {
            seen.withLock { $0.append(request) }
            let steps = scripts.withLock { scripts in
                scripts.count > 1 ? scripts.removeFirst() : scripts.first ?? []
            }
            for step in steps {
                switch step {
                case .write(let text): writeAll(client, Array(text.utf8))
                case .bytes(let bytes): writeAll(client, bytes)
                case .pulse(let text):
                    while (try? System.wait(readable: [client], milliseconds: 20))?.isEmpty ?? false {
                        writeAll(client, Array(text.utf8))
                    }
                case .hold: gate.wait()
                case .mark: marked.withLock { $0 += 1 }
                case .untilClosed:
                    var bytes: [UInt8] = []
                    while let got = try? System.read(client, into: &bytes, most: 4_096), got > 0 {}
                    closed.withLock { $0.append(Machine.monotonic()) }
                case .reset:
                    var linger = linger(l_onoff: 1, l_linger: 0)
                    unsafe setsockopt(
                        client, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
                    return
                }
            }
            if !steps.contains(where: {
                if case .write(let text) = $0 { text.contains("ontent-Length:") } else { false }
            }) {
                return
            }
        }
    }

    private static func writeAll(_ fd: Int32, _ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            guard let sent = try? System.send(fd, bytes, from: offset) else { return }
            offset += sent
        }
    }

    private static func readRequest(_ fd: Int32) -> String? {
        var bytes: [UInt8] = []
        var whole: Int?
        while true {
            if whole == nil, let end = text(bytes).range(of: "\r\n\r\n") {
                let head = text(bytes)[..<end.upperBound]
                let length =
                    head.split(separator: "\r\n").lazy.compactMap { line -> Int? in
                        let parts = line.split(separator: ":")
                        return parts.first?.lowercased() == "content-length"
                            ? Int(parts[1].filter { $0 != " " }) : nil
                    }.first ?? 0
                whole = head.utf8.count + length
            }
            if let whole, bytes.count >= whole { return text(bytes) }
            guard let got = try? System.read(fd, into: &bytes, most: 65_536), got > 0 else { return nil }
        }
    }
}

extension ScriptedUpstream {
    /// A streamed answer of these deltas, whole, in OpenAI's dialect; `before` are events that come first.
    package static func answer(
        _ deltas: [String], before: String = "", finish: String? = "stop",
        usage: String = #"{"prompt_tokens":7,"completion_tokens":3}"#
    ) -> [Step] {
        [.write(head + before + chunks(deltas) + end(finish: finish, usage: usage))]
    }

    /// A streamed answer that holds between parts of it until `proceed` is called.
    package static func answer(holdingBetween parts: [[String]]) -> [Step] {
        var steps: [Step] = [.write(head)]
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            steps += [.write(chunks(part) + (isLast ? end() : ""))] + (isLast ? [] : [.hold])
        }
        return steps
    }

    private static func chunks(_ deltas: [String]) -> String {
        deltas.map { chunk(#"{"content":\#(quoted($0))}"#) }.joined()
    }

    private static func end(
        finish: String? = "stop", usage: String = #"{"prompt_tokens":7,"completion_tokens":3}"#
    ) -> String {
        let reason = finish.map {
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"\($0)\"}]}\n\n"
        }
        return (reason ?? "") + "data: {\"choices\":[],\"usage\":\(usage)}\n\ndata: [DONE]\n\n"
    }

    /// The head of a streamed answer.
    package static let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

    /// One event with a delta, given as JSON.
    package static func chunk(_ delta: String) -> String {
        "data: {\"choices\":[{\"index\":0,\"delta\":\(delta),\"finish_reason\":null}]}\n\n"
    }

    /// An answer that is an error.
    package static func failure(_ status: String, _ body: String, headers: String = "") -> [Step] {
        [
            .write(
                "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n\(headers)Connection: close\r\n\r\n\(body)"
            )
        ]
    }
}

extension String {
    /// Where a text stands, without Foundation.
    fileprivate func range(of mark: String) -> Range<String.Index>? {
        let bytes = Array(utf8), wanted = Array(mark.utf8)
        guard bytes.count >= wanted.count else { return nil }
        for start in 0...(bytes.count - wanted.count)
        where Array(bytes[start..<(start + wanted.count)]) == wanted {
            let lower = utf8.index(startIndex, offsetBy: start)
            return lower..<utf8.index(lower, offsetBy: wanted.count)
        }
        return nil
    }
}

/// A listening socket on 127.0.0.1, and the port that it got.
package func listenOnLoopback() -> (descriptor: Int32, port: UInt16) {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            _ = unsafe bind(fd, address, length)
            _ = listen(fd, 64)
            _ = unsafe getsockname(fd, address, &length)
        }
    }
    return (fd, UInt16(bigEndian: address.sin_port))
}

/// A port of 127.0.0.1 where nobody listens, as it was a moment ago.
package func freePort() -> UInt16 {
    let (descriptor, port) = listenOnLoopback()
    close(descriptor)
    return port
}
