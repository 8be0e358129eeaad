internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

extension Command {
    static let completion = Command(
        name: "completion", summary: "print what completes convo in a shell", arguments: "bash|zsh|fish",
        count: 1...1,
        details: """
            bash:  convo completion bash > ~/.local/share/bash-completion/completions/convo
            zsh:   convo completion zsh > a file '_convo' in a folder of $fpath
            fish:  convo completion fish > ~/.config/fish/completions/convo.fish
            Commands, options, sessions with their titles, models, upstreams and templates are completed; no daemon is started.
            """
    ) { invocation throws(CommandError) in
        let shell = invocation.positionals[0]
        guard let script = Completion.scripts[shell] else {
            throw .usage("there is no completion for '\(shell)': bash, zsh and fish have one")
        }
        invocation.console.print(script)
        return .success
    }

    /// What the shells' scripts ask: the words so far, the last of them half typed.
    static let complete = Command(
        name: "__complete", summary: "", arguments: "WORDS", count: 0...Int.max
    ) { invocation throws(CommandError) in
        for word in Completion(invocation).words(of: invocation.positionals) {
            let cells = [word.text, word.help].map { Console.harmless($0, keepingLines: false) }
            invocation.console.print(cells.joined(separator: "\t"))
        }
        return .success
    }
}

/// What half a command line may become.
struct Completion {
    struct Word {
        let text: String, help: String
        var isSession = false

        /// Whether it is a session that somebody may mean with a word of its title, or the end of its ID.
        func isSession(like word: String) -> Bool {
            isSession && (text.hasSuffix(word) || help.lowercased().contains(word.lowercased()))
        }
    }

    private let invocation: Invocation

    init(_ invocation: Invocation) { self.invocation = invocation }

    /// The words that the last one may become.
    func words(of line: [String]) -> [Word] {
        var line = line
        // bash takes "--upstream=ec" apart, and "--upstream=" too.
        if line.last == "=", line.count > 1 { line.append("") }
        if line.dropLast().last == "=" { line.remove(at: line.count - 2) }
        let last = line.last ?? "", before = line.dropLast()
        let command = before.lazy.compactMap { name in Command.all.first { $0.name == name } }.first
        let options = Option.everywhere + (command?.options ?? [])
        let all: [Word]
        if let word = before.last, let option = Completion.option(word, options), option.value != nil {
            all = values(of: option)
        } else if last.hasPrefix("--"), let equals = last.firstIndex(of: "="),
            let option = Completion.option(String(last[..<equals]), options), option.value != nil
        {
            let start = last[...equals]
            all = values(of: option).map { Word(text: start + $0.text, help: $0.help) }
        } else if last.hasPrefix("-") {
            all = options.map { Word(text: "--\($0.long)", help: $0.help) }
        } else if let command {
            all = arguments(of: command)
        } else {
            all = Command.all.map { Word(text: $0.name, help: $0.summary) }
        }
        let begun = all.filter { $0.text.hasPrefix(last) }
        // A session is known by its title, and by the end of its ID, too.
        return begun.isEmpty && !last.isEmpty ? all.filter { $0.isSession(like: last) } : begun
    }

    private static func option(_ word: String, _ options: [Option]) -> Option? {
        if word.hasPrefix("--") { return options.first { $0.long == word.dropFirst(2) } }
        guard word.hasPrefix("-"), let letter = word.last, word.count > 1 else { return nil }
        return options.first { $0.short == letter }
    }

    private func arguments(of command: Command) -> [Word] {
        switch command.name {
        case "help":
            return Command.all.map { Word(text: $0.name, help: $0.summary) }
                + HelpTopic.all.map { Word(text: $0.name, help: "a page") }
        case "upstreams": return [Word(text: "test", help: "make one small call")] + upstreams
        case "alias": return aliases
        case "tag", "untag": return tags
        case "restore": return sessions(where: "trashed")
        case "purge": return sessions(where: "trashed") + sessions
        case "unarchive": return sessions(where: "archived")
        default: break
        }
        // One of some words, as "bash|zsh|fish".
        let isChoice = command.arguments.allSatisfy { $0.isLowercase || "[]|".contains($0) }
        if isChoice, command.arguments.contains("|") {
            return command.arguments.split { "[]|".contains($0) }.map { Word(text: String($0), help: "") }
        }
        if command.name == "template" { return templates }
        return command.arguments.contains("ID") ? sessions : []
    }

    private func values(of option: Option) -> [Word] {
        switch option.long {
        case "sort": Method.SessionFind.Sort.allCases.map { Word(text: $0.rawValue, help: "") }
        case "color": Console.ColorChoice.allCases.map { Word(text: $0.rawValue, help: "") }
        case "model": models
        case "session": sessions
        case "template": templates
        case "upstream": upstreams
        case "strategy": plain(["auto", "sawtooth", "slide", "summarize"])
        case "format": plain(ExportShape.names + ["html"])
        case "by": plain(["day", "model", "session", "upstream", "user"])
        case "tag", "tags": tags
        case "option": AskedParameter.names.map { Word(text: $0 + "=", help: "") }
        default: []
        }
    }

    private func plain(_ words: [String]) -> [Word] { words.map { Word(text: $0, help: "") } }

    // What cannot be asked is not completed: a shell has no place for an error.

    private func ask<C: Contract>(_ contract: C.Type, _ members: (inout JSONWriter) -> Void = { _ in }) -> C
        .Result?
    {
        try? invocation.locator.connect().ask(contract, milliseconds: 2_000, members)
    }

    private var newest: [Wire.SessionSummary] {
        ask(Method.SessionFind.self) { $0.member("limit", 200) }?.sessions ?? []
    }

    private func words(of sessions: [Wire.SessionSummary]) -> [Word] {
        sessions.map { Word(text: $0.id, help: $0.title ?? "", isSession: true) }
    }

    /// Sessions that are not among those that lists show.
    private func sessions(where member: String) -> [Word] {
        let found = ask(Method.SessionFind.self) {
            $0.member("limit", 200)
            $0.member(member, true)
        }
        return words(of: found?.sessions ?? [])
    }

    private var sessions: [Word] {
        words(of: newest)
    }

    private var tags: [Word] {
        plain(Set(newest.flatMap(\.tags)).subtracting([SessionChoice.tag]).sorted())
    }

    private var aliases: [Word] {
        let aliases = (try? ModelAliases(Locations.ofThisProcess))?.models ?? [:]
        return aliases.sorted { $0.key < $1.key }.map { Word(text: $0.key, help: $0.value) }
    }

    private var models: [Word] {
        let listed = (ask(Method.ModelList.self)?.models ?? []).map { Word(text: $0.id, help: $0.upstream) }
        // What is configured is asked, whether its server lists it or not.
        let configured = (ask(Method.ServerInfo.self)?.upstreams ?? []).compactMap { upstream in
            upstream.model.map { Word(text: $0, help: upstream.name) }
        }
        return aliases + listed
            + configured.filter { one in !listed.contains { $0.text == one.text && $0.help == one.help } }
    }

    private var upstreams: [Word] {
        guard let info = ask(Method.ServerInfo.self) else { return [] }
        return info.upstreams.map { Word(text: $0.name, help: $0.model ?? $0.kind) }
            + info.routes.members.sorted { $0.key < $1.key }.map {
                Word(text: $0.key, help: $0.value.joined(separator: ", then "))
            }
    }

    private var templates: [Word] {
        PromptTemplate.names(in: Locations.ofThisProcess).map { Word(text: $0, help: "") }
    }

    /// By shell.
    static let scripts = [
        "bash": #"""
        # bash completion of convo
        _convo() {
            local found word glue words=()
            # bash takes words apart at colons, and "=" is seen to by convo.
            for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
                if [[ ${#words[@]} -gt 0 && ( $word == :* || -n $glue ) ]]; then words[-1]+=$word; else words+=("$word"); fi
                if [[ $word == *: ]]; then glue=1; else glue=; fi
            done
            mapfile -t found < <(convo __complete -- "${words[@]}" 2>/dev/null)
            mapfile -t COMPREPLY < <(printf '%s\n' "${found[@]%%$'\t'*}" | sort -u)
            [[ ${#found[@]} -gt 0 ]] || COMPREPLY=()
            if [[ ${#COMPREPLY[@]} -gt 1 && ${#COMPREPLY[@]} -eq ${#found[@]} ]]; then
                # Behind each of several stands what it is; what is put into the line is what their names have in common.
                local plain=("${COMPREPLY[@]}") last=${words[-1]}
                found=("${found[@]/%$'\t'/}")
                COMPREPLY=("${found[@]/$'\t'/  }")
                # What was found by titles has nothing in common with what is typed.
                [[ ${plain[0]} == "$last"* ]] || COMPREPLY+=(" ")
            fi
            # What stands before the last colon is in the line already.
            local typed=${words[-1]}
            [[ $COMP_WORDBREAKS != *:* || $typed != *:* ]] || COMPREPLY=("${COMPREPLY[@]#"${typed%"${typed##*:}"}"}")
            [[ ${#COMPREPLY[@]} -ne 1 || $COMPREPLY != *[[:blank:]]* ]] || COMPREPLY=("$(printf %q "$COMPREPLY")")
            [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default 2>/dev/null
            [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
        }
        complete -F _convo convo
        """#,
        "zsh": #"""
        #compdef convo
        _convo() {
            local -a found begun
            local word help
            while IFS=$'\t' read -r word help; do
                # Behind "temperature=" the value follows, and no blank.
                if [[ $word == *= ]]; then begun+=("$word"); else found+=("${word//:/\\:}${help:+:$help}"); fi
            done < <(convo __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
            # -U: a session is found by its title too, which its ID does not begin with.
            if (( ${#begun} )); then compadd -S '' -a begun
            elif (( ${#found} )); then _describe convo found -U
            else _files; fi
        }
        _convo "$@"
        """#,
        "fish": #"""
        # fish completion of convo
        function __convo_complete
            set -l words (commandline -opc) (commandline -ct)
            set -l found (convo __complete -- $words[2..-1] 2>/dev/null)
            # Where nothing else fits, as behind an option that takes one, it is a file.
            if set -q found[1]
                printf '%s\\n' $found
            else
                __fish_complete_path (commandline -ct)
            end
        end
        complete -c convo -f -a '(__convo_complete)'
        """#,
    ]
}
