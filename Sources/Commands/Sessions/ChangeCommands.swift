internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol

extension Option {
    fileprivate static let generate = Option(
        long: "generate", help: "the model gives the title, by the beginning of the conversation")
}

extension Command {
    static let rename = Command(
        name: "rename", summary: "give a session another title", arguments: "ID [TITLE]", count: 1...2,
        options: [.generate],
        details: "An empty TITLE ('') takes the title away; the next prompt gives one."
    ) { invocation throws(CommandError) in
        if invocation.has(.generate) != (invocation.positionals.count == 1) {
            throw .usage(
                invocation.has(.generate)
                    ? "--generate makes the title: give none" : "give the TITLE, or --generate")
        }
        let client = try invocation.connect()
        let session = try SessionChoice(client: client).session(named: invocation.positionals[0])
        if invocation.has(.generate) {
            let named = try generateTitle(client, session.id)
            invocation.console.print(
                Console.harmless(named.summary.title ?? "", keepingLines: false))
            return .success
        }
        let title = invocation.positionals[1]
        let isBlank = title.allSatisfy(\.isWhitespace)
        _ = try client.ask(Method.SessionSet.self) {
            $0.member("sessionId", session.id)
            if isBlank { $0.key("title"); $0.null() } else { $0.member("title", title) }
        }
        if isBlank { invocation.console.note("session '\(session.id)' has no title now") }
        return .success
    }

    /// Has the model name a session; Ctrl-C, as `signals` tells of it, breaks that off.
    static func generateTitle(_ client: Client, _ id: String, signals: Int32? = nil) throws(CommandError)
        -> Wire.Session
    {
        let params = JSONWriter.object { $0.member("sessionId", id) }
        do {
            return try client.call(Method.SessionTitle.self, params, signals: signals) { event in
                // Without a connection the call ends by itself.
                if case .signal = event { try? client.cancelCall() }
            }
        } catch { throw CommandError(error) }
    }

    static let remove = Command(
        name: "rm", summary: "move sessions to the trash", arguments: "[ID…]", count: 0...Int.max,
        options: [.bulkDryRun, .bulkWhere],
        details: """
            Nothing is lost: 'convo restore ID' brings a session back, 'convo ls --trashed' lists the trash. Takes whole
            IDs; for the beginning of one it asks on a terminal, and refuses elsewhere. With --where it takes every session
            that is so, and prints the command that brings them back.
            """
    ) { invocation throws(CommandError) in
        try invocation.needsNames()
        let many = try invocation.bulk(
            done: "in the trash", undo: { "restore " + $0.joined(separator: " ") }
        ) { client, session throws(CommandError) in
            _ = try client.ask(Method.SessionDelete.self) { $0.member("sessionId", session.id) }
            return true
        }
        if let many { return many }
        let client = try invocation.connect()
        return try invocation.forEach { name throws(CommandError) in
            let session = try SessionChoice(client: client).session(toLessen: name, invocation.console) {
                "Move '\($0.name)' to the trash"
            }
            _ = try client.ask(Method.SessionDelete.self) { $0.member("sessionId", session.id) }
            invocation.console.note(
                "'\(session.name)' is in the trash; 'convo restore \(session.id)' brings it back")
        }
    }

    static let restore = Command(
        name: "restore", summary: "bring sessions back from the trash", arguments: "ID…", count: 1...Int.max
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        return try invocation.forEach { name throws(CommandError) in
            do throws(CommandError) { try restore(name, client) } catch {
                guard error.code == .notFound || SessionID(name) == nil else { throw error }
                guard let session = try SessionChoice(client: client).trashed(name) else {
                    throw CommandError(
                        .notFound, "there is no session '\(name)' in the trash; 'convo ls --trashed' lists it"
                    )
                }
                try restore(session.id, client)
            }
        }
    }

    static let archive = archive(
        true, "archive", "take sessions out of lists",
        "'convo ls --archived' lists them; prompts go on in them.")
    static let unarchive = archive(false, "unarchive", "bring archived sessions back into lists", "")

    private static func archive(_ value: Bool, _ name: String, _ summary: String, _ details: String)
        -> Command
    {
        Command(
            name: name, summary: summary, arguments: "[ID…]", count: 0...Int.max,
            options: [.bulkDryRun, .bulkWhere], details: details
        ) { invocation throws(CommandError) in
            try invocation.needsNames()
            let many = try invocation.bulk(
                done: value ? "archived" : "in lists again", isArchived: !value,
                undo: { (value ? "unarchive " : "archive ") + $0.joined(separator: " ") }
            ) { client, session throws(CommandError) in
                _ = try client.ask(Method.SessionSet.self) {
                    $0.member("sessionId", session.id)
                    $0.member("archived", value)
                }
                return true
            }
            if let many { return many }
            let client = try invocation.connect()
            return try invocation.forEach { name throws(CommandError) in
                let session = try SessionChoice(client: client).session(named: name)
                _ = try client.ask(Method.SessionSet.self) {
                    $0.member("sessionId", session.id)
                    $0.member("archived", value)
                }
                invocation.console.note(
                    value
                        ? "'\(session.name)' is archived; 'convo unarchive \(session.id)' brings it back"
                        : "'\(session.name)' is in lists again")
            }
        }
    }

    static let tag = tags(
        "tag", "give a session tags, or list those it has", "[TAG…]", count: 0...Int.max
    ) { before, given in
        before + given.filter { !before.contains($0) }
    }
    static let untag = tags("untag", "take tags from a session", "TAG…", count: 1...Int.max) {
        before, given in
        before.filter { !given.contains($0) }
    }

    private static func tags(
        _ name: String, _ summary: String, _ arguments: String, count: ClosedRange<Int>,
        _ change: @escaping @Sendable ([String], [String]) -> [String]
    ) -> Command {
        Command(
            name: name, summary: summary, arguments: arguments, count: count,
            options: [.bulkDryRun, .bulkWhere, .continue, .json, .session],
            details: """
                'convo ls --tag TAG' lists sessions with one. Without -s the session that convo used last; with --where every
                one that is so, and the command that undoes it is printed.
                """
        ) { invocation throws(CommandError) in
            let given = invocation.positionals
            if invocation.has(.bulkWhere) {
                if given.isEmpty { throw .usage("--where changes tags: name at least one") }
                for option in [Option.session, .continue] where invocation.has(option) {
                    throw .usage("--where says which sessions: leave --\(option.long) away")
                }
                if invocation.has(.json) {
                    throw .usage("--where prints the command that undoes it: leave --json away")
                }
            }
            if name == "untag", given.contains(SessionChoice.tag) {
                throw .usage(
                    "'\(SessionChoice.tag)' is convo's own mark of the sessions that it made, and stays")
            }
            let opposite = name == "tag" ? "untag" : "tag"
            var changed: [String: [String]] = [:]
            let many = try invocation.bulk(
                done: name == "tag" ? "tagged" : "untagged",
                undo: { ids in
                    ids.map { id in
                        let tags = (changed[id] ?? []).map(\.quotedForShell).joined(separator: " ")
                        return "\(opposite) -s \(id) -- \(tags)"
                    }.joined(separator: "\nconvo ")
                }
            ) { client, session throws(CommandError) in
                let tags = change(session.tags, given)
                if tags == session.tags { return false }
                _ = try client.ask(Method.SessionSet.self) {
                    $0.member("sessionId", session.id)
                    $0.key("tags")
                    $0.array { for tag in tags { $0.string(tag) } }
                }
                changed[session.id] = given.filter { tags.contains($0) != session.tags.contains($0) }
                return true
            }
            if let many { return many }
            let client = try invocation.connect()
            let session = try invocation.sessionToChange(client)
            var tags = session.tags
            if !invocation.positionals.isEmpty {
                tags = try client.ask(Method.SessionSet.self) {
                    $0.member("sessionId", session.id)
                    $0.key("tags")
                    $0.array { for tag in change(session.tags, invocation.positionals) { $0.string(tag) } }
                }.summary.tags
            }
            if invocation.has(.json) {
                invocation.console.print(json: ["tags": tags])
            } else {
                for tag in tags where tag != SessionChoice.tag {
                    invocation.console.print(Console.harmless(tag, keepingLines: false))
                }
            }
            return .success
        }
    }

    private static func restore(_ id: String, _ client: Client) throws(CommandError) {
        _ = try client.ask(Method.SessionRestore.self) { $0.member("sessionId", id) }
    }
}

extension Invocation {
    /// Sessions must be named, or --where say which are meant.
    fileprivate func needsNames() throws(CommandError) {
        if positionals.isEmpty != has(.bulkWhere) {
            throw .usage(
                positionals.isEmpty
                    ? "name a session, or give --where" : "--where says which sessions: name none")
        }
    }

    /// Does something for each argument; one that fails is reported and the rest still done.
    func forEach(_ body: (String) throws(CommandError) -> Void) throws(CommandError) -> ExitCode {
        var code = ExitCode.success
        for name in positionals {
            do throws(CommandError) { try body(name) } catch {
                if positionals.count == 1 || error.code == .noDaemon { throw error }
                Console.complain(error.message)
                code = error.code
            }
        }
        return code
    }
}
