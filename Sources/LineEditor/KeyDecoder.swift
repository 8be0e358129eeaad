/// Scalars out of the bytes that a terminal sends, however they come in.
struct KeyDecoder {
    private var bytes: [UInt8] = []
    private var at = 0
    /// Whether a paste comes in, of which every scalar is text.
    var isPasting = false

    /// Whether a key was struck behind what was taken, and not in a paste; then all up to it is gone.
    mutating func takes(_ key: UInt8) -> Bool {
        let rest = bytes[at...], paste = rest.firstRange(of: Array("\u{1B}[200~".utf8))?.lowerBound
        guard let place = rest.firstIndex(of: key), place < paste ?? bytes.count else { return false }
        at = place + 1
        return true
    }

    /// Whether something stands behind what was taken.
    var hasMore: Bool { at < bytes.count }

    /// Takes all of it, or what has an end of a line before a sequence of keys.
    mutating func takeLines() -> [UInt8] {
        let plain = bytes[at...].prefix { $0 != 0x1B }
        if plain.endIndex == bytes.count { return takeRest() }
        guard let end = plain.lastIndex(where: { $0 == 0x0D || $0 == 0x0A }) else { return [] }
        defer { at = end + 1 }
        return Array(bytes[at...end])
    }

    /// What was not taken, all of it.
    mutating func takeRest() -> [UInt8] {
        defer { at = bytes.count }
        return Array(bytes[at...])
    }

    /// Puts bytes before all that is left.
    mutating func putBack(_ typed: [UInt8]) {
        bytes = typed + bytes[at...]
        at = 0
    }

    mutating func add(_ more: [UInt8]) {
        bytes.removeFirst(at)
        at = 0
        bytes += more
    }

    /// The next one; nil while none is whole.
    ///
    /// What is no UTF-8 comes as U+FFFD, a byte each.
    mutating func next() -> Unicode.Scalar? {
        while !isPasting, at < bytes.count, bytes[at] == 0x1B, let length = strayLength() { at += length }
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

    /// Sequences of keys that mean something, behind their escape: others would leave their ends in the text.
    private static let known: Set<String> = [
        "[A", "[B", "[C", "[D", "[F", "[H", "[1~", "[3~", "[4~", "[7~", "[8~", "[1;5C", "[1;5D", "[1;3C",
        "[1;3D",
        "[200~", "OA", "OB", "OC", "OD", "OF", "OH",
    ]

    /// Bytes of the sequence that begins here (ECMA-48, 5.4); nil where it means something, is not whole, or is none.
    private func strayLength() -> Int? {
        let rest = bytes[(at + 1)...]
        guard let kind = rest.first else { return nil }
        // With Alt each key comes behind one escape more.
        if kind == 0x1B { return 1 }
        guard kind == 0x5B || kind == 0x4F else { return nil }
        let body = rest.dropFirst()
        guard let end = body.firstIndex(where: { !(0x20...0x3F).contains($0) }) else { return nil }
        let sequence = String(decoding: rest[...end], as: UTF8.self)
        return KeyDecoder.known.contains(sequence) ? nil : end + 1 - at
    }
}
