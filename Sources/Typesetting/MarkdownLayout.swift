extension [MarkdownBlock] {
    /// The lines of blocks for so many columns, with a blank one between them.
    ///
    /// Lines of code are never broken: who copies
    /// them wants them whole.
    package func lines(columns: Int) -> [StyledLine] {
        MarkdownLayout.lines(self, Swift.max(10, columns), isTight: false)
    }
}

private enum MarkdownLayout {
    static func lines(_ blocks: [MarkdownBlock], _ columns: Int, isTight: Bool) -> [StyledLine] {
        var lines: [StyledLine] = []
        for (index, block) in blocks.enumerated() {
            if index > 0 && !isTight { lines.append(StyledLine()) }
            lines += self.lines(block, columns)
        }
        return lines
    }

    private static func lines(_ block: MarkdownBlock, _ columns: Int) -> [StyledLine] {
        switch block {
        case .heading(let level, let runs):
            let style: TextStyle = level == 1 ? [.bold, .underlined] : .bold
            return StyledLine.wrapped(runs.map { StyledRun($0.text, $0.style.union(style)) }, to: columns)
        case .paragraph(let runs): return StyledLine.wrapped(runs, to: columns)
        case .code(let language, let text):
            let head = StyledLine([StyledRun("── " + language, .dim)])
            let code = text.split(separator: "\n", omittingEmptySubsequences: false)
            return [head]
                + code.map {
                    StyledLine([StyledRun(TextWidth.expandingTabs(String($0)), .code)])
                }
                + [StyledLine([StyledRun("──", .dim)])]
        case .quote(let blocks):
            let inner = lines(blocks, Swift.max(10, columns - 2), isTight: false)
            return inner.map { StyledLine([StyledRun("│ ", .dim)] + $0.runs) }
        case .list(let list): return lines(list, columns)
        case .rule:
            return [StyledLine([StyledRun(String(repeating: "─", count: Swift.min(columns, 40)), .dim)])]
        case .table(let table): return TableLayout(table).lines(columns)
        }
    }

    private static func lines(_ list: MarkdownList, _ columns: Int) -> [StyledLine] {
        var lines: [StyledLine] = []
        let last = list.start.map { "\($0 + Swift.max(0, list.items.count - 1)). " }
        for (index, item) in list.items.enumerated() {
            if index > 0 && !list.isTight { lines.append(StyledLine()) }
            var mark = list.start.map { "\($0 + index). " } ?? "• "
            if let last { mark = TextWidth.padded(mark, to: last.count, isRight: true) }
            if let isDone = item.isDone { mark += isDone ? "☑ " : "☐ " }
            let room = String(repeating: " ", count: TextWidth.of(mark))
            let inner = self.lines(item.blocks, Swift.max(10, columns - room.count), isTight: list.isTight)
            for (row, line) in (inner.isEmpty ? [StyledLine()] : inner).enumerated() {
                let lead = StyledRun(row == 0 ? mark : room)
                lines.append(StyledLine(row > 0 && line.runs.isEmpty ? [] : [lead] + line.runs))
            }
        }
        return lines
    }
}

/// A table in columns as wide as they need, or as there is room.
private struct TableLayout {
    private let table: MarkdownTable
    private let count: Int
    /// Between two columns.
    private static let gap = StyledRun(" │ ", .dim)

    init(_ table: MarkdownTable) {
        self.table = table
        count = table.rows.map(\.count).max() ?? 0
    }

    func lines(_ columns: Int) -> [StyledLine] {
        guard let widths = widths(columns) else { return records(columns) }
        var lines: [StyledLine] = []
        for (index, row) in table.rows.enumerated() {
            lines += self.lines(row, widths, isHead: index == 0)
            guard index == 0 else { continue }
            let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "─┼─")
            lines.append(StyledLine([StyledRun(rule, .dim)]))
        }
        return lines
    }

    /// What each column needs; where that is too much the widest give way, as far as their words are whole, or down to twelve.
    ///
    /// Nil where that is too much still.
    private func widths(_ columns: Int) -> [Int]? {
        func cells(_ column: Int) -> [[StyledRun]] {
            table.rows.compactMap { $0.indices.contains(column) ? $0[column] : nil }
        }
        var widths = (0..<count).map { cells($0).map { StyledLine($0).width }.max() ?? 0 }.map { max(1, $0) }
        let least = (0..<count).map { column in
            let words = cells(column).map { StyledLine.longestWord(of: $0) }.max() ?? 0
            return min(TableLayout.wordWidth, max(4, words))
        }
        var excess = widths.reduce(0, +) + 3 * (count - 1) - columns
        while excess > 0 {
            let wide = widths.indices.filter { widths[$0] > least[$0] }
            guard let widest = wide.max(by: { widths[$0] < widths[$1] }) else { return nil }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }

    /// Columns that a word has in a table without being broken.
    private static let wordWidth = 12

    /// Rows one below the other, each cell behind its column's head: what has no room beside each other.
    private func records(_ columns: Int) -> [StyledLine] {
        let heads = table.rows.first ?? []
        var lines: [StyledLine] = []
        for (index, row) in table.rows.enumerated() where index > 0 || table.rows.count == 1 {
            if index > 1 { lines.append(StyledLine([StyledRun("──", .dim)])) }
            for column in row.indices {
                let head = index > 0 && heads.indices.contains(column) ? heads[column] : []
                if head.isEmpty && row[column].isEmpty { continue }
                let named = head.isEmpty ? [] : head.map { StyledRun($0.text, $0.style.union(.bold)) }
                let mark = named.isEmpty ? [] : [StyledRun(": ", .bold)]
                for (part, line) in StyledLine.wrapped(named + mark + row[column], to: columns - 2)
                    .enumerated()
                {
                    lines.append(part == 0 ? line : StyledLine([StyledRun("  ")] + line.runs))
                }
            }
        }
        return lines
    }

    private func lines(_ row: [[StyledRun]], _ widths: [Int], isHead: Bool) -> [StyledLine] {
        let cells = widths.indices.map { column in
            let runs = row.indices.contains(column) ? row[column] : []
            let styled = isHead ? runs.map { StyledRun($0.text, $0.style.union(.bold)) } : runs
            return StyledLine.wrapped(styled, to: widths[column])
        }
        let height = cells.map(\.count).max() ?? 0
        return (0..<height).map { line in
            var runs: [StyledRun] = []
            for column in widths.indices {
                let text = line < cells[column].count ? cells[column][line] : StyledLine()
                let room = max(0, widths[column] - text.width)
                let alignment = column < table.alignments.count ? table.alignments[column] : .left
                let before = alignment == .right ? room : alignment == .center ? room / 2 : 0
                if column > 0 { runs.append(TableLayout.gap) }
                if before > 0 { runs.append(StyledRun(String(repeating: " ", count: before))) }
                runs += text.runs
                let isLast = column == widths.count - 1
                if room > before && !isLast {
                    runs.append(StyledRun(String(repeating: " ", count: room - before)))
                }
            }
            return StyledLine(runs)
        }
    }
}
