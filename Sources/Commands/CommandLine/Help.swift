internal import Typesetting

/// What `convo help` prints.
enum Help {
    /// What `convo` alone prints.
    static var short: String {
        let width = Command.all.map(\.name.count).max() ?? 0
        let lines = Command.all.map { "  \(TextWidth.padded($0.name, to: width))  \($0.summary)" }
        return """
            usage: convo COMMAND [options] [arguments]

            Talks to convod, the daemon that keeps conversations; starts it when none runs.

            \(lines.joined(separator: "\n"))

            Try 'convo chat', or 'convo send hello'. 'convo help COMMAND' says more about one, 'convo man'
            prints all of it, 'convo help TOPIC' is on \(HelpTopic.all.map(\.name).joined(separator: ", ")).
            Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 no daemon, 5 upstream failed or
            a limit holds it back, 130 cancelled, 141 the output was closed, 143 terminated.
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

    private static func table(_ options: [Option]) -> String {
        let width = options.map(\.spelling.count).max() ?? 0
        return options.map { "  \(TextWidth.padded($0.spelling, to: width))  \($0.help)" }.joined(
            separator: "\n")
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
            invocation.console.print(Help.short)
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
        invocation.console.print(Help.text(of: command))
        return .success
    }
}
