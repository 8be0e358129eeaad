internal import Conversation
internal import JSON

/// The shape of the last event that gave one piece of text and did nothing else: all of its bytes but that text.
///
/// Most events of a stream differ from the one before in their text alone. One that has the same bytes before it and behind it
/// says the same with other words, whatever its dialect, and need not be read as JSON.
struct RepeatedEvent: Sendable {
    /// Shapes that are learnt one after the other without meeting any of them again.
    private static let patience = 8

    /// Up to the text, its opening quote with it, and from its closing quote on.
    private var head: [UInt8] = [], tail: [UInt8] = []
    private var kind = Piece.Kind.text
    private var isKnown = false
    private var vain = 0

    /// The piece of an event of this shape; nil for any other, and for a text that must be looked at as a whole.
    mutating func piece(of data: [UInt8]) -> Piece? {
        guard isKnown, data.count > head.count + tail.count else { return nil }
        let text = data.span
        guard ByteSearch.matches(head.span, in: text, at: 0),
            let end = RepeatedEvent.end(in: text, from: head.count),
            data.count - end.at == tail.count,
            ByteSearch.matches(tail.span, in: text, at: end.at)
        else { return nil }
        let inner = data[head.count..<end.at]
        if !end.isASCII, !ByteSearch.isUTF8(inner.span) { return nil }
        vain = 0
        return Piece(kind, end.hasEscapes ? JSONText.unescaped(inner) : Array(inner))
    }

    /// Something else was read: what comes then may mean something else.
    mutating func forget() { isKnown = false }

    /// Takes an event that was read; `isSteady` tells that it did nothing but give its pieces.
    mutating func learn(_ data: [UInt8], _ pieces: [Piece], isSteady: Bool) {
        isKnown = false
        guard isSteady, pieces.count == 1, vain < RepeatedEvent.patience else { return }
        let piece = pieces[0], text = data.span
        guard piece.kind == .text || piece.kind == .thought, !piece.bytes.isEmpty else { return }
        vain += 1
        var at = 0, found: Range<Int>?
        while at < text.count {
            guard text[at] == 0x22 else {
                at += 1
                continue
            }
            guard let end = RepeatedEvent.end(in: text, from: at + 1) else { return }
            let inner = data[(at + 1)..<end.at]
            if end.hasEscapes ? JSONText.unescaped(inner) == piece.bytes : inner.elementsEqual(piece.bytes) {
                // Which of two that are alike is the text nobody can tell.
                if found != nil { return }
                found = (at + 1)..<end.at
            }
            at = end.at + 1
        }
        guard let found else { return }
        head = Array(data[..<found.lowerBound])
        tail = Array(data[found.upperBound...])
        kind = piece.kind
        isKnown = true
    }

    /// Where a JSON string ends whose inside begins at an index; nil where it does not end, or has numbered characters: their
    /// halves may be in two events.
    private static func end(in text: Span<UInt8>, from start: Int) -> (
        at: Int, hasEscapes: Bool, isASCII: Bool
    )? {
        var at = start, hasEscapes = false, isASCII = true
        while true {
            let run = at
            at = ByteSearch.special(in: text, from: at)
            if isASCII { isASCII = ByteSearch.isASCII(text, run..<at) }
            guard at < text.count else { return nil }
            if text[at] == 0x22 { return (at, hasEscapes, isASCII) }
            guard text[at] == 0x5C, at + 1 < text.count, JSONText.isSimple(text[at + 1]) else { return nil }
            hasEscapes = true
            at += 2
        }
    }
}
