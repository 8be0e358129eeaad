internal import Typesetting

/// Rows under headings for a person, TAB-separated without headings for a pipe.
struct Table {
    struct Column {
        let title: String
        var isRight = false
        /// Whether it gives way when the table is too wide.
        var isFlexible = false
        /// Whether it is said in full: it is the last, and stands below its row where it has no room beside.
        var isWhole = false
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ row: [String]) { rows.append(row.map { Console.harmless($0, keepingLines: false) }) }

    /// Prints it the way that standard output asks for.
    func print(on console: Console) {
        guard console.isOutputTerminal else {
            for row in rows { console.print(row.joined(separator: "\t")) }
            return
        }
        let widths = fitted(to: console.columns)
        guard Table.width(widths) <= console.columns else { return printNarrow(console) }
        let last = columns.count - 1
        if columns[last].isWhole, rows.contains(where: { TextWidth.of($0[last]) > widths[last] }) {
            return printBelow(console)
        }
        console.print(console.styled(line(columns.map(\.title), widths), .bold))
        for row in rows { console.print(line(row, widths)) }
    }

    /// Rows with what there is to say of each on lines of its own.
    private func printBelow(_ console: Console) {
        var rest = Table(Array(columns.dropLast()))
        rest.rows = rows.map { Array($0.dropLast()) }
        let widths = rest.fitted(to: console.columns)
        guard Table.width(widths) <= console.columns else { return printNarrow(console) }
        console.print(console.styled(rest.line(rest.columns.map(\.title), widths), .bold))
        for (row, words) in zip(rest.rows, rows.map { $0.last ?? "" }) {
            console.print(rest.line(row, widths))
            for line in TextWidth.wrapped(words, to: console.columns - 3) where !line.isEmpty {
                console.print(console.styled("  \(line)", .dim))
            }
        }
    }

    /// Rows that have no room beside each other's headings: a name, and what there is to say of it.
    private func printNarrow(_ console: Console) {
        for row in rows {
            console.print(console.styled(TextWidth.fitted(row[0], to: console.columns), .bold))
            console.print(
                facts: zip(columns, row).dropFirst().filter { !$1.isEmpty }.map {
                    "\($0.title.lowercased()) \($1)"
                })
        }
    }

    private func line(_ row: [String], _ widths: [Int]) -> String {
        var cells: [String] = []
        for (index, cell) in row.enumerated() {
            let text = TextWidth.fitted(cell, to: widths[index])
            let isLast = index == row.count - 1 && !columns[index].isRight
            cells.append(
                isLast ? text : TextWidth.padded(text, to: widths[index], isRight: columns[index].isRight))
        }
        return cells.joined(separator: "  ")
    }

    /// Columns that all of them take together.
    private static func width(_ widths: [Int]) -> Int { widths.reduce(0, +) + 2 * (widths.count - 1) }

    private func fitted(to width: Int) -> [Int] {
        var widths = columns.map { TextWidth.of($0.title) }
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], TextWidth.of(cell)) }
        }
        var excess = Table.width(widths) - width
        // The widest gives way first.
        while excess > 0,
            let index = columns.indices.filter({ columns[$0].isFlexible && widths[$0] > 8 }).max(by: {
                widths[$0] < widths[$1]
            })
        {
            widths[index] -= 1
            excess -= 1
        }
        return widths
    }
}
