internal import JSON

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
        var out: [Output] = [], start = 0
        let text = bytes.span
        while start < text.count {
            if isAfterCR {
                isAfterCR = false
                if text[start] == 0x0A {  // the LF of a CRLF, maybe in the next chunk
                    start += 1
                    continue
                }
            }
            let end = ByteSearch.lineEnd(in: text, from: start)
            guard end < text.count else { break }
            isAfterCR = text[end] == 0x0D
            if line.isEmpty {
                endLine(bytes[start..<end], &out)
            } else {
                line.append(contentsOf: bytes[start..<end])
                endLine(takeLine()[...], &out)
            }
            start = end + 1
        }
        if start < text.count { line.append(contentsOf: bytes[start...]) }
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
        if !line.isEmpty { endLine(takeLine()[...], &out) }
        dispatch(&out)
        return out
    }

    private mutating func takeLine() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &line)
        return taken
    }

    /// What a line is about.
    private enum Field { case data, event, error, known, unknown }

    private static func field(_ name: ArraySlice<UInt8>) -> Field {
        // Nearly all of them are data.
        if name.count == 4, name.elementsEqual([0x64, 0x61, 0x74, 0x61]) { return .data }
        return switch String(decoding: name, as: UTF8.self) {
        case "event": .event
        case "id", "retry": .known
        case "error": .error
        default: .unknown
        }
    }

    private mutating func endLine(_ whole: ArraySlice<UInt8>, _ out: inout [Output]) {
        var line = whole
        if isFirstLine {
            isFirstLine = false
            if line.starts(with: [0xEF, 0xBB, 0xBF]) { line = line.dropFirst(3) }
        }
        guard let first = line.first else { return dispatch(&out) }
        if first == 0x3A {
            out.append(.comment)
            return
        }
        let colon = line.firstIndex(of: 0x3A) ?? line.endIndex
        var value = line[min(colon + 1, line.endIndex)...]
        if value.first == 0x20 { value = value.dropFirst() }
        switch EventStreamParser.field(line[..<colon]) {
        case .data:
            if hasData {
                data.append(0x0A)
                data.append(contentsOf: value)
            } else {
                data = Array(value)
            }
            hasData = true
        case .event: type = String(decoding: value, as: UTF8.self)
        case .known: break
        case .error:  // old llama.cpp (wire.md C6)
            out.append(.event(type: "error", data: Array(value)))
        case .unknown: out.append(.stray(Array(line)))
        }
    }

    private mutating func dispatch(_ out: inout [Output]) {
        guard hasData else {
            type = ""
            return
        }
        out.append(.event(type: type, data: data))
        data = []
        hasData = false
        type = ""
    }
}
