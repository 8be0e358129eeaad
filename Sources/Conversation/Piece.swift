internal import JSON

/// A piece of a running answer, in the order in which the upstream gave it.
package struct Piece: Sendable, Equatable {
    /// What it belongs to; the raw value is stored.
    package enum Kind: Int, Sendable {
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

    package init(issuer: String? = nil) { self.issuer = issuer }

    /// Adds a piece; text that goes on joins the piece before.
    package mutating func append(_ piece: Piece) {
        count += 1
        length += piece.length
        if pieces.last?.kind == piece.kind, piece.kind.joins {
            pieces[pieces.count - 1].bytes += piece.bytes
        } else {
            pieces.append(piece)
        }
    }

    /// Whether nothing has come that is worth keeping.
    package var isEmpty: Bool { pieces.allSatisfy { $0.bytes.isEmpty || $0.kind == .signature } }

    /// Whether the reader saw text of the answer itself (thoughts do not count).
    package var hasVisibleText: Bool { pieces.contains { $0.kind == .text && !$0.bytes.isEmpty } }

    /// The parts as a raw JSON array.
    ///
    /// Bytes cut inside a character read as U+FFFD.
    package var content: [UInt8] {
        var writer = JSONWriter()
        writer.array {
            let shown = pieces.filter { !$0.bytes.isEmpty }
            for (index, piece) in shown.enumerated() {
                let text = String(decoding: piece.bytes, as: UTF8.self)
                switch piece.kind {
                case .part: $0.raw(piece.bytes)
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
        var room = wanted, seen = 0
        for piece in pieces {
            if piece.length > room {
                if room > 0 { out.append(Piece(piece.kind, Array(piece.bytes.prefix(room)))) }
                break
            }
            if piece.kind == .part {
                if room == 0 && seen >= parts { break }
                seen += 1
            }
            out.append(piece)
            room -= piece.length
        }
        return out
    }

    /// What follows a byte offset, as pieces; an offset inside a character is rounded down.
    ///
    /// A whole part right at the offset comes again: bytes cannot tell whether it was seen, and a tool call that is
    /// lost is worse than one announced twice under one ID.
    package func rest(after offset: Int) -> (offset: Int, pieces: [Piece]) {
        Answer.rest(of: pieces, after: offset)
    }

    /// The same over any run of pieces.
    package static func rest(of pieces: [Piece], after wanted: Int) -> (offset: Int, pieces: [Piece]) {
        var start = 0
        for (index, piece) in pieces.enumerated() {
            if piece.kind == .part ? wanted <= start : wanted < start + piece.length {
                var cut = max(0, wanted - start)
                while cut > 0 && piece.bytes[cut] & 0xC0 == 0x80 { cut -= 1 }
                let first = cut == 0 ? piece : Piece(piece.kind, Array(piece.bytes[cut...]))
                return (start + cut, [first] + pieces[(index + 1)...])
            }
            start += piece.length
        }
        return (start, [])
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
