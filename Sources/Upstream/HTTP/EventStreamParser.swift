/// Reads server-sent events out of bytes cut anywhere (WHATWG HTML, "server-sent events"; wire.md F1, F2).
///
/// Lines end at CR, LF or CRLF, looked for in bytes. At the end of the stream a pending event is given out too: some
/// servers leave the last blank line away, and whether the event is whole shows when it is read as JSON.
package struct EventStreamParser: Sendable {
    /// One event, or a line that is none.
    package enum Output: Sendable, Equatable {
        /// `data` is the data lines joined by LF; `type` is empty where the server named none.
        case event(type: String, data: [UInt8])
        /// A comment, such as a keep-alive; it says that the server lives.
        case comment
        /// A line with an unknown field, as when a server writes bare JSON into the stream.
        case stray([UInt8])
        /// A line grew past the limit.
        case tooLong
    }

    private let limit: Int
    private var line: [UInt8] = []
    private var data: [UInt8] = []
    private var hasData = false
    private var type = ""
    private var isAfterCR = false
    private var isFirstLine = true

    /// Refuses lines and events of more than `limit` bytes.
    package init(limit: Int = 16 << 20) { self.limit = limit }

    /// Takes bytes as they came and returns what they completed.
    package mutating func feed(_ bytes: [UInt8]) -> [Output] {
        var out: [Output] = []
        var start = 0
        let text = bytes.span
        for at in text.indices {
            let byte = text[at]
            guard byte == 0x0A || byte == 0x0D else {
                isAfterCR = false
                continue
            }
            if byte == 0x0A && isAfterCR {  // the LF of a CRLF, maybe in the next chunk
                isAfterCR = false
                start = at + 1
                continue
            }
            isAfterCR = byte == 0x0D
            line.append(contentsOf: bytes[start..<at])
            start = at + 1
            endLine(&out)
        }
        line.append(contentsOf: bytes[start...])
        if line.count + data.count > limit {
            line = []
            data = []
            hasData = false
            out.append(.tooLong)
        }
        return out
    }

    /// Ends the stream and returns what was pending.
    package mutating func finish() -> [Output] {
        var out: [Output] = []
        if !line.isEmpty { endLine(&out) }
        dispatch(&out)
        return out
    }

    private mutating func endLine(_ out: inout [Output]) {
        defer { line.removeAll(keepingCapacity: true) }
        if isFirstLine {
            isFirstLine = false
            if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        }
        guard let first = line.first else { return dispatch(&out) }
        if first == 0x3A {
            out.append(.comment)
            return
        }
        let colon = line.firstIndex(of: 0x3A) ?? line.count
        var value = line.dropFirst(colon + 1)
        if value.first == 0x20 { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "data":
            if hasData { data.append(0x0A) }
            data.append(contentsOf: value)
            hasData = true
        case "event": type = String(decoding: value, as: UTF8.self)
        case "id", "retry": break
        case "error":  // old llama.cpp (wire.md C6)
            out.append(.event(type: "error", data: Array(value)))
        default: out.append(.stray(line))
        }
    }

    private mutating func dispatch(_ out: inout [Output]) {
        if hasData { out.append(.event(type: type, data: data)) }
        data.removeAll(keepingCapacity: true)
        hasData = false
        type = ""
    }
}
