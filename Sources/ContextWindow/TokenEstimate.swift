/// ContextWindow cuts a history to a budget of tokens, with a receipt of what it did.
///
/// - Invariant: pure functions over values; no I/O, no clock, the same input gives the same output.
package import Conversation
internal import JSON

/// Estimates tokens by classes of characters, in one pass.
///
/// Weights are wire.md H3, column o200k, times 1.25 (p5 of estimate over truth at or above 1.0 for all that was
/// measured there), and at least 1 for each Han, Kana and Hangul character.
package enum TokenEstimate {
    /// What every message costs beyond its parts (wire.md H4).
    package static let perMessage = 5
    /// What a request costs beyond its messages (wire.md H4).
    package static let perRequest = 16
    /// What an image costs when its size in pixels is unknown (wire.md H5).
    package static let perImage = 1_500

    /// Tokens of a text; 0 only for the empty one.
    package static func text(_ text: String) -> Int {
        var utf8 = text
        utf8.makeContiguousUTF8()
        return tokens(utf8.utf8.span)
    }

    /// Tokens of a message with these parts, its overhead included.
    package static func message(_ parts: [Part]) -> Int { parts.reduce(perMessage) { $0 + part($1) } }

    /// Tokens of the message that an answer becomes, its overhead included, without writing and reading it.
    package static func message(_ answer: Answer) -> Int {
        answer.pieces.reduce(perMessage) { sum, piece in
            switch piece.kind {
            case .text, .thought: sum + text(String(decoding: piece.bytes, as: UTF8.self))
            case .part: sum + Part.decode([0x5B] + piece.bytes + [0x5D]).reduce(0) { $0 + part($1) }
            case .signature: sum
            }
        }
    }

    /// What a PDF costs at least, and for each `documentBytes` of its base64: about that of a page (wire.md H5).
    private static let perDocument = 3_000, documentBytes = 24_000

    /// Tokens of one part.
    package static func part(_ part: Part) -> Int {
        switch part {
        case .text(let text), .thought(let text, _, _): self.text(text)
        case .redactedThought: 0
        case .image, .audio: media(part.asMedia)
        case .resource(_, let text?, _): self.text(text)
        // What is no media goes as its name.
        case .resource(let uri, nil, _):
            self.text(uri) + (part.asMedia.isMedia ? media(part.asMedia) : 8)
        case .resourceLink(let uri, let name, _): self.text(uri) + self.text(name) + 4
        case .toolCall(let call): self.text(call.name) + tokens(call.arguments.span) + 8
        case .toolResult(let result): self.result(result)
        }
    }

    private static func media(_ part: Part) -> Int {
        switch part {
        case .image(Part.pdf, let data, _): max(1, (data?.utf8.count ?? 0) / documentBytes) * perDocument
        case .image(_, _, let uri): perImage + (uri.map { $0.hasPrefix("data:") ? 0 : text($0) } ?? 0)
        // 32 tokens a second (wire.md H5): at about 3 kB a second as speech is packed, else at 12.
        case .audio(let type, let data):
            max(64, data.utf8.count / (["ogg", "opus", "webm"].contains { type.hasSuffix($0) } ? 125 : 400))
        default: 0
        }
    }

    /// A result with media may become a message more, which names them.
    private static func result(_ result: Part.ToolResult) -> Int {
        let parts = result.parts
        guard parts.contains(where: \.isNoText) else { return text(result.text) + 4 }
        return parts.reduce(perMessage + perMovedLead + 4) { $0 + self.part($1) + perMoved }
    }

    /// What a part of a result may cost beyond itself: its name where it was, and the marks around it.
    private static let perMoved = 24
    private static let perMovedLead = text(Gated.movedLead)

    /// Hundredths of a token for a run of ASCII letters and digits.
    private struct Run {
        var letters = 0, digits = 0, changes = 0
        var isLastDigit = false

        mutating func add(isDigit: Bool) {
            if letters + digits > 0 && isDigit != isLastDigit { changes += 1 }
            isLastDigit = isDigit
            if isDigit { digits += 1 } else { letters += 1 }
        }

        mutating func take() -> Int {
            defer { self = Run() }
            let length = letters + digits
            if length == 0 { return 0 }
            if letters > 0 && ((length >= 24 && digits > 0) || (length >= 4 && changes >= 2)) {
                return length * 88
            }
            return (letters > 0 ? 30 : 0) + letters * 2125 / 100 + digits * 50
        }
    }

    /// Rounded up, so that no character is free where it stands alone.
    private static func tokens(_ text: Span<UInt8>) -> Int {
        var hundredths = 0, run = Run(), at = 0
        var last: UInt8 = 0
        while at < text.count {
            let byte = text[at]
            switch byte {
            case 0x61...0x7A, 0x41...0x5A: run.add(isDigit: false)
            case 0x30...0x39: run.add(isDigit: true)
            case 0x80...:
                let (scalar, length) = decode(text, at)
                hundredths += run.take() + weight(scalar)
                at += length
                last = 0
                continue
            case 0x0A: hundredths += run.take() + (last == 0x0A ? 22 : 144)
            case 0x09: hundredths += run.take() + (last == 0x09 ? 15 : 56)
            case 0x20: hundredths += run.take() + (last == 0x20 || last == 0x0A || last == 0x09 ? 10 : 0)
            default: hundredths += run.take() + 45
            }
            last = byte
            at += 1
        }
        hundredths += run.take()
        return text.isEmpty ? 0 : max(1, (hundredths + 99) / 100)
    }

    private static func weight(_ scalar: UInt32) -> Int {
        switch scalar {
        case 0x3400...0x9FFF, 0xF900...0xFAFF: 100
        case 0x3040...0x30FF, 0xAC00...0xD7A3, 0x1100...0x11FF, 0x3130...0x318F: 100
        // Han, Kana and Hangul among the signs of the next line.
        case 0x3005, 0x3007, 0x3021...0x3029, 0x3038...0x303B, 0xFF66...0xFFDC: 100
        case 0x3000...0x303F, 0xFF00...0xFFEF: 88
        case 0x20000...0x3FFFF: 500
        case 0x1F000...: 250
        case ..<0x0800: 32
        default: 125
        }
    }

    /// The scalar at a byte of 0x80 or more in valid UTF-8, and how many bytes it has.
    private static func decode(_ text: Span<UInt8>, _ at: Int) -> (UInt32, Int) {
        let lead = text[at]
        let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
        guard at + length <= text.count else { return (0xFFFD, text.count - at) }
        var scalar = UInt32(lead) & (0xFF >> UInt32(length + 1))
        for index in (at + 1)..<(at + length) { scalar = scalar << 6 | UInt32(text[index] & 0x3F) }
        return (scalar, length)
    }
}
