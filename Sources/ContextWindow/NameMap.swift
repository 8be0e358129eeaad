/// Which names a dialect takes, of tools or of calls.
package struct NameRule: Sendable, Equatable {
    /// Characters at most.
    package let longest: Int
    /// Signs that may stand in a name beside ASCII letters, digits and `_`.
    package let signs: String
    /// Whether a name must begin with a letter or `_`.
    package let beginsWithLetter: Bool

    package init(longest: Int, signs: String = "-", beginsWithLetter: Bool = false) {
        self.longest = longest
        self.signs = signs
        self.beginsWithLetter = beginsWithLetter
    }

    /// What every dialect takes.
    static let narrowest = NameRule(longest: 40, signs: "", beginsWithLetter: true)

    /// Whether a name may go as it is.
    package func takes(_ name: String) -> Bool {
        let scalars = name.unicodeScalars
        return !name.isEmpty && scalars.count <= longest && scalars.allSatisfy(takes)
            && (!beginsWithLetter || begins(name))
    }

    private func takes(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_": true
        default: signs.unicodeScalars.contains(scalar)
        }
    }

    private func begins(_ name: String) -> Bool {
        switch name.unicodeScalars.first {
        case ("a"..."z")?, ("A"..."Z")?, "_"?: true
        default: false
        }
    }

    /// A name that may go and is as much like this one as may be: `_` stands for what is not taken.
    fileprivate func fitted(_ name: String) -> String {
        var scalars = String.UnicodeScalarView(name.unicodeScalars.map { takes($0) ? $0 : "_" })
        if scalars.isEmpty || beginsWithLetter && !begins(String(scalars)) {
            scalars.insert("_", at: scalars.startIndex)
        }
        return String(String.UnicodeScalarView(scalars.prefix(longest)))
    }

    /// Whether some of a name does not fit: others that begin alike would be one with it.
    fileprivate func cuts(_ name: String) -> Bool {
        let first = name.unicodeScalars.first.map { takes($0) ? String($0) : "_" } ?? "_"
        return name.unicodeScalars.count + (beginsWithLetter && !begins(first) ? 1 : 0) > longest
    }

    /// The same with a hash of the name behind it.
    fileprivate func marked(_ name: String, digits: Int) -> String {
        let mark = "_" + NameRule.hash(name, digits: digits)
        return String(fitted(name).prefix(max(1, longest - mark.count))) + mark
    }

    /// So many hexadecimal digits of FNV-1a, which is the same in every run.
    private static func hash(_ name: String, digits: Int) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let text = String(hash, radix: 16)
        return String((String(repeating: "0", count: 16 - text.count) + text).suffix(digits))
    }
}

/// Names as one request says them: each differs from the others, and is the same wherever it stands.
///
/// What becomes of a name hangs on the names of the request alone, not on their order.
package struct NameMap: Sendable, Equatable {
    private var sent: [String: String] = [:]
    private var originals: [String: String] = [:]

    /// Every name goes as it is.
    package init() {}

    /// Maps those of the names that the rule does not take.
    package init(_ names: Set<String>, _ rule: NameRule) {
        let foreign = names.filter { !rule.takes($0) }.sorted()
        if foreign.isEmpty { return }
        var taken = names.subtracting(foreign)
        let alike = Dictionary(grouping: foreign) { rule.fitted($0) }
        for name in foreign {
            var mapped = rule.fitted(name), digits = 6
            // Two that would look alike both get a hash, so that it does not matter which came first. One that is cut gets it
            // in any case: long IDs begin alike, and each is to be the same in every request.
            while taken.contains(mapped) || digits == 6 && (alike[mapped]?.count ?? 0 > 1 || rule.cuts(name))
                || mapped.isBare
            {
                mapped = rule.marked(name, digits: digits)
                digits += 1
                if digits > 16 { break }
            }
            taken.insert(mapped)
            sent[name] = mapped
            originals[mapped] = name
        }
    }

    /// How many names are sent otherwise than they are.
    package var count: Int { sent.count }
    package var isEmpty: Bool { sent.isEmpty }

    /// The originals by the names that the request says for them.
    package var originalsBySent: [String: String] { originals }

    /// The name as the request says it.
    package func sent(_ name: String) -> String { sent[name] ?? name }

    /// The name that an answer to the request means.
    package func original(_ name: String) -> String { originals[name] ?? name }
}

extension String {
    /// Whether nothing is left of a name that tells it from others.
    fileprivate var isBare: Bool { allSatisfy { $0 == "_" || $0 == "-" } }
}
