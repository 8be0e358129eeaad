internal import ConvoClient
internal import JSON
internal import Protocol

extension Command {
    static let pin = mark(
        .pinned, true, "pin", "keep messages in every window",
        "What belongs to a tool call goes along with it. 'convo window --pin-tokens' bounds what pins may have together."
    )
    static let unpin = mark(.pinned, false, "unpin", "let pinned messages leave the window as others do")
    static let exclude = mark(
        .excluded, true, "exclude", "keep messages out of every window",
        "They stay stored: 'convo include' lets them in again.")
    static let include = mark(.excluded, false, "include", "let excluded messages into the window again")

    private static func mark(
        _ mark: MessageMark, _ value: Bool, _ name: String, _ summary: String, _ more: String = ""
    ) -> Command {
        let numbers = """
            MESSAGE is a message's number, as 'convo show' has it, or its ID. Without -s the session that convo used
            last; forks have marks of their own.
            """
        return Command(
            name: name, summary: summary, arguments: "MESSAGE…", count: 1...Int.max,
            options: [.continue, .json, .session], details: more.isEmpty ? numbers : numbers + "\n" + more
        ) { invocation throws(CommandError) in
            let client = try invocation.connect()
            let session = try invocation.sessionToChange(client)
            return try invocation.forEach { name throws(CommandError) in
                let path = try mark.set(name, value, of: session, client)
                if invocation.has(.json) {
                    invocation.console.print(json: path)
                } else {
                    invocation.console.note(
                        "message \(name) of '\(session.name)' is \(mark.words(value))\(path.droppedWords)")
                }
            }
        }
    }
}

extension Wire.ActivePath {
    /// What is said behind a mark of the summaries that went; empty for none.
    var droppedWords: String {
        guard let summariesDropped else { return "" }
        return summariesDropped == 1
            ? "; the summary that told of it is dropped"
            : "; \(summariesDropped) summaries that told of it are dropped"
    }
}

/// What a session may say of a message, by its member on the wire.
enum MessageMark: String {
    case pinned, excluded

    /// Sets it, or takes it away, of a message that a person named.
    @discardableResult
    func set(_ name: String, _ value: Bool, of session: Wire.SessionSummary, _ client: Client)
        throws(CommandError) -> Wire.ActivePath
    {
        let message = try MessageChoice(client, session).id(of: name)
        return try client.ask(Method.MessageSet.self) {
            $0.member("sessionId", session.id)
            $0.member("messageId", message)
            $0.member(rawValue, value)
        }
    }

    func words(_ value: Bool) -> String {
        switch (self, value) {
        case (.pinned, true): "pinned: every window holds it"
        case (.pinned, false): "not pinned any more"
        case (.excluded, true): "excluded: no window holds it"
        case (.excluded, false): "not excluded any more"
        }
    }
}
