/// Protocol is the wire: lines, JSON-RPC envelopes, every method's parameters, every error.
///
/// - Invariant: pure values; no I/O, no clock. Framing looks at bytes only, never at Characters.

/// Cuts a byte stream into lines at LF (0x0A); a CR before it and empty lines are ignored.
package struct LineFramer: Sendable {
    /// What came out of the stream.
    package enum Output: Sendable, Equatable {
        case line([UInt8])
        /// A line grew past the limit; its rest is skipped to the next LF.
        case tooLong
    }

    private let limit: Int
    private var buffer: [UInt8] = []
    private var start = 0
    private var scanned = 0
    private var isSkipping = false

    /// Refuses lines of more than `limit` bytes, LF not counted.
    package init(limit: Int) { self.limit = limit }

    /// Bytes held back because their line has no end yet.
    package var pending: Int { buffer.count - start }

    /// Bytes of memory that it takes.
    package var capacity: Int { buffer.capacity }

    /// Bytes that a buffer may keep when nothing is in it.
    private static let kept = 128 << 10

    /// Adds bytes as they came from the socket, by letting `read` append to the buffer.
    package mutating func fill<Result, Failure: Error>(
        _ read: (inout [UInt8]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if start == buffer.count {
            letGo()
        } else if start > 1 << 16 {
            buffer.removeFirst(start)
            scanned -= start
            start = 0
        }
        return try read(&buffer)
    }

    /// The next line, or nil when more bytes are needed.
    package mutating func next() -> Output? {
        while true {
            guard let end = indexOfNewline() else {
                scanned = buffer.count
                if buffer.count - start <= limit + 1 { return nil }  // one byte more may be a CR
                let isNew = !isSkipping
                isSkipping = true
                buffer.removeAll(keepingCapacity: false)
                (start, scanned) = (0, 0)
                return isNew ? .tooLong : nil
            }
            var last = end
            if last > start && buffer[last - 1] == 0x0D { last -= 1 }
            let first = start
            start = end + 1
            scanned = start
            if isSkipping {
                isSkipping = false
                continue
            }
            if last == first { continue }
            if last - first > limit { return .tooLong }
            let line = Array(buffer[first..<last])
            if start == buffer.count { letGo() }
            return .line(line)
        }
    }

    /// Empties the buffer; one long line must not cost its client's memory for good.
    private mutating func letGo() {
        buffer.removeAll(keepingCapacity: buffer.capacity <= LineFramer.kept)
        (start, scanned) = (0, 0)
    }

    /// Ends the stream: a last line without its LF counts as a line.
    package mutating func terminate() {
        if !isSkipping && pending > 0 { buffer.append(0x0A) }
    }

    /// The last line when the stream ended without an LF; nil when there is none.
    package mutating func finish() -> Output? {
        terminate()
        return next()
    }

    private func indexOfNewline() -> Int? {
        let text = buffer.span
        var at = max(scanned, start)
        while at < text.count {
            if text[at] == 0x0A { return at }
            at += 1
        }
        return nil
    }
}
