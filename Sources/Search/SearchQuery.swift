internal import JSON

/// What is looked for: words that must all be there, phrases in quotation marks, `-` before what must not, `OR` between
/// alternatives; everything else is what it says, letter by letter.
///
/// A word is found within others too. `OR` binds least: `a b OR c` is both of a and b, or c.
package struct SearchQuery: Sendable {
    /// A word or a phrase.
    struct Term: Sendable, Equatable {
        /// In normal form.
        let text: [UInt8]
        /// Whether it must not be there.
        let isExcluded: Bool
    }

    /// Words and phrases that a question may have.
    package static let mostTerms = 64

    /// Each is a way to be found: all its terms hold.
    let alternatives: [[Term]]

    /// Reads a question, or says in one sentence what is wrong with it.
    package init(_ text: String) throws(SearchQueryError) {
        var alternatives: [[Term]] = [[]], count = 0
        let words = SearchQuery.words(of: text)
        // Where there is nothing between which it could stand, it is a word like others.
        let isBare = words.allSatisfy(\.isOr)
        for word in words {
            if word.isOr && !isBare {
                if alternatives[alternatives.count - 1].isEmpty { continue }
                alternatives.append([])
                continue
            }
            let form = SearchQuery.trimmed(NormalForm.of(word.text))
            if form.isEmpty { continue }
            count += 1
            alternatives[alternatives.count - 1].append(Term(text: form, isExcluded: word.isExcluded))
        }
        if alternatives.count > 1, alternatives[alternatives.count - 1].isEmpty { alternatives.removeLast() }
        guard count > 0 else {
            throw SearchQueryError(
                "there is nothing to look for in it; give a word, or a phrase in \"quotation marks\"")
        }
        guard count <= SearchQuery.mostTerms else {
            throw SearchQueryError(
                "it has \(count) words and phrases, at most \(SearchQuery.mostTerms) are looked for; put words that stand together into quotation marks"
            )
        }
        self.alternatives = alternatives
    }

    /// One text, letter by letter; nil where it is nothing but space.
    package init?(literal text: String) {
        let form = SearchQuery.trimmed(NormalForm.of(text))
        if form.isEmpty { return nil }
        alternatives = [[Term(text: form, isExcluded: false)]]
    }

    private struct Word {
        var text: String
        var isExcluded = false
        var isOr = false
    }

    /// Scalar by scalar: a mark behind a quotation mark is part of what is quoted.
    private static func words(of text: String) -> [Word] {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }
        func string(_ part: Substring.UnicodeScalarView) -> String { String(String.UnicodeScalarView(part)) }
        var words: [Word] = []
        var rest = Substring(text).unicodeScalars
        while true {
            rest = rest.drop(while: isSpace)
            guard let first = rest.first else { return words }
            let next = rest.dropFirst().first
            let isExcluded = first == "-" && next.map { !isSpace($0) } ?? false
            let body = isExcluded ? rest.dropFirst() : rest
            let inner = body.dropFirst()
            if body.first == "\"", let end = inner.firstIndex(of: "\""), end > inner.startIndex {
                words.append(Word(text: string(inner[..<end]), isExcluded: isExcluded))
                rest = inner[inner.index(after: end)...]
                continue
            }
            let word = body.prefix { !isSpace($0) }
            let spelled = string(word)
            words.append(Word(text: spelled, isExcluded: isExcluded, isOr: spelled == "OR" && !isExcluded))
            rest = body[word.endIndex...]
        }
    }

    private static func trimmed(_ form: [UInt8]) -> [UInt8] {
        var form = form[...]
        if form.first == 0x20 { form.removeFirst() }
        if form.last == 0x20 { form.removeLast() }
        return Array(form)
    }

    /// Whether a text in normal form is what is looked for.
    package func matches(_ form: [UInt8]) -> Bool {
        alternatives.contains { terms in
            terms.allSatisfy { (ByteSearch.first($0.text.span, in: form.span) != nil) != $0.isExcluded }
        }
    }

    /// What must be there in one way or another, in normal form: what is shown as found.
    var shown: [[UInt8]] { alternatives.joined().filter { !$0.isExcluded }.map(\.text) }

    /// What is asked of the index, in the words of FTS5; nil where the index cannot tell, so that all must be looked at.
    package var expression: String? {
        var parts: [String] = []
        for terms in alternatives {
            var grams: Set<[UInt8]> = [], beginnings: [[UInt8]] = []
            for term in terms where !term.isExcluded {
                let needed = Grams.needed(for: term.text)
                grams.formUnion(needed.whole)
                if let beginning = needed.beginning { beginnings.append(beginning) }
            }
            // What begins a gram is dear to look up, and is checked anyway.
            let words =
                grams.isEmpty
                ? beginnings.prefix(1).map { SearchQuery.quoted($0) + " *" }
                : grams.sorted { $0.lexicographicallyPrecedes($1) }.prefix(SearchQuery.mostGrams).map(
                    SearchQuery.quoted)
            if words.isEmpty { return nil }
            parts.append("(" + words.joined(separator: " AND ") + ")")
        }
        return parts.joined(separator: " OR ")
    }

    /// Grams of one alternative that the index is asked for; what they find is checked.
    private static let mostGrams = 48

    /// A gram as FTS5 is asked for it (https://sqlite.org/fts5.html, section 3.1).
    package static func quoted(_ gram: [UInt8]) -> String {
        let text = String(decoding: gram, as: UTF8.self)
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
            + "\""
    }

    /// How well a text in normal form fits, for an order by rank: often, as whole words, and in a short text.
    package func score(_ form: [UInt8]) -> Double {
        var sum = 0.0
        for text in shown {
            var count = 0.0, at = 0
            while count < 32, let found = ByteSearch.first(text.span, in: form.span, from: at) {
                at = found + text.count
                let isWord =
                    (found == 0 || !SearchQuery.isLetter(form[found - 1]))
                    && (at == form.count || !SearchQuery.isLetter(form[at]))
                count += isWord ? 1 : 0.5
            }
            // BM25's shape (Robertson and Zaragoza 2009, section 3.4) with k1 1.2, b 0.75, and 1,000 bytes for the usual length.
            sum += count * 2.2 / (count + 1.2 * (0.25 + 0.75 * Double(form.count) / 1_000))
        }
        return sum
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte >= 0x80
    }
}

/// Why a question cannot be asked: one sentence without its subject.
package struct SearchQueryError: Error, Sendable, Equatable {
    /// What is wrong, and what to do.
    package let reason: String
    init(_ reason: String) { self.reason = reason }
}
