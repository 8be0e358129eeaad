/// Reads a long JSON text element by element, as its bytes come: of an array at its top one element is held at a time, of
/// any other text the whole.
///
/// A byte order mark before the text is passed over, since files begin with it.
package struct JSONElementReader: Sendable {
    /// Where the reader stands in the text.
    private enum Place {
        /// Before the value at the top.
        case top
        /// Behind the array's bracket, where it may end at once.
        case first
        /// Behind a comma, where an element must follow.
        case following
        /// In an element.
        case element
        /// Behind an element of the array.
        case behind
        /// Behind the text; only white space may follow.
        case end
    }

    private let longest: Int
    private let depth: Int
    private var place = Place.top
    private var isArray = false
    /// What has come; what was passed of it goes when more comes.
    private var bytes: [UInt8] = []
    /// Where the element begins that is being read.
    private var start = 0
    /// How far `bytes` have been looked at.
    private var at = 0
    /// Bytes of the text before `bytes`.
    private var passed = 0
    /// How the element looks up to `at`.
    private var scan = Scan()

    /// An element may have `longest` bytes and be nested `depth` levels deep.
    package init(longest: Int, depth: Int = 128) {
        self.longest = longest
        self.depth = depth
    }

    /// Takes the next bytes of the text, cut anywhere.
    package mutating func feed(_ more: [UInt8]) {
        bytes.removeFirst(start)
        passed += start
        at -= start
        start = 0
        bytes += more
    }

    /// The next element that is whole; nil when more bytes must come first.
    ///
    /// The error's offset counts from the beginning of the text; nothing follows it.
    package mutating func next() throws(JSONError) -> JSONDocument? {
        while true {
            if place == .element {
                guard let end = elementEnd() else {
                    try checkLength(of: at - start)
                    return nil
                }
                return try take(end)
            }
            skipSpace()
            start = at
            guard at < bytes.count else { return nil }
            guard try step(bytes[at]) else { return nil }
        }
    }

    /// Nothing follows: gives the number that ends with the text, if one does.
    package mutating func finish() throws(JSONError) -> JSONDocument? {
        if place == .element, !isArray, scan.isScalar, at > start { return try take(at) }
        if place != .end { throw JSONError(code: .endOfText, offset: passed + at) }
        return nil
    }

    /// Takes a byte between elements; false when the text must go on first.
    private mutating func step(_ byte: UInt8) throws(JSONError) -> Bool {
        switch (place, byte) {
        case (.top, 0xEF) where passed + at == 0:
            guard bytes.count >= 3 else { return false }
            guard bytes[1] == 0xBB, bytes[2] == 0xBF else { throw unexpected(byte) }
            at = 3
        case (.top, 0x5B):
            isArray = true
            pass(to: .first)
        case (.first, 0x5D), (.behind, 0x5D): pass(to: .end)
        case (.behind, 0x2C): pass(to: .following)
        case (.top, _), (.first, _), (.following, _):
            if byte == 0x2C || byte == 0x5D { throw unexpected(byte) }
            place = .element
            scan = Scan()
        case (.end, _): throw JSONError(code: .trailingText, offset: passed + at)
        default: throw unexpected(byte)
        }
        return true
    }

    private mutating func pass(to next: Place) {
        at += 1
        place = next
    }

    private func unexpected(_ byte: UInt8) -> JSONError {
        JSONError.unexpected(byte, at: passed + at)
    }

    private func checkLength(of count: Int) throws(JSONError) {
        if count > longest { throw JSONError(code: .tooLong(limit: longest), offset: passed + start + count) }
    }

    private mutating func take(_ end: Int) throws(JSONError) -> JSONDocument {
        try checkLength(of: end - start)
        let text = Array(bytes[start..<end]), before = passed + start
        at = end
        start = end
        place = isArray ? .behind : .end
        do { return try JSONDocument(text, depth: depth) } catch {
            throw JSONError(code: error.code, offset: before + error.offset)
        }
    }

    private mutating func skipSpace() {
        var here = at
        while here < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[here]) { here += 1 }
        at = here
    }

    private mutating func elementEnd() -> Int? {
        var here = at, scan = scan
        let end = scan.end(in: bytes.span, from: &here)
        at = here
        self.scan = scan
        return end
    }

    /// Looks for the end of an element; whether it is JSON is for the document to say.
    private struct Scan {
        /// Brackets that are open.
        private var level = 0
        private var isInString = false

        /// Whether it may end with the text, as a number does.
        var isScalar: Bool { level == 0 && !isInString }

        /// Where the element ends; nil when that has not come yet.
        ///
        /// What was looked at is passed over.
        mutating func end(in text: Span<UInt8>, from at: inout Int) -> Int? {
            while at < text.count {
                if isInString {
                    at = ByteSearch.special(in: text, from: at)
                    guard at < text.count else { return nil }
                    if text[at] == 0x5C {
                        guard at + 1 < text.count else { return nil }  // what it escapes has not come
                        at += 1
                    } else if text[at] == 0x22 {
                        isInString = false
                        if level == 0 { return at + 1 }
                    }
                } else {
                    switch text[at] {
                    case 0x22: isInString = true
                    case 0x5B, 0x7B: level += 1
                    case 0x20, 0x09, 0x0A, 0x0D, 0x2C: if level == 0 { return at }
                    case 0x5D where level == 0: return at
                    case 0x5D, 0x7D:
                        level -= 1
                        if level <= 0 { return at + 1 }
                    default: break
                    }
                }
                at += 1
            }
            return nil
        }
    }
}
