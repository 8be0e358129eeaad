internal import Protocol

/// The manual pages, out of what `--help` is made of.
enum ManualPage {
    /// convo(1), in the language of man(7).
    static var convo: String {
        var lines = [
            ".TH CONVO 1 \"\" \"convo \(Version.text)\" \"User commands\"", ".SH NAME",
            "convo \\- talk with language models, and look at what was said", ".SH SYNOPSIS", ".B convo",
            "[\\fIcommand\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]]", ".SH DESCRIPTION",
            "convo talks to \\fBconvod\\fR(8), the daemon that keeps conversations, and starts it when none runs.",
            "Without a command a session is chosen on the terminal, and gone on in.", ".SH COMMANDS",
        ]
        for command in Command.all {
            lines.append(
                ".SS \(escaped((["convo", command.name] + (command.arguments.isEmpty ? [] : [command.arguments])).joined(separator: " ")))"
            )
            lines.append(escaped(command.summary.prefix(1).uppercased() + command.summary.dropFirst() + "."))
            if !command.details.isEmpty {
                lines.append(".PP")
                lines += paragraphs(command.details)
            }
            lines += command.options.flatMap(entry)
        }
        lines.append(".SH OPTIONS OF EVERY COMMAND")
        lines += Option.everywhere.flatMap(entry)
        lines += [".SH EXIT STATUS"]
        for (code, words) in codes { lines += [".TP", ".B \(code)", escaped(words)] }
        lines += [
            ".SH FILES", ".TP", ".I ~/.config/convod/config.json5", "the configuration", ".TP",
            ".I ~/.config/convod/templates/", "prompts to fill in", ".TP", ".I ~/.config/convod/aliases",
            "short names for models", ".TP", ".I ~/.local/share/convod/convod.db", "the conversations", ".TP",
            ".I ~/.local/state/convod/convod.log", "what the daemon logs", ".SH SEE ALSO", ".BR convod (8)",
        ]
        return lines.joined(separator: "\n")
    }

    /// convod(8).
    static let convod = """
        .TH CONVOD 8 "" "convod \(Version.text)" "System administration"
        .SH NAME
        convod \\- the daemon that owns conversations with language models
        .SH SYNOPSIS
        .B convod
        [\\fB\\-\\-config\\fR \\fIfile\\fR] [\\fB\\-\\-socket\\fR \\fIpath\\fR] [\\fB\\-\\-database\\fR \\fIfile\\fR]
        [\\fB\\-\\-check\\fR | \\fB\\-\\-check\\-copy\\fR \\fIfile\\fR]
        .SH DESCRIPTION
        convod gives each conversation a session ID, keeps its whole history in SQLite, sends a window of it to the model with
        every prompt, and speaks line\\-delimited JSON on a Unix socket, whose chat part is the Agent Client Protocol.
        .PP
        SIGHUP reads the configuration anew, SIGTERM ends the daemon when running answers have ended or a time is over.
        .SH OPTIONS
        .TP
        .BI \\-\\-config " file"
        the configuration (JSON5), else $CONVOD_CONFIG, else ~/.config/convod/config.json5
        .TP
        .BI \\-\\-socket " path"
        where to listen, else $CONVOD_SOCKET, else what the configuration says
        .TP
        .BI \\-\\-database " path"
        where conversations are kept, else $CONVOD_DATABASE, else what the configuration says
        .TP
        .B \\-\\-check
        reads the configuration and ends: with 2 where no daemon would start with it, and what is wrong, else with 0 and a
        warning for each thing that it would lack
        .TP
        .BI \\-\\-check\\-copy " file"
        looks at a copy of a database and ends: with 1 where it is none, or damaged, and what is wrong, else with 0
        .TP
        .B \\-\\-version
        prints the version
        .SH EXIT STATUS
        0 stopped, 1 could not run, 2 usage or configuration
        .SH SEE ALSO
        .BR convo (1)
        """

    /// What `convo` ends with.
    static let codes: [(code: Int32, words: String)] = [
        (0, "all went well"), (1, "something failed"), (2, "the command line was wrong"),
        (3, "what was named is not there"), (4, "no daemon answers"),
        (5, "the upstream failed, or a limit holds it back"), (129, "ended by SIGHUP"),
        (130, "cancelled by Ctrl-C"),
        (141, "nobody reads the output any more"), (143, "ended by SIGTERM"),
    ]

    /// Text that is filled by the page's own width; a line that ends one, or stands in a column, ends there.
    private static func paragraphs(_ text: String) -> [String] {
        var lines: [String] = []
        for line in text.split(separator: "\n") {
            lines.append(escaped(String(line)))
            if line.count < shortLine || line.contains("  ") { lines.append(".br") }
        }
        if lines.last == ".br" { lines.removeLast() }
        return lines
    }

    /// Characters below which a line of the help is the last of its paragraph.
    private static let shortLine = 80

    private static func entry(_ option: Option) -> [String] {
        [".TP", ".B \(escaped(option.spelling))", escaped(option.help)]
    }

    /// Text that means nothing to roff (groff(7), "Escape sequences").
    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "\\": out += "\\e"
            case "-": out += "\\-"
            default: out.append(character)
            }
        }
        return out.hasPrefix(".") || out.hasPrefix("'") ? "\\&" + out : out
    }
}

extension Command {
    static let man = Command(
        name: "man", summary: "print a manual page", arguments: "[convo|convod]", count: 0...1,
        details: "'convo man | man -l -' shows it; the installation puts both in place."
    ) { invocation throws(CommandError) in
        switch invocation.positionals.first ?? "convo" {
        case "convo": invocation.console.print(ManualPage.convo)
        case "convod": invocation.console.print(ManualPage.convod)
        case let other:
            throw .usage("there is no manual page '\(other)': 'convo man' and 'convo man convod' print one")
        }
        return .success
    }
}
