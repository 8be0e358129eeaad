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
    /// The text of the first block of code, in the order of reading; nil where there is none.
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
