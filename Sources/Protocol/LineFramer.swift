/// Protocol is the wire: lines, JSON-RPC envelopes, every method's parameters, every error.
///
/// - Invariant: pure values; no I/O, no clock. Framing looks at bytes only, never at Characters.

internal import JSON

/// Cuts a byte stream into lines at LF (0x0A); a CR before it and empty lines are ignored.
package struct LineFramer: Sendable {
    /// What came out of the stream.
    package enum Output: Sendable, Equatable {
        /// A line without its LF and a CR before it; never empty.
        case line([UInt8])
        /// A line grew past the limit; its rest is skipped to the next LF.
        case tooLong
    }

    /// Bytes of a line at most, LF not counted; what has come of one is held to it when more does.
    package var limit: Int
    /// Blocks of the line that has no end yet, before what is in `buffer`: a long one is never copied as it grows.
    private var blocks: [[UInt8]] = []
    private var blockBytes = 0
    private var blockCapacity = 0
    private var buffer: [UInt8] = []
    private var start = 0
    private var scanned = 0
    package private(set) var isSkipping = false

    /// Refuses lines of more than `limit` bytes, LF not counted.
    package init(limit: Int) { self.limit = limit }

    /// Bytes held back because their line has no end yet.
    package var pending: Int { blockBytes + buffer.count - start }

    /// Bytes of memory that it takes.
    package var capacity: Int { blockCapacity + buffer.capacity }

    /// Bytes that a buffer may keep when nothing is in it, and those from which on a half line is put aside as a block.
    private static let kept = 128 << 10

    /// Bytes that are best read at one time, so that a block has no more memory than bytes.
    package var room: Int { min(64 << 10, max(1, LineFramer.kept - buffer.count)) }

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
        // A block is made at once, not by doubling.
        if buffer.count >= LineFramer.kept / 4 { buffer.reserveCapacity(LineFramer.kept) }
        return try read(&buffer)
    }

    /// The next line, or nil when more bytes are needed.
    package mutating func next() -> Output? {
        while true {
            skipEmptyLines()
            let end = ByteSearch.lineFeed(in: buffer.span, from: max(scanned, start))
            guard end < buffer.count else {
                scanned = buffer.count
                if pending <= limit + 1 {  // one byte more may be a CR
                    putAside()
                    return nil
                }
                let isNew = !isSkipping
                isSkipping = true
                buffer.removeAll(keepingCapacity: false)
                (start, scanned) = (0, 0)
                dropBlocks()
                return isNew ? .tooLong : nil
            }
            let line = line(upTo: end)
            start = end + 1
            scanned = start
            dropBlocks()
            if start == buffer.count { letGo() }
            if isSkipping {
                isSkipping = false
                continue
            }
            guard let line else { return .tooLong }
            if !line.isEmpty { return .line(line) }
        }
    }

    /// Goes past lines in which nothing stands; there may be tens of thousands in one read.
    private mutating func skipEmptyLines() {
        if isSkipping || !blocks.isEmpty { return }
        start = LineFramer.firstByte(of: buffer.span, from: start)
    }

    /// The place behind the empty lines that begin at a place.
    private static func firstByte(of bytes: Span<UInt8>, from start: Int) -> Int {
        var place = start
        while place < bytes.count {
            if bytes[place] == 0x0A {
                place += 1
            } else if bytes[place] == 0x0D, place + 1 < bytes.count, bytes[place + 1] == 0x0A {
                place += 2
            } else {
                break
            }
        }
        return place
    }

    /// The bytes before a line feed without a CR at their end; nil when they are too many, none when nobody wants them.
    private func line(upTo end: Int) -> [UInt8]? {
        if isSkipping { return [] }
        let length = blockBytes + end - start
        let last = end > start ? buffer[end - 1] : blocks.last?.last
        let wanted = length - (last == 0x0D ? 1 : 0)
        if wanted > limit { return nil }
        guard !blocks.isEmpty else { return Array(buffer[start..<(start + wanted)]) }
        var line: [UInt8] = []
        line.reserveCapacity(length)
        for block in blocks { line += block }
        line += buffer[start..<end]
        line.removeLast(length - wanted)
        return line
    }

    /// Keeps what is there of a long line as a block of its own.
    private mutating func putAside() {
        guard buffer.count >= LineFramer.kept else { return }
        if start > 0 { buffer.removeFirst(start) }
        blockBytes += buffer.count
        blockCapacity += buffer.capacity
        blocks.append(buffer)
        buffer = []
        (start, scanned) = (0, 0)
    }

    private mutating func dropBlocks() {
        if blocks.isEmpty { return }
        blocks = []
        (blockBytes, blockCapacity) = (0, 0)
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
}
