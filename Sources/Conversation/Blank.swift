extension String {
    /// Whether the text says nothing: it is empty, or holds white space, separators and marks without width alone.
    ///
    /// Providers strip by Unicode's notion of white space, and some refuse what is left empty (wire.md A5, E2): Python's
    /// adds U+001C to U+001F to it, JavaScript's U+FEFF.
    package var isBlank: Bool {
        unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x21...0x7E: false
            case 0x1C...0x1F, 0x200B, 0xFEFF: true
            default: scalar.properties.isWhitespace
            }
        }
    }
}

extension Part {
    /// Whether the part is text that says nothing.
    package var isBlank: Bool { if case .text(let text) = self { text.isBlank } else { false } }
}
