/// ContextWindow cuts a history to a budget of tokens, with a receipt of what it did.
///
/// - Invariant: pure functions over values; no I/O, no clock, the same input gives the same output.
package import Conversation
internal import JSON

/// Sizes messages by classes of characters, in one pass; `TokenWeights` make tokens of a size (wire.md H3).
package enum TokenEstimate {
    /// What every message costs beyond its parts (wire.md H4).
    package static let perMessage = 5
    /// What a request costs beyond its messages (wire.md H4).
    package static let perRequest = 16
    /// What an image costs at a server of which nothing is known when its size in pixels is not known (wire.md H5).
    package static let perImage = 1_600

    /// Tokens of a text for a server of which nothing is known; 0 only for the empty one.
    package static func text(_ text: String) -> Int { size(of: text).tokens }

    /// Tokens of a message with these parts for such a server, its overhead included.
    package static func message(_ parts: [Part]) -> Int { size(of: parts).tokens }

    /// The size of a text.
    package static func size(of text: String) -> ContentSize {
        var utf8 = text
        utf8.makeContiguousUTF8()
        return TextTally.size(utf8.utf8.span)
    }

    /// The size of a message with these parts, its overhead included.
    package static func size(of parts: [Part]) -> ContentSize {
        var size = ContentSize(tokens: perMessage), thoughts = ContentSize()
        for part in parts {
            if case .thought(let text, _, _) = part {
                thoughts += self.size(of: text)
            } else {
                size += self.size(of: part)
            }
        }
        return size + asThought(thoughts)
    }

    /// What was thought, apart from what is said.
    private static func asThought(_ text: ContentSize) -> ContentSize {
        var size = ContentSize()
        size[.thought] = UInt32(clamping: text.tokens)
        return size
    }

    /// The size of the message that an answer becomes, its overhead included, without writing and reading it.
    package static func size(of answer: Answer) -> ContentSize {
        var sum = ContentSize(tokens: perMessage), thoughts = ContentSize()
        for piece in answer.pieces {
            switch piece.kind {
            case .text: sum += TextTally.size(piece.bytes.span)
            case .thought: thoughts += TextTally.size(piece.bytes.span)
            case .part: for part in Part.decode([0x5B] + piece.bytes + [0x5D]) { sum += size(of: part) }
            case .signature: break
            }
        }
        return sum + asThought(thoughts)
    }

    /// What a request costs beyond its messages: the system prompt with its overhead.
    package static func size(ofSystem system: String?) -> ContentSize {
        guard let system else { return ContentSize(tokens: perRequest) }
        return size(of: system) + ContentSize(tokens: perRequest + perMessage)
    }

    /// The size of raw JSON that a request carries beside its messages, as definitions of tools.
    package static func size(ofDemand json: [UInt8]) -> ContentSize { TextTally.size(json.span) }

    /// What a PDF costs at least, and for each `documentBytes` of its base64: about that of a page (wire.md H5).
    private static let perDocument = 3_000, documentBytes = 24_000

    /// The size of one part.
    package static func size(of part: Part) -> ContentSize {
        switch part {
        case .text(let text): size(of: text)
        case .thought(let text, _, _): asThought(size(of: text))
        case .redactedThought: ContentSize()
        case .image, .audio: media(part.asMedia)
        case .resource(_, let text?, _): size(of: text)
        // What is no media goes as its name.
        case .resource(let uri, nil, _):
            size(of: uri) + (part.asMedia.isMedia ? media(part.asMedia) : ContentSize(tokens: 8))
        case .resourceLink(let uri, let name, _): size(of: uri) + size(of: name) + ContentSize(tokens: 4)
        case .toolCall(let call):
            name(call.name) + TextTally.size(call.arguments.span) + ContentSize(tokens: 8)
        case .toolResult(let result): self.result(result)
        }
    }

    /// A name that a dialect may not take goes under another, which may have a hash behind it.
    private static func name(_ name: String) -> ContentSize {
        size(of: name) + (NameRule.narrowest.takes(name) ? ContentSize() : ContentSize(tokens: perMappedName))
    }

    private static let perMappedName = 24

    private static func media(_ part: Part) -> ContentSize {
        switch part {
        case .image(Part.pdf, let data, _):
            ContentSize(tokens: max(1, (data?.utf8.count ?? 0) / documentBytes) * perDocument)
        case .image(_, let data, let uri):
            size(ofImage: data.flatMap { PixelSize(base64: $0) })
                + (uri.map { $0.hasScheme(DataAddress.scheme) ? ContentSize() : size(of: $0) }
                    ?? ContentSize())
        // 32 tokens a second (wire.md H5): at about 3 kB a second as speech is packed, else at 12.
        case .audio(let type, let data):
            ContentSize(
                tokens: max(
                    64,
                    data.utf8.count / (["ogg", "opus", "webm"].contains { type.hasSuffix($0) } ? 125 : 400)))
        default: ContentSize()
        }
    }

    /// What vendors count of an image: scaled down to their bounds, never up (wire.md H5).
    ///
    /// Where its size is not known, what
    /// each has for a large one.
    static func size(ofImage pixels: PixelSize?) -> ContentSize {
        var size = ContentSize()
        size[.image] = 1
        guard let pixels else {
            (size[.tile512], size[.tile768], size[.patch32]) = (8, 4, 1_250)
            (size[.patch28], size[.finePatch28]) = (UInt32(perImage), 4_800)
            return size
        }
        size[.tile512] = pixels.scaled(longEdge: 2_048, shortEdge: 768).squares(of: 512)
        let isSmall = pixels.width <= 384 && pixels.height <= 384
        size[.tile768] = isSmall ? 1 : pixels.squares(of: 768)
        size[.patch32] = min(pixels.squares(of: 32), 2_500)
        size[.patch28] = min(pixels.scaled(longEdge: 1_568).squares(of: 28), 1_568)
        size[.finePatch28] = min(pixels.scaled(longEdge: 2_576).squares(of: 28), 4_784)
        return size
    }

    /// A result with media may become a message more, which names them.
    private static func result(_ result: Part.ToolResult) -> ContentSize {
        let parts = result.parts
        guard parts.contains(where: \.isNoText) else { return size(of: result.text) + ContentSize(tokens: 4) }
        return parts.reduce(movedLead + ContentSize(tokens: perMessage + 4)) {
            $0 + size(of: $1) + ContentSize(tokens: perMoved)
        }
    }

    /// What a part of a result may cost beyond itself: its name where it was, and the marks around it.
    private static let perMoved = 24
    private static let movedLead = size(of: Gated.movedLead)
}
