internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

extension Chat {
    /// What can be typed, sorted, with what it does.
    static let commands: [(name: String, arguments: String, help: String)] = [
        ("/attach", "[FILE]", "send a file with the next prompt, or show which will be"),
        ("/branches", "[N]", "draw the branches, or go over to one"),
        ("/compact", "[TEXT]", "summarize all before the newest turn; TEXT: what to mind above all"),
        ("/context", "", "what of this session the model would see now"),
        ("/continue", "", "go on with an answer that was cut"),
        ("/copy", "", "put the newest answer into the clipboard"),
        ("/edit", "[N] TEXT", "put other words in the place of prompt N, or of the newest"),
        ("/exclude", "[N]", "keep message N, or the newest, out of every window"),
        ("/export", "FILE", "write the session down (FILE.md: Markdown, else JSON lines)"),
        ("/fork", "[N]", "go on in a new session that shares this one up to message N"),
        ("/help", "", "this list"),
        ("/include", "[N]", "let an excluded message in again"),
        ("/model", "[NAME]", "choose a model, or use this one from here on"),
        ("/new", "", "begin a new session"),
        ("/pin", "[N]", "keep message N, or the newest, in every window"),
        ("/quit", "", "leave, like Ctrl-D"),
        ("/resume", "[ID]", "go on in another session, or choose one"),
        ("/retry", "[N]", "answer the newest prompt anew, or prompt N"),
        ("/session", "", "ID and title of this session"),
        ("/summaries", "", "the summaries that stand for older messages"),
        ("/system", "[TEXT]", "set the system prompt, or show it"),
        ("/thoughts", "", "show what the model thinks, or hide it again"),
        ("/title", "[TEXT]", "give the session a title; without one the model gives it"),
        ("/undo", "", "go back to before the newest prompt; what was said stays on a branch"),
        ("/unpin", "[N]", "let a pinned message go again"),
        ("/upstream", "[NAME]", "choose an upstream, or use this one from here on"),
        ("/why", "TEXT|#N", "whether the model saw a message in the last turns, and why not"),
        ("/window", "", "what of this session a model is sent"),
    ]

    /// Whether something that was typed is a command: a line with a slash, or several lines of which the first begins with a
    /// command that takes words.
    static func isCommand(_ text: String) -> Bool {
        guard text.hasPrefix("/") else { return false }
        let name = text.prefix { !$0.isWhitespace }
        return !text.contains("\n") || commands.contains { $0.name == name && $0.arguments.contains("TEXT") }
    }

    /// What stands behind a word: without the white space between, of which one line end is none of a text's.
    static func words(behind word: String, in line: String) -> String {
        let rest = line.dropFirst(word.count).drop { $0 == " " || $0 == "\t" }
        let behind = rest.hasPrefix("\n") ? rest.dropFirst() : rest
        return String(behind.drop { $0 == " " || $0 == "\t" })
    }

    /// Does what a line with a slash says; a code means that the chat ends with it.
    func obey(_ line: String) throws(CommandError) -> ExitCode? {
        let name = String(line.prefix { !$0.isWhitespace })
        let text = Chat.words(behind: name, in: line)
        if !text.isEmpty, Chat.commands.contains(where: { $0.name == name && $0.arguments.isEmpty }) {
            throw .usage("\(name) takes no words, and '\(text.prefix(40))' is some")
        }
        let isBack = name == "/quit" || name == "/help" ? false : try comeBack()
        switch name {
        case "/attach": try attach(text)
        case "/branches": try branches(text)
        case "/pin": try mark(.pinned, true, text)
        case "/unpin": try mark(.pinned, false, text)
        case "/exclude": try mark(.excluded, true, text)
        case "/include": try mark(.excluded, false, text)
        case "/continue":
            // A new daemon answers by itself what waited: then there is nothing else to do.
            if isBack, let ended = try followRunning() { return leaving(ended) }
            return leaving(try ask { $0.goOn($1) })
        case "/edit": return leaving(try edit(text))
        case "/fork": try fork(text)
        case "/retry":
            if isBack, text.isEmpty, let ended = try followRunning() { return leaving(ended) }
            let message = text.isEmpty ? nil : try MessageChoice(client, try summary()).id(of: text)
            return leaving(try ask { $0.retry(message, nil, $1) })
        case "/compact":
            try SummaryList(client, try current()).compact(
                text, invocation, signals: interrupts?.descriptor)
        case "/summaries": try SummaryList(client, try current()).print(on: console)
        case "/context": try ContextDrawing(client: client, session: try current()).print(on: invocation)
        case "/copy": try copy()
        case "/export": try export(to: text)
        case "/help": printHelp()
        case "/model": try model(text)
        case "/new": try startOver()
        case "/quit": return .success
        case "/resume": return try resumeOther(text)
        case "/session": try describe()
        case "/system": try system(text)
        case "/thoughts":
            settings.showsThoughts.toggle()
            say("thoughts are \(settings.showsThoughts ? "shown" : "hidden") from here on")
        case "/undo": try undo()
        case "/why": try why(text)
        case "/window": try WindowChange.print(of: try summary(), client, on: console)
        case "/title":
            if text.isEmpty {
                try nameByModel()
            } else {
                try set("title", text, "a title", nil)
                say("its title is '\(text)' from here on")
            }
        case "/upstream": try upstream(text)
        default:
            // A path begins so, too.
            let isPath = name.dropFirst().contains("/")
            let advice =
                isPath
                ? "a blank before it makes it a prompt" : hint(name, Chat.commands.map(\.name), "/help")
            Console.complain("'\(name)' is no command of the chat; \(advice)")
        }
        return nil
    }

    func current() throws(CommandError) -> String {
        guard let session else {
            throw CommandError(.notFound, "the session begins with the first prompt; say something first")
        }
        return session
    }

    func summary() throws(CommandError) -> Wire.SessionSummary {
        let id = try current()
        return try client.ask(Method.SessionGet.self) { $0.member("sessionId", id) }.summary
    }

    private func branches(_ text: String) throws(CommandError) {
        let id = try current()
        guard !text.isEmpty else {
            for line in BranchTree.lines(try BranchTree(client, id).branches(), console) {
                console.print(line)
            }
            return
        }
        guard let number = Int(text) else {
            throw .usage("/branches takes the number of a branch, or nothing")
        }
        let branch = try BranchTree(client, id).branch(number)
        _ = try client.ask(Method.BranchSwitch.self) {
            $0.member("sessionId", id)
            $0.member("branch", branch.branch)
        }
        (seen, lastTurn) = (messageCount(), nil)
        say("branch \(number) is the active one; 'convo show' has it")
    }

    /// `N TEXT` edits prompt N, `TEXT` the newest; a text that is a number stands in double quotes.
    private func edit(_ text: String) throws(CommandError) -> ExitCode {
        let first = String(text.prefix { !$0.isWhitespace }), behind = Chat.words(behind: first, in: text)
        let name = first.hasPrefix("#") ? String(first.dropFirst()) : first
        let isNumbered = Int(name) != nil
        if isNumbered && behind.isEmpty {
            throw .usage(
                "/edit \(text) names a message and has no words for it: /edit \(name) TEXT; for the words \"\(text)\" in the place of the newest prompt: /edit \"\(text)\""
            )
        }
        let message = isNumbered ? try MessageChoice(client, try summary()).id(of: name) : nil
        var rest = isNumbered ? behind : text
        if rest.count > 1 && rest.hasPrefix("\"") && rest.hasSuffix("\"") {
            // A number alone would name a message; other quotes are the text's own.
            let inner = rest.dropFirst().dropLast()
            if Int(inner) != nil { rest = String(inner) }
        }
        guard !rest.isEmpty else { throw .usage("/edit needs the new words") }
        let files = try MessagePages(client: client, session: try summary().id).files(of: message)
        return try ask { $0.retry(message, rest, keeping: files, $1) }
    }

    private func fork(_ text: String) throws(CommandError) {
        let source = try summary()
        let message = text.isEmpty ? nil : try MessageChoice(client, source).id(of: text)
        let fork = try client.ask(Method.SessionForkOwn.self) {
            $0.member("sessionId", source.id)
            $0.optional("messageId", message)
        }
        resume(fork.sessionId.text)
        seen = messageCount()
        console.print(console.styled("forked into \(fork.sessionId)", .dim))
    }

    private func why(_ text: String) throws(CommandError) {
        guard !text.isEmpty else {
            throw .usage("/why needs words of a message, or its number as in /why #3")
        }
        try WhyReport(of: text, in: try summary(), client).print(on: console)
    }

    private func mark(_ mark: MessageMark, _ value: Bool, _ name: String) throws(CommandError) {
        let session = try summary()
        let number = name.isEmpty ? String(session.messageCount) : name
        let path = try mark.set(number, value, of: session, client)
        console.print(console.styled("message \(number) is \(mark.words(value))\(path.droppedWords)", .dim))
    }

    private func printHelp() {
        let width = 18
        for command in Chat.commands {
            let lines = TextWidth.wrapped(command.help, to: max(20, console.columns - width - 2))
            let name = TextWidth.padded("\(command.name) \(command.arguments)", to: width)
            for (index, line) in lines.enumerated() {
                console.print((index == 0 ? name : String(repeating: " ", count: width)) + " " + line)
            }
        }
        let keys =
            "Enter sends, Alt-Enter begins a line, \"\"\" begins and ends a long prompt; Up and Ctrl-R find what was typed. Ctrl-C cancels the running answer, twice it leaves; Ctrl-D leaves."
        for line in TextWidth.wrapped(keys, to: console.columns - 1) { console.print(line) }
    }

    private func startOver() throws(CommandError) {
        session = nil
        (seen, lastTurn) = (nil, nil)
        new.id = nil
        forgetTarget()
        console.print(console.styled("new session", .dim))
    }

    private func describe() throws(CommandError) {
        let session = try summary()
        console.print("\(session.id)  \(Console.harmless(session.title ?? "", keepingLines: false))")
    }

    /// Says what the session loses, before it goes to another model.
    func tellSwitch(model: String?, upstream: String?) throws(CommandError) {
        guard let session else { return }
        let note = try SwitchNote(client, session, model: model, upstream: upstream)
        if let words = note.words { console.print(console.styled(words, .dim)) }
    }

    /// Changes the session, or what it will be made with when there is none yet.
    func set(
        _ member: String, _ text: String, _ what: String, _ remember: ((inout NewSession) -> Void)?
    ) throws(CommandError) {
        guard !text.isEmpty else { throw .usage("/\(member) needs \(what)") }
        guard session != nil || remember == nil else {
            remember?(&new)
            return
        }
        let id = try current()
        _ = try client.ask(Method.SessionSet.self) {
            $0.member("sessionId", id)
            $0.member(member, text)
        }
        // What was refused is asked of no other session.
        remember?(&new)
    }

    /// The model that the session or the chat names; nil where the upstream's own is asked.
    func ownModel() throws(CommandError) -> String? {
        guard let session else { return new.model }
        return try client.ask(Method.SessionGet.self) { $0.member("sessionId", session) }.summary.model
    }

    /// The model is the upstream's own from here on.
    func forgetModel() throws(CommandError) {
        new.model = nil
        guard session != nil else { return }
        let id = try current()
        _ = try client.ask(Method.SessionSet.self) {
            $0.member("sessionId", id)
            $0.key("model")
            $0.null()
        }
    }

    private func system(_ text: String) throws(CommandError) {
        guard text.isEmpty else {
            try set("system", text, "a system prompt") { $0.system = text }
            return say("the system prompt is set")
        }
        var known = new.system
        if let session {
            known = try client.ask(Method.SessionGet.self) { $0.member("sessionId", session) }.system
        }
        guard let known, !known.isEmpty else {
            return say("there is no system prompt; /system TEXT sets one")
        }
        console.print(Console.harmless(known, keepingLines: true))
    }

    private func nameByModel() throws(CommandError) {
        let id = try current()
        let named = try Command.generateTitle(client, id, signals: interrupts?.descriptor)
        say("the session is called '\(named.summary.name)' now")
    }

    private func export(to path: String) throws(CommandError) {
        guard !path.isEmpty else { throw .usage("/export needs a file") }
        let path = FileNames.expanded(path), format = path.hasSuffix(".md") ? "markdown" : "jsonl"
        try SessionExport.mayOverwrite(path, console) { (question) throws(CommandError) in
            try source?.answer(to: question)
        }
        let id = try current()
        let count = try SessionExport(client: client, session: id, format: format).write(to: path)
        say("\(Times.count(count, "record")) in \(path)")
        let beside = try format == "markdown" ? BranchTree(client, id).besideThePath() : 0
        if let words = BranchTree.words(ofLeftOut: beside) { say(words) }
    }

    /// A quiet line of the chat's own.
    func say(_ words: String) {
        console.print(sentences: Console.harmless(words, keepingLines: false), .dim)
    }
}
