internal import Protocol

/// What a command line says, before anything is done about it.
struct ParsedArguments: Sendable {
    fileprivate(set) var command: Command?
    fileprivate(set) var positionals: [String] = []
    private var values: [String: [String]] = [:]

    /// The option's value; the last one wins.
    func value(_ option: Option) -> String? { values[option.long]?.last }
    /// All of the option's values, in their order.
    func values(_ option: Option) -> [String] { values[option.long] ?? [] }
    func has(_ option: Option) -> Bool { values[option.long] != nil }

    /// An option's value as a whole number of 0 or more.
    func number(_ option: Option) throws(CommandError) -> Int? {
        guard let text = value(option) else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw .usage("--\(option.long) takes a whole number, not '\(text)'")
        }
        return number
    }

    fileprivate mutating func add(_ option: Option, _ value: String) {
        values[option.long, default: []].append(value)
    }
}

/// Reads a command line: `convo [options] COMMAND [options] [arguments]`.
struct ArgumentParser {
    private let commands: [Command]
    private var parsed = ParsedArguments()
    private var rest: ArraySlice<String>

    /// Takes a command line apart; what nobody knows is an error with a suggestion.
    static func parse(_ arguments: [String], commands: [Command]) throws(CommandError) -> ParsedArguments {
        var parser = ArgumentParser(commands: commands, rest: arguments[...])
        try parser.run()
        return parser.parsed
    }

    private init(commands: [Command], rest: ArraySlice<String>) {
        self.commands = commands
        self.rest = rest
    }

    private var options: [Option] { Option.everywhere + (parsed.command?.options ?? []) }

    private mutating func run() throws(CommandError) {
        while let argument = rest.popFirst() {
            if argument == "--" {
                for argument in rest { try positional(argument) }
                break
            } else if argument.hasPrefix("--") {
                try long(argument.dropFirst(2))
            } else if argument.hasPrefix("-") && argument != "-" {
                try short(argument.dropFirst())
            } else {
                try positional(argument)
            }
        }
        try checkCount()
    }

    private mutating func positional(_ argument: String) throws(CommandError) {
        guard parsed.command != nil else {
            guard let command = commands.first(where: { $0.name == argument }) else {
                throw .usage(
                    "'\(argument)' is no command; \(hint(argument, commands.map(\.name), "convo help"))")
            }
            parsed.command = command
            return
        }
        parsed.positionals.append(argument)
    }

    private mutating func long(_ argument: Substring) throws(CommandError) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = options.first(where: { $0.long == name }) else {
            throw unknown("--\(name)", options.map { "--\($0.long)" })
        }
        if option.value == nil {
            guard parts.count == 1 else { throw .usage("--\(name) takes no value") }
            parsed.add(option, "")
        } else {
            parsed.add(option, parts.count == 2 ? String(parts[1]) : try next(for: "--\(name)", option))
        }
    }

    /// A letter or several; the value of the last one may stand right behind it.
    private mutating func short(_ argument: Substring) throws(CommandError) {
        var letters = argument
        while let letter = letters.popFirst() {
            guard let option = options.first(where: { $0.short == letter }) else {
                throw unknown("-\(letter)", options.compactMap { $0.short.map { "-\($0)" } })
            }
            guard option.value != nil else {
                parsed.add(option, "")
                continue
            }
            parsed.add(option, letters.isEmpty ? try next(for: "-\(letter)", option) : String(letters))
            return
        }
    }

    private mutating func next(for name: String, _ option: Option) throws(CommandError) -> String {
        guard let value = rest.popFirst() else {
            throw .usage("\(name) needs a value: \(option.value ?? "")")
        }
        return value
    }

    private func checkCount() throws(CommandError) {
        guard let command = parsed.command, !parsed.has(.help), !parsed.has(.version) else { return }
        // Both name the session that is there.
        if parsed.has(.session), parsed.has(.continue) {
            throw .usage("--session and --continue cannot stand together")
        }
        // A fork is made of the one that is named.
        if parsed.has(.new) || parsed.has(.ephemeral), command.name != "fork",
            let other = [Option.session, .continue].first(where: parsed.has)
        {
            let mine = parsed.has(.new) ? Option.new : .ephemeral
            throw .usage(
                "--\(other.long) and --\(mine.long) cannot stand together: one names a session that is there, the other makes one"
            )
        }
        let count = parsed.positionals.count
        if count < command.count.lowerBound {
            throw .usage(
                "'\(command.name)' needs \(command.arguments); 'convo help \(command.name)' says more")
        }
        if count > command.count.upperBound {
            let extra = parsed.positionals[command.count.upperBound]
            throw .usage("'\(command.name)' does not take '\(extra)'; 'convo help \(command.name)' says more")
        }
    }

    private func unknown(_ name: String, _ known: [String]) -> CommandError {
        let help = parsed.command.map { "convo help \($0.name)" } ?? "convo help"
        return .usage("'\(name)' is no option here; \(hint(name, known, help))")
    }
}

/// What to do about a word that nobody knows: the one that was meant, else where they are listed.
func hint(_ word: String, _ known: [String], _ list: String) -> String {
    // A short word is close to many.
    let most = word.count < 4 ? 1 : max(2, word.count / 3)
    let meant = Spelling.nearest(to: word, in: known, within: most)
    return meant.map { "did you mean '\($0)'?" } ?? "'\(list)' lists them"
}
