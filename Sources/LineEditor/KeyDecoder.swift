/// Scalars out of the bytes that a terminal sends, however they come in.
struct KeyDecoder {
    private var bytes: [UInt8] = []
    private var at = 0

    mutating func add(_ more: [UInt8]) {
        bytes.removeFirst(at)
        at = 0
        bytes += more
    }

    /// The next one; nil while none is whole.
    ///
    /// What is no UTF-8 comes as U+FFFD, a byte each.
    mutating func next() -> Unicode.Scalar? {
        guard at < bytes.count else { return nil }
        let lead = bytes[at]
        if lead < 0x80 {
            at += 1
            // libedit ends its texts by it, and no key sends it on purpose.
            return lead == 0 ? next() : Unicode.Scalar(lead)
        }
        let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
        let end = at + length
        let tail = bytes[(at + 1)..<min(end, bytes.count)]
        if length == 1 || lead > 0xF4 || !tail.allSatisfy({ $0 & 0xC0 == 0x80 }) { return broken() }
        guard end <= bytes.count else { return nil }
        let text = String(decoding: bytes[at..<end], as: UTF8.self).unicodeScalars
        guard text.count == 1, let scalar = text.first, scalar != "\u{FFFD}" || bytes[at] == 0xEF else {
            return broken()
        }
        at = end
        return scalar
    }

    private mutating func broken() -> Unicode.Scalar {
        at += 1
        return "\u{FFFD}"
    }
}
