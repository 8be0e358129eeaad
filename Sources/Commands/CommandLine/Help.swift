internal import Typesetting

/// What `convo help` prints.
enum Help {
    /// What `convo` alone prints.
    static var short: String {
        """
        usage: convo COMMAND [options] [arguments]

        Talks to convod, the daemon that keeps conversations; starts it when none runs.

        \(table(Command.all.map { ($0.name, $0.summary) }))

        Try 'convo chat', or 'convo send hello'. 'convo help COMMAND' says more about one, 'convo man'
        prints all of it, 'convo help TOPIC' is on \(HelpTopic.all.map(\.name).joined(separator: ", ")).
        Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 no daemon, 5 upstream failed or
        a limit holds it back, 129 hung up, 130 cancelled, 141 the output was closed, 143 terminated.
        """
    }

    /// The help of one command.
    static func text(of command: Command) -> String {
        var text = "usage: convo \(command.name)"
        if !command.options.isEmpty { text += " [options]" }
        if !command.arguments.isEmpty { text += " \(command.arguments)" }
        text += "\n\n\(sentence(command.summary))\n"
        if !command.details.isEmpty { text += "\n\(command.details)\n" }
        if !command.options.isEmpty { text += "\noptions:\n\(table(command.options))\n" }
        return text + "\nwith every command:\n\(table(Option.everywhere))"
    }

    /// Prints help: as it is written, or on a terminal that is too narrow for that in lines that fit.
    static func print(_ text: String, on console: Console) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard console.isOutputTerminal, lines.contains(where: { TextWidth.of($0) >= console.columns }) else {
            return console.print(text)
        }
        for line in fitted(lines, to: max(20, console.columns - 1)) { console.print(line) }
    }

    /// Lines of so many columns: those of a paragraph run on, what stands in a table or is set in stays where it begins.
    static func fitted(_ lines: [String], to width: Int) -> [String] {
        var fitted: [String] = [], paragraph: [String] = []
        func end() {
            if !paragraph.isEmpty { fitted += TextWidth.wrapped(paragraph.joined(separator: " "), to: width) }
            paragraph = []
        }
        for line in lines {
            if !line.hasPrefix(" "), !line.isEmpty {
                paragraph.append(line)
                continue
            }
            end()
            fitted += hung(line, width)
        }
        end()
        return fitted
    }

    /// A line of a table, or one that is set in: what follows is set in further, under the second column where that has room.
    private static func hung(_ line: String, _ width: Int) -> [String] {
        let text = line.drop { $0 == " " }
        let inset = String(repeating: " ", count: line.count - text.count)
        guard let gap = text.firstRange(of: "  ") else {
            if TextWidth.of(line) <= width { return [line] }
            let lines = TextWidth.wrapped(String(text), to: width - inset.count - 2)
            return lines.enumerated().map { inset + ($0 == 0 ? "" : "  ") + $1 }
        }
        let name = text[..<gap.lowerBound], rest = text[gap.upperBound...].drop { $0 == " " }
        let column = line.count - rest.count
        // What leaves too little beside it stands above.
        let isBeside = column + 20 <= width
        if isBeside, TextWidth.of(line) <= width { return [line] }
        let begin = isBeside ? column : inset.count + 4
        let lines = TextWidth.wrapped(String(rest), to: width - begin)
        let head = isBeside ? TextWidth.padded(inset + name, to: begin) : inset + name
        let blank = String(repeating: " ", count: begin)
        if !isBeside { return [head] + lines.map { blank + $0 } }
        return lines.enumerated().map { ($0 == 0 ? head : blank) + $1 }
    }

    private static func table(_ options: [Option]) -> String { table(options.map { ($0.spelling, $0.help) }) }

    private static func table(_ rows: [(name: String, words: String)]) -> String {
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { "  \(TextWidth.padded($0.name, to: width))  \($0.words)" }.joined(separator: "\n")
    }

    private static func sentence(_ summary: String) -> String {
        summary.prefix(1).uppercased() + summary.dropFirst() + "."
    }
}

extension Command {
    static let help = Command(
        name: "help", summary: "show what convo can do, or more about one command or topic",
        arguments: "[COMMAND|TOPIC]",
        count: 0...1
    ) { invocation throws(CommandError) in
        guard let name = invocation.positionals.first else {
            Help.print(Help.short, on: invocation.console)
            return .success
        }
        guard let command = Command.all.first(where: { $0.name == name }) else {
            let topics = HelpTopic.all
            if let topic = topics.first(where: { $0.name == name }) {
                topic.print(invocation)
                return .success
            }
            let known = Command.all.map(\.name) + topics.map(\.name)
            throw .usage("'\(name)' is no command; \(hint(name, known, "convo help"))")
        }
        Help.print(Help.text(of: command), on: invocation.console)
        // A page may be about more than the command whose name it has.
        if let topic = HelpTopic.all.first(where: { $0.name == name }) {
            invocation.console.print("")
            topic.print(invocation)
        }
        return .success
    }
}
