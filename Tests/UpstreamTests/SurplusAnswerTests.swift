internal import EventLoop
internal import TestSupport
internal import Testing
internal import Upstream

/// A whole answer of a server that keeps its connection.
private func answer(_ text: String, isChunked: Bool) -> String {
    let framing = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(text.utf8.count)"
    let body = isChunked ? String(text.utf8.count, radix: 16) + "\r\n\(text)\r\n0\r\n\r\n" : text
    // The script keeps the connection where it sees such a header.
    return "HTTP/1.1 200 OK\r\nX-Content-Length: 0\r\n\(framing)\r\n\r\n\(body)"
}

@Suite struct `A connection on which something came that nobody asked for` {
    /// The text that comes back, and the status.
    private func ask(_ client: HTTPClient, _ server: ScriptedUpstream, _ loop: EventLoop, _ body: String)
        throws -> (status: Int, text: String)
    {
        var found = (status: 0, text: ""), isOver = false
        let request = HTTPRequest(
            url: server.origin + "/", headers: [], body: Array(body.utf8), connectTimeout: 5_000)
        _ = client.start(request) { event in
            switch event {
            case .head(let status, _): found.status = status
            case .body(let bytes): found.text += String(decoding: bytes, as: UTF8.self)
            case .end, .failed: isOver = true
            }
        }
        while !isOver { try loop.turn(waiting: true) }
        return found
    }

    @Test(arguments: [
        (answer("STRAY", isChunked: false), false), (answer("STRAY", isChunked: true), true),
        ("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", false), ("x", false),
    ])
    func `is not used again, and each request gets its own answer`(surplus: String, isChunked: Bool) throws {
        let server = try ScriptedUpstream([
            [.write(answer("one", isChunked: isChunked)), .hold, .write(surplus), .mark],
            [.write(answer("two", isChunked: isChunked))], [.write(answer("three", isChunked: isChunked))],
        ])
        let loop = try EventLoop(), client = HTTPClient(loop: loop, environment: [:])
        #expect(try ask(client, server, loop, "1") == (200, "one"))
        server.proceed()
        try Patience.until(1) { server.marks }
        #expect(try ask(client, server, loop, "2") == (200, "two"))
        #expect(try ask(client, server, loop, "3") == (200, "three"))
        #expect(server.requests.count == 3)
    }

    @Test func `is not one whose answer is paused`() throws {
        let long = String(repeating: "a", count: 4_000_000)
        let server = try ScriptedUpstream([
            [.write("HTTP/1.1 200 OK\r\nContent-Length: 4000001\r\n\r\nb"), .hold, .write(long), .mark],
            [.write(answer("two", isChunked: false))],
        ])
        let loop = try EventLoop(), client = HTTPClient(loop: loop, environment: [:])
        var bytes = 0, end: String?, first: HTTPCall?
        let request = HTTPRequest(url: server.origin + "/", headers: [], body: [0x31], connectTimeout: 5_000)
        first = client.start(request) { event in
            switch event {
            case .head: break
            case .body(let more):
                if bytes == 0 { first?.pause() }
                bytes += more.count
            case .end: end = "end"
            case .failed(let failure): end = failure.message
            }
        }
        while bytes == 0 { try loop.turn(waiting: true) }
        server.proceed()
        // Some of it waits on the socket while another request begins, and is answered.
        #expect(try ask(client, server, loop, "2") == (200, "two"))
        #expect(try ask(client, server, loop, "3") == (200, "two"))
        first?.resume()
        while end == nil { try loop.turn(waiting: true) }
        #expect(end == "end" && bytes == 4_000_001)
    }
}
