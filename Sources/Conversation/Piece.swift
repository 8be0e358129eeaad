internal import JSON

/// A piece of a running answer, in the order in which the upstream gave it.
package struct Piece: Sendable, Equatable {
    /// What it belongs to; the raw value is stored.
    package enum Kind: Int, Sendable {
        /// `part` is a whole part of another type; the others are text that goes on.
        case text, thought, part
        /// The provider's seal on the thought before it, or on the text; opaque, and never shown.
        case signature
        fileprivate var joins: Bool { self == .text || self == .thought }
    }
    package let kind: Kind
    /// UTF-8 text; for `part` the whole part as raw JSON, for `signature` the seal as it came.
    package fileprivate(set) var bytes: [UInt8]

    package init(_ kind: Kind, _ bytes: [UInt8]) {
        self.kind = kind
        self.bytes = bytes
    }

    /// Takes the next piece of the same kind in, without copying what is there.
    package mutating func append(_ next: Piece) { bytes += next.bytes }

    /// How far it moves the offset: whole parts and seals carry no text.
    package var length: Int { kind.joins ? bytes.count : 0 }
}

/// An answer put together from its pieces.
package struct Answer: Sendable, Equatable {
    /// Who made the thoughts, kept with them.
    package var issuer: String?
    /// What has come, neighbours of one kind joined.
    package private(set) var pieces: [Piece] = []
    /// UTF-8 bytes over all text, thoughts included: the offset of the next piece.
    package private(set) var length = 0
    /// How many pieces there are.
    package private(set) var count = 0
    /// Bytes that it takes to keep, whole parts and seals included, with something for each piece of its own.
    package private(set) var weight = 0
    /// What a piece costs beside its bytes.
    private static let overhead = 64

    package init(issuer: String? = nil) { self.issuer = issuer }

    /// Adds a piece; text that goes on joins the piece before.
    package mutating func append(_ piece: Piece) {
        count += 1
        length += piece.length
        weight += piece.bytes.count
        if pieces.last?.kind == piece.kind, piece.kind.joins {
            pieces[pieces.count - 1].bytes += piece.bytes
        } else {
            weight += Answer.overhead
            pieces.append(piece)
        }
    }

    /// Whether nothing has come that is worth keeping.
    package var isEmpty: Bool { pieces.allSatisfy { $0.bytes.isEmpty || $0.kind == .signature } }

    /// Whether the reader saw text of the answer itself (thoughts do not count).
    package var hasVisibleText: Bool { pieces.contains { $0.kind == .text && !$0.bytes.isEmpty } }
    /// Whether there is a call or a picture in it, which somebody may have acted on.
    package var hasParts: Bool { pieces.contains { $0.kind == .part } }

    /// The parts as a raw JSON array.
    ///
    /// Bytes cut inside a character read as U+FFFD.
    package var content: [UInt8] {
        let bytes = pieces.reduce(0) { $0 + $1.bytes.count }
        var writer = JSONWriter(capacity: bytes + bytes / 8 + 256)
        writer.array {
            let shown = pieces.filter { !$0.bytes.isEmpty }
            for (index, piece) in shown.enumerated() {
                var text: String { String(decoding: piece.bytes, as: UTF8.self) }
                switch piece.kind {
                case .part: $0.raw(piece.bytes)
                // As `Part.text` writes it, without a copy of what may be long.
                case .text where ByteSearch.isUTF8(piece.bytes.span):
                    $0.object {
                        $0.member("type", "text")
                        $0.key("text")
                        $0.string(utf8: piece.bytes)
                    }
                case .text: Part.text(text).write(to: &$0)
                case .thought: thought(text, sealedBy: shown.dropFirst(index + 1).first).write(to: &$0)
                case .signature where index > 0 && shown[index - 1].kind == .thought: break
                case .signature: thought("", sealedBy: piece).write(to: &$0)
                }
            }
        }
        return writer.bytes
    }

    private func thought(_ text: String, sealedBy piece: Piece?) -> Part {
        let seal = piece?.kind == .signature ? piece?.bytes : nil
        return .thought(
            text: text, issuer: issuer, signature: seal.map { String(decoding: $0, as: UTF8.self) })
    }

    /// The first bytes of the answer as an answer of its own, with as many of the whole parts right at the cut as make
    /// `parts` in all.
    package func first(_ wanted: Int, parts: Int = 0) -> Answer {
        var out = Answer(issuer: issuer)
        for piece in Answer.rest(of: pieces, after: 0, until: wanted, parts: parts).pieces {
            out.append(piece)
        }
        return out
    }

    /// What follows a byte offset, as pieces; an offset inside a character is rounded down.
    ///
    /// A whole part right at the offset comes again: bytes cannot tell whether it was seen, and a tool call that is
    /// lost is worse than one announced twice under one ID.
    package func rest(after offset: Int) -> (offset: Int, pieces: [Piece]) {
        let rest = Answer.rest(of: pieces, after: offset)
        return (rest.offset, rest.pieces)
    }

    /// The same over any run of pieces, and in bounds.
    ///
    /// It looks at their first `end` bytes with `parts` whole parts, and gives no more than about `most` bytes, or as
    /// many as whole parts side by side have. What it passes over is not copied.
    package static func rest(
        of pieces: [Piece], after wanted: Int, until end: Int = .max, parts: Int = .max, most: Int = .max
    ) -> (offset: Int, pieces: [Piece], isAll: Bool) {
        var start = 0, seen = 0, room = most, offset: Int?, found: [Piece] = []
        for piece in pieces {
            let length = min(piece.length, end - start)
            if piece.kind == .part {
                if start >= end && seen >= parts { break }
                seen += 1
            } else if piece.length > 0 && length <= 0 {
                break
            }
            if offset != nil || (piece.kind == .part ? wanted <= start : wanted < start + length) {
                var from = max(0, wanted - start), to = length
                if piece.length == 0 {
                    found.append(piece)
                    room -= piece.bytes.count
                } else {
                    while from > 0 && piece.bytes[from] & 0xC0 == 0x80 { from -= 1 }
                    // It ends inside text, so that whole parts before it do not come again.
                    if length - from > max(4, room) { to = from + max(4, room) }
                    while to > from && to < length && piece.bytes[to] & 0xC0 == 0x80 { to -= 1 }
                    let isWhole = from == 0 && to == piece.length
                    found.append(isWhole ? piece : Piece(piece.kind, Array(piece.bytes[from..<to])))
                    room -= to - from
                }
                offset = offset ?? start + (piece.length == 0 ? 0 : from)
                if to < length { return (offset ?? start, found, false) }
            }
            start += length
            if length < piece.length { break }
        }
        return (offset ?? start, found, true)
    }
}

extension Message {
    /// A stored message's content as pieces, so that finished and running answers are replayed alike; seals are left out.
    package var pieces: [Piece] {
        parts.map { part in
            switch part {
            case .text(let text): Piece(.text, Array(text.utf8))
            case .thought(let text, _, _): Piece(.thought, Array(text.utf8))
            case .redactedThought: Piece(.thought, [])
            default: Piece(.part, Array(Part.encode([part]).dropFirst().dropLast()))
            }
        }
    }
}
