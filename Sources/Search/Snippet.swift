internal import JSON

/// A stretch of a text around what was found in it.
package struct Snippet: Sendable, Equatable {
    /// A piece of it; pieces follow each other without a gap.
    package struct Piece: Sendable, Equatable {
        package let text: String
        /// Whether this is what was looked for.
        package let isHit: Bool
        package init(text: String, isHit: Bool) {
            self.text = text
            self.isHit = isHit
        }
    }

    /// In order; the first begins with `…` where text stands before, the last ends so.
    package let pieces: [Piece]

    /// Bytes of the text shown before the first hit and behind it, about.
    private static let before = 80, behind = 160

    /// The stretch around the first hit of a question in a text, or the text's beginning.
    package init(of text: [UInt8], form: NormalForm, for query: SearchQuery) {
        let shown = query.shown
        let first = shown.compactMap { word in
            ByteSearch.first(word.span, in: form.bytes.span).map { ($0, word.count) }
        }
        .min { $0.0 < $1.0 }
        let place = Snippet.place(of: first?.0 ?? 0, in: text, form)
        let start = Snippet.boundary(in: text, atOrBefore: max(0, place - Snippet.before))
        // The hit itself stands in it, up to a limit.
        let room = Snippet.behind + min(4 * (first?.1 ?? 0), 640)
        let end = Snippet.boundary(in: text, atOrBefore: min(text.count, place + room))
        let window = Array(text[start..<max(start, end)])
        let local = NormalForm(window, from: 0, upTo: window.count, isTracked: true)
        var hits: [Range<Int>] = []
        for word in shown {
            var at = 0
            while let found = ByteSearch.first(word.span, in: local.bytes.span, from: at) {
                at = found + word.count
                let from = local.origins[found]
                let to = at < local.origins.count ? local.origins[at] : window.count
                if from < to { hits.append(from..<to) }
            }
        }
        pieces = Snippet.pieces(
            window, hits.sorted { $0.lowerBound < $1.lowerBound }, isCut: (start > 0, end < text.count))
    }

    /// Where in the text a place of its form comes from.
    private static func place(of at: Int, in text: [UInt8], _ form: NormalForm) -> Int {
        let anchor = form.anchors.last { $0.form <= at } ?? (0, 0)
        let next = form.anchors.first { $0.form > at }?.text ?? text.count
        let local = NormalForm(text, from: anchor.text, upTo: next, isTracked: true)
        let index = at - anchor.form
        return index < local.origins.count ? local.origins[index] : next
    }

    /// The beginning of a character that people see as one, where a text may be cut.
    private static func boundary(in text: [UInt8], atOrBefore at: Int) -> Int {
        if at >= text.count { return text.count }
        // Far enough back that a character begins there, whatever it is joined of.
        var from = max(0, at - 128)
        while from > 0, text[from] & 0xC0 == 0x80 { from -= 1 }
        var place = from
        for character in String(decoding: text[from..<min(text.count, at + 128)], as: UTF8.self) {
            let next = place + character.utf8.count
            if next > at { return place }
            place = next
        }
        return place
    }

    private static func pieces(_ window: [UInt8], _ hits: [Range<Int>], isCut: (before: Bool, behind: Bool))
        -> [Piece]
    {
        var pieces: [Piece] = [], at = 0
        func add(_ range: Range<Int>, isHit: Bool) {
            if range.isEmpty { return }
            pieces.append(Piece(text: String(decoding: window[range], as: UTF8.self), isHit: isHit))
        }
        for hit in hits where hit.upperBound > at {
            let from = max(at, hit.lowerBound)
            add(at..<from, isHit: false)
            add(from..<hit.upperBound, isHit: true)
            at = hit.upperBound
        }
        add(at..<window.count, isHit: false)
        if isCut.before { pieces.insert(Piece(text: "…", isHit: false), at: 0) }
        if isCut.behind { pieces.append(Piece(text: "…", isHit: false)) }
        // What is not a hit stands in one piece with its neighbour.
        return pieces.reduce(into: []) { joined, piece in
            if let last = joined.last, !last.isHit, !piece.isHit {
                joined[joined.count - 1] = Piece(text: last.text + piece.text, isHit: false)
            } else {
                joined.append(piece)
            }
        }
    }
}
