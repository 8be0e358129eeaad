package import JSON

/// Conversation holds what a session is made of: messages, their parts, turns and how a turn moves.
///
/// - Invariant: this target does no I/O and knows no clock; times and randomness come in as values.

/// A 128-bit identifier of one kind of thing, written as a UUID.
package struct ID<Kind>: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The first 8 of the 16 bytes, in network order.
    package let high: UInt64
    /// The last 8 of them.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 16 bytes in network order, nil for any other count.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Reads 16 bytes in network order where they lie, nil for any other count.
    package init?(_ bytes: Span<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var (high, low) = (UInt64(0), UInt64(0))
        for at in 0..<8 {
            high = high << 8 | UInt64(bytes[at])
            low = low << 8 | UInt64(bytes[at + 8])
        }
        self.init(high: high, low: low)
    }

    /// Reads the 36 characters of a UUID in either case, nil for anything else.
    package init?(_ text: String) {
        var halves: [UInt64] = [0, 0]
        var digits = 0
        let utf8 = Array(text.utf8)
        guard utf8.count == 36 else { return nil }
        for (index, byte) in utf8.enumerated() {
            if [8, 13, 18, 23].contains(index) {
                guard byte == 0x2D else { return nil }
                continue
            }
            guard
                let digit = Unicode.Scalar(byte).properties.isASCIIHexDigit
                    ? Character(Unicode.Scalar(byte)).hexDigitValue : nil
            else { return nil }
            halves[digits / 16] = halves[digits / 16] << 4 | UInt64(digit)
            digits += 1
        }
        high = halves[0]
        low = halves[1]
    }

    /// The 16 bytes in network order.
    package var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(16)
        for half in [high, low] {
            for shift in stride(from: 56, through: 0, by: -8) {
                out.append(UInt8(truncatingIfNeeded: half >> UInt64(shift)))
            }
        }
        return out
    }

    /// The 36 characters of a UUID in lower case.
    package var description: String {
        var text: [UInt8] = []
        append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Writes the UUID's 36 characters behind some bytes.
    package func append(to text: inout [UInt8]) {
        let start = text.count
        text.append(contentsOf: repeatElement(0x2D, count: 36))
        var all = text.mutableSpan
        write(to: &all, at: start)
    }

    /// Writes the UUID's 36 characters at a place of some bytes.
    package func write(to bytes: inout MutableSpan<UInt8>, at place: Int) {
        let second = Hexadecimal.digits(UInt32(truncatingIfNeeded: high))
        let third = Hexadecimal.digits(UInt32(truncatingIfNeeded: low >> 32))
        var text = bytes._mutatingExtracting(place..<(place + 36))
        text.put8(Hexadecimal.digits(UInt32(truncatingIfNeeded: high >> 32)), at: 0)
        text[8] = 0x2D
        text.put4(UInt32(truncatingIfNeeded: second), at: 9)
        text[13] = 0x2D
        text.put4(UInt32(truncatingIfNeeded: second >> 32), at: 14)
        text[18] = 0x2D
        text.put4(UInt32(truncatingIfNeeded: third), at: 19)
        text[23] = 0x2D
        text.put4(UInt32(truncatingIfNeeded: third >> 32), at: 24)
        text.put8(Hexadecimal.digits(UInt32(truncatingIfNeeded: low)), at: 28)
    }

    package static func < (a: ID, b: ID) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension JSONWriter {
    /// Writes an ID as a string.
    package mutating func string<Kind>(_ id: ID<Kind>) {
        let form = JSONWriter.id
        begin(form) { id.write(to: &$0, at: form.gaps[0]) }
        ended()
    }
    private static let id = JSONForm("\"", .id, "\"")

    /// Writes a member whose value is an ID.
    package mutating func member<Kind>(_ name: String, _ id: ID<Kind>) {
        key(name)
        string(id)
    }
    /// Writes the member only when there is an ID.
    package mutating func optional<Kind>(_ name: String, _ id: ID<Kind>?) { if let id { member(name, id) } }
}

/// Names a message over all sessions; one the daemon made is a UUID of version 7 (RFC 9562).
package typealias MessageID = ID<Message>
/// Names a turn over all sessions; one the daemon made is a UUID of version 7 (RFC 9562).
package typealias TurnID = ID<TurnRecord>

extension JSONForm.Piece {
    /// Room for an ID.
    package static let id = JSONForm.Piece.gap(36)
    /// Room for a time.
    package static let time = JSONForm.Piece.gap(Timestamp.width)
}

/// Numbers in hexadecimal.
private enum Hexadecimal {
    /// The eight digits of a number, in lower case, the first in the lowest byte.
    @inline(__always)
    static func digits(_ number: UInt32) -> UInt64 {
        // Each byte into 16 bits, and each half of it into eight; those above nine are letters.
        var bytes = UInt64(number.byteSwapped)
        bytes = (bytes | bytes &<< 16) & 0x0000_FFFF_0000_FFFF
        bytes = (bytes | bytes &<< 8) & 0x00FF_00FF_00FF_00FF
        let halves = bytes &>> 4 & 0x000F_000F_000F_000F | (bytes & 0x000F_000F_000F_000F) &<< 8
        let letters = (halves &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
        return halves &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }
}

extension MutableSpan<UInt8> {
    /// Writes eight bytes at a place, the lowest first; written so that the compiler makes one store of it.
    @inline(__always)
    fileprivate mutating func put8(_ word: UInt64, at place: Int) {
        var bytes = _mutatingExtracting(place..<(place + 8))
        bytes[0] = UInt8(truncatingIfNeeded: word)
        bytes[1] = UInt8(truncatingIfNeeded: word &>> 8)
        bytes[2] = UInt8(truncatingIfNeeded: word &>> 16)
        bytes[3] = UInt8(truncatingIfNeeded: word &>> 24)
        bytes[4] = UInt8(truncatingIfNeeded: word &>> 32)
        bytes[5] = UInt8(truncatingIfNeeded: word &>> 40)
        bytes[6] = UInt8(truncatingIfNeeded: word &>> 48)
        bytes[7] = UInt8(truncatingIfNeeded: word &>> 56)
    }

    /// Writes four bytes at a place, the lowest first.
    @inline(__always)
    fileprivate mutating func put4(_ word: UInt32, at place: Int) {
        var bytes = _mutatingExtracting(place..<(place + 4))
        bytes[0] = UInt8(truncatingIfNeeded: word)
        bytes[1] = UInt8(truncatingIfNeeded: word &>> 8)
        bytes[2] = UInt8(truncatingIfNeeded: word &>> 16)
        bytes[3] = UInt8(truncatingIfNeeded: word &>> 24)
    }
}

/// Makes UUIDs of version 7 (RFC 9562), each greater than the one before.
package struct IDMaker: Sendable {
    private var last: UInt64 = 0  // 48 bits of milliseconds, 12 of counter

    package init() {}

    /// Makes the next one; a clock that went back does not make a smaller one.
    package mutating func next<Kind>(milliseconds: Int64, random: UInt64) -> ID<Kind> {
        last = max(last + 1, UInt64(max(0, milliseconds)) << 12)
        let high = (last >> 12) << 16 | 0x7000 | (last & 0xFFF)
        return ID(high: high, low: random & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }
}

/// The ID of a session on the wire: chosen by a client or made by the daemon.
///
/// 1 to 128 characters of `[A-Za-z0-9._:@-]`, the first a letter or digit; case counts. So it is never a path, a
/// flag or an empty string, and equal IDs have equal bytes.
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// Characters of an ID at most, which are bytes too: all of them are ASCII.
    package static let longest = 128
    /// The ID as it stands on the wire, well-formed.
    package let text: String

    /// Takes a well-formed ID, nil for any other text.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard (1...SessionID.longest).contains(bytes.count), let first = bytes.first,
            SessionID.isAlphanumeric(first),
            bytes.allSatisfy({ SessionID.isAlphanumeric($0) || ".:_@-".utf8.contains($0) })
        else { return nil }
        self.text = text
    }

    /// Takes an ID that the daemon made.
    package init(_ id: ID<SessionID>) { text = id.description }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    package var description: String { text }
}

/// A user as the archive knows one: on this machine the number that the kernel gives for who connected.
package struct UserID: Hashable, Sendable, Comparable, CustomStringConvertible, ExpressibleByIntegerLiteral {
    /// The uid.
    package let number: UInt32
    package init(_ number: UInt32) { self.number = number }
    package init(integerLiteral number: UInt32) { self.number = number }
    package static func < (a: UserID, b: UserID) -> Bool { a.number < b.number }
    package var description: String { String(number) }
}
