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
        text.reserveCapacity(36)
        append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Writes the UUID's 36 characters behind some bytes.
    package func append(to text: inout [UInt8]) {
        text.append(addingCapacity: 36) { out in
            ID.write(high >> 32, digits: 8, to: &out)
            out.append(0x2D)
            ID.write(high >> 16, digits: 4, to: &out)
            out.append(0x2D)
            ID.write(high, digits: 4, to: &out)
            out.append(0x2D)
            ID.write(low >> 48, digits: 4, to: &out)
            out.append(0x2D)
            ID.write(low, digits: 12, to: &out)
        }
    }

    /// Writes the last so many digits of a number, in hexadecimal.
    @inline(__always)
    private static func write(_ number: UInt64, digits: Int, to out: inout OutputSpan<UInt8>) {
        var shift = UInt64(4 * digits)
        while shift > 0 {
            shift -= 4
            let digit = UInt8(truncatingIfNeeded: number >> shift) & 15
            out.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }

    package static func < (a: ID, b: ID) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension JSONWriter {
    /// Writes an ID as a string.
    package mutating func string<Kind>(_ id: ID<Kind>) { plainString { id.append(to: &$0) } }
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
