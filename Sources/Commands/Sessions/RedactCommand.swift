internal import ConvoClient
internal import JSON
internal import Protocol

extension Option {
    fileprivate static let shownElsewhere = Option(
        long: "everywhere", help: "from forks and other sessions that show it too")
}

extension Command {
    static let redact = Command(
        name: "redact", summary: "take what messages say out for good", arguments: "MESSAGE…",
        count: 1...Int.max, options: [.session, .shownElsewhere, .yes],
        details: """
            MESSAGE is a message's number, as 'convo show' has it, or its ID, of the session that -s names by its whole ID.
            Nothing of what it said is left in the database, its search index and its log, and nothing brings it back; its
            place stays, empty. What belongs to a tool call goes along. On a terminal it asks unless -y is given.
            """
    ) { invocation throws(CommandError) in
        guard let name = invocation.value(.session) else {
            throw .usage("-s names the session, by its whole ID")
        }
        let client = try invocation.connect()
        let session = try SessionChoice(client: client).session(named: name)
        guard session.id == name else {
            throw CommandError(.failure, "'\(name)' is no whole ID; it would be '\(session.id)': give that")
        }
        return try invocation.forEach { name throws(CommandError) in
            let id = try MessageChoice(client, session).id(of: name)
            try invocation.agree(
                "Take message \(name) of '\(session.name)' out for good", isSaid: invocation.has(.yes))
            let gone = try client.ask(Method.MessageDelete.self) {
                $0.member("sessionId", session.id)
                $0.member("messageId", id)
                if invocation.has(.shownElsewhere) { $0.member("everywhere", true) }
            }
            let more = gone.messageIds.count - 1
            invocation.console.note(
                "message \(name) of '\(session.name)' is empty now"
                    + (more > 0 ? ", and \(Times.count(more, "message")) that belong to it" : ""))
        }
    }
}
