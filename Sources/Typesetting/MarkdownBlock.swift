/// A part of a Markdown document.
package indirect enum MarkdownBlock: Sendable, Hashable {
    case heading(level: Int, [StyledRun])
    case paragraph([StyledRun])
    case code(language: String, String)
    case quote([MarkdownBlock])
    case list(MarkdownList)
    case rule
    case table(MarkdownTable)
}

/// A list of Markdown.
package struct MarkdownList: Sendable, Hashable {
    /// An item of it.
    package struct Item: Sendable, Hashable {
        /// Whether a task is done; nil where it is none.
        package var isDone: Bool?
        package var blocks: [MarkdownBlock]
    }

    /// The number of the first item; nil for a list without numbers.
    package var start: Int?
    /// Whether there are no blank lines between its items.
    package var isTight: Bool
    package var items: [Item]
}

/// A table of Markdown.
package struct MarkdownTable: Sendable, Hashable {
    /// Where the text of a column stands.
    package enum Alignment: Sendable, Hashable { case left, center, right }

    package var alignments: [Alignment]
    /// The cells, the head's first.
    package var rows: [[[StyledRun]]]
}

extension MarkdownBlock {
    /// The text of the first block of code, in the order of reading, as it was written; nil where there is none.
    package static func firstCode(of text: String) -> String? {
        firstCode(in: read(text, keepsWords: false)).map { asWritten($0, in: text) }
    }

    /// A block of code as it stands between its fences.
    ///
    /// The parser makes blanks of the tabs at the beginning of its lines, which no Makefile and no patch survives. What is found
    /// otherwise, as without fences, is left as the parser has it.
    private static func asWritten(_ code: String, in text: String) -> String {
        func words(_ text: String) -> [Character] { text.filter { !$0.isWhitespace } }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.hasSuffix("\r") ? $0.dropLast() : $0
        }
        for (index, line) in lines.enumerated() {
            let prefix = line.prefix { " \t>-*+.)0123456789".contains($0) }, rest = line[prefix.endIndex...]
            guard let sign = rest.first, sign == "`" || sign == "~" else { continue }
            let fence = rest.prefix { $0 == sign }
            if fence.count < 3 { continue }
            var found: [Substring] = []
            for line in lines[(index + 1)...] {
                let bare = line.drop { " \t>".contains($0) }
                if bare.count(where: { $0 == sign }) >= fence.count,
                    bare.allSatisfy({ $0 == sign || $0 == " " })
                {
                    break
                }
                var inner = line
                for sign in prefix {
                    // A tab is four blanks at most, and stands where a mark of the list did.
                    if sign == "\t", inner.first == " " {
                        inner = inner.dropFirst(min(4, inner.prefix { $0 == " " }.count))
                    } else if inner.first == " " || inner.first == ">" || sign == "\t" && inner.first == "\t"
                    {
                        inner.removeFirst()
                    }
                }
                found.append(inner)
            }
            let raw = found.joined(separator: "\n")
            return words(raw) == words(code) ? raw : code
        }
        return code
    }

    /// The first block of code among some, those in quotes and lists with it; nil where there is none.
    package static func firstCode(in blocks: [MarkdownBlock]) -> String? {
        for block in blocks {
            switch block {
            case .code(_, let text): return text
            case .quote(let inner): if let found = firstCode(in: inner) { return found }
            case .list(let list): if let found = firstCode(in: list.items.flatMap(\.blocks)) { return found }
            default: continue
            }
        }
        return nil
    }
}
