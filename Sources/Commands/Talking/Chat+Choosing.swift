internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

/// What is chosen out of a list, and what a half-typed word may become.
extension Chat {
    /// The end of what was typed, as it may go on.
    func complete(_ text: String) -> (drop: Int, words: [String]) {
        guard text.hasPrefix("/") else { return (0, []) }
        let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard parts.count == 2 else {
            let names = Chat.commands.map(\.name).filter { $0.hasPrefix(name) }
            return (name.count, names.map { $0 + " " })
        }
        let typed = String(parts[1])
        let known: [String]
        switch name {
        case "/model": known = modelNames()
        case "/upstream": known = upstreamNames()
        case "/resume": known = recentSessions().map(\.id)
        case "/attach", "/export": return (typed.count, FileNames.completing(typed))
        default: return (0, [])
        }
        return (typed.count, known.filter { $0.hasPrefix(typed) })
    }

    /// What may stand there, in columns; sessions with their titles.
    func listed(_ text: String, _ words: [String]) -> [String] {
        let shown = words.prefix(40), more = words.count > shown.count ? ["…"] : []
        let width = max(8, console.columns - 1)
        if text.hasPrefix("/resume ") {
            let titles = Dictionary(
                recentSessions().map { ($0.id, $0.title ?? "") }, uniquingKeysWith: { first, _ in first })
            return shown.map { id in
                let title = Console.harmless(titles[id] ?? "", keepingLines: false)
                return TextWidth.fitted(title.isEmpty ? id : "\(id)  \(title)", to: width)
            } + more
        }
        // Of paths only the last name tells one from another.
        let names = (shown + more).map { word in
            Console.harmless(
                text.hasPrefix("/attach ") || text.hasPrefix("/export ")
                    ? String(word.split(separator: "/").last ?? "") + (word.hasSuffix("/") ? "/" : "") : word,
                keepingLines: false)
        }
        let column = min(width, (names.map { TextWidth.of($0) }.max() ?? 0) + 2)
        let count = max(1, width / max(1, column))
        return stride(from: 0, to: names.count, by: count).map { start in
            names[start..<min(start + count, names.count)].map {
                TextWidth.padded(TextWidth.fitted($0, to: width), to: count == 1 ? 0 : column)
            }.joined()
        }
    }

    // Nobody is told of what cannot be completed: the command itself says what is wrong.

    private func modelNames() -> [String] {
        guard let list = try? client.ask(Method.ModelList.self, milliseconds: 3_000) else { return [] }
        return Set(list.models.map(\.id)).sorted()
    }

    private func upstreamNames() -> [String] {
        guard let info = try? client.info() else { return [] }
        return (info.upstreams.map(\.name) + info.routes.members.keys).sorted()
    }

    private func recentSessions() -> [Wire.SessionSummary] {
        let page = try? client.ask(Method.SessionFind.self) { $0.member("limit", 200) }
        return page?.sessions ?? []
    }

    // MARK: Models and upstreams

    /// Asks another model from here on; without a name it is chosen from a list.
    func model(_ name: String) throws(CommandError) {
        let list = try models(of: nil), asked = try currentTarget()
        // Who is not asked for it says nothing.
        for error in list.errors where name.isEmpty || error.upstream == asked.upstream {
            Console.complain("\(error.upstream): \(error.message)")
        }
        var model = name.isEmpty ? name : try ModelAliases(Locations.ofThisProcess).model(for: name)
        var upstream: String?
        if model.isEmpty {
            let lines = list.models.map { found in
                let isNow = found.id == asked.model && found.upstream == asked.upstream
                let length = found.contextLength.map { ", holds \(Times.number($0))" } ?? ""
                return "\(found.id) via \(found.upstream)\(length)\(isNow ? "  ← now" : "")"
            }
            guard let index = try choose(lines, "model", names: list.models.map(\.id)) else { return }
            model = list.models[index].id
            if list.models[index].upstream != asked.upstream { upstream = list.models[index].upstream }
        } else {
            // Who tells no models may have any.
            let known = list.models.filter { $0.upstream == asked.upstream }
            if !known.isEmpty, !known.contains(where: { $0.id == model }) {
                guard let other = list.models.first(where: { $0.id == model }) else {
                    let names = known.map(\.id)
                    throw CommandError(
                        .notFound,
                        "'\(asked.upstream ?? "")' has no model '\(model)'; \(hint(model, names, "/model"))")
                }
                upstream = other.upstream
            }
        }
        try tellSwitch(model: model, upstream: upstream)
        if let upstream { try set("upstream", upstream, "an upstream") { $0.upstream = upstream } }
        try set("model", model, "a model") { $0.model = model }
        forgetTarget()
        say("\(try currentTarget().words) answers from here on")
    }

    /// The models of an upstream, or of all where it is nil; a quiet line says that they are asked for, and Ctrl-C ends it.
    private func models(of upstream: String?) throws(CommandError) -> Method.ModelList.Result {
        let line = WaitingLine(console, "asking \(upstream ?? "the upstreams") for models")
        defer { line.clear() }
        let params = JSONWriter.object { $0.optional("upstream", upstream) }
        do throws(ClientError) {
            return try client.call(
                Method.ModelList.self, params, signals: interrupts?.descriptor, tick: WaitingLine.pace
            ) { event in
                switch event {
                case .tick: line.show()
                // Without a connection the call ends by itself.
                case .signal: try? client.cancelCall()
                default: break
                }
            }
        } catch { throw CommandError(error) }
    }

    /// Asks another upstream from here on; without a name it is chosen from a list.
    func upstream(_ name: String) throws(CommandError) {
        let info = try client.info(), asked = try currentTarget()
        let routes = info.routes.members.keys.sorted()
        var chosen = name
        let names = info.upstreams.map(\.name) + routes
        if name.isEmpty {
            let lines =
                info.upstreams.map {
                    "\($0.name)\($0.model.map { " (\($0))" } ?? "")\($0.name == asked.upstream ? "  ← now" : "")"
                }
                + routes.map { "\($0): \((info.routes.members[$0] ?? []).joined(separator: ", then "))" }
            guard let index = try choose(lines, "upstream or route", names: names) else { return }
            chosen = names[index]
        }
        guard names.contains(chosen) else {
            throw CommandError(
                .notFound, "there is no upstream or route '\(chosen)'; \(hint(chosen, names, "/upstream"))")
        }
        try tellSwitch(model: nil, upstream: chosen)
        try set("upstream", chosen, "an upstream") { $0.upstream = chosen }
        forgetTarget()
        var target = try currentTarget()
        let listed = try models(of: target.upstream)
        for error in listed.errors { Console.complain("\(error.upstream): \(error.message)") }
        let answers = listed.errors.isEmpty
        // Who tells no models may have any.
        if let model = try ownModel(), !listed.models.isEmpty,
            !listed.models.contains(where: { $0.id == model || $0.id.hasPrefix(model) })
        {
            try forgetModel()
            forgetTarget()
            target = try currentTarget()
            say("'\(target.upstream ?? chosen)' lists no model '\(model)': its own is asked")
        }
        say("\(target.words) \(answers ? "answers" : "is asked") from here on")
    }

    /// Shows lines with numbers and asks for one; nil where none was chosen.
    private func choose(_ lines: [String], _ what: String, names: [String] = []) throws(CommandError) -> Int?
    {
        guard !lines.isEmpty else { throw CommandError(.notFound, "there is no \(what) to choose") }
        for (index, line) in lines.enumerated() {
            let number = TextWidth.padded("\(index + 1)", to: 3, isRight: true)
            let room = console.isOutputTerminal ? max(12, console.columns - 6) : Int.max
            console.print(
                "\(number)  \(TextWidth.fitted(Console.harmless(line, keepingLines: false), to: room))")
        }
        while let text = try source?.answer(to: "\(what) [1-\(lines.count), Enter: none]? "),
            !text.isEmpty
        {
            if let number = Int(text) ?? names.firstIndex(of: text).map({ $0 + 1 }),
                (1...lines.count).contains(number)
            {
                // The daemon may have gone while somebody thought about it.
                try comeBack()
                return number - 1
            }
            let other = names.isEmpty ? "" : ", and none of the names"
            Console.complain("'\(text)' is no number from 1 to \(lines.count)\(other)")
        }
        return nil
    }

    // MARK: Sessions

    /// Goes on in another session.
    func resumeOther(_ name: String) throws(CommandError) -> ExitCode? {
        let id: String
        if name.isEmpty {
            let sessions = recentSessions().prefix(20)
            guard
                let index = try choose(
                    sessions.map { "\($0.name) · \(Times.relative($0.updatedAt))" }, "session")
            else { return nil }
            id = sessions[index].id
        } else {
            id = try SessionChoice(client: client).session(withID: name).id
        }
        let found = try client.ask(Method.SessionGet.self) { $0.member("sessionId", id) }.summary
        resume(id)
        say("\(found.name) · \(try currentTarget().words)")
        let code = try showLast(of: id)
        seen = messageCount()
        return code
    }

    /// Goes back to before the newest prompt.
    func undo() throws(CommandError) {
        let id = try current()
        let newest = try MessagePages(client: client, session: id).newest(100)
        guard let prompt = newest.last(where: { $0.role == .user }) else {
            throw CommandError(.notFound, "nothing was said here that could be undone")
        }
        let isMine = lastTurn != nil && prompt.turnId == lastTurn
        // A prompt behind the last one from here is somebody else's, also where its answer was shown.
        let isBehindMine = newest.contains {
            $0.turnId != nil && $0.turnId == lastTurn && $0.seq < prompt.seq
        }
        if !isMine, isBehindMine || seen.map({ prompt.seq > $0 }) ?? (lastTurn != nil) {
            let words = Console.harmless(TextWidth.fitted(prompt.text, to: 60), keepingLines: false)
            let answer = try source?.answer(
                to: "The newest prompt came from elsewhere: “\(words)”. Take it back? [y/N] ")
            guard let answer, ["y", "yes"].contains(answer.lowercased()) else {
                return say("nothing was changed")
            }
        }
        _ = try client.ask(Method.BranchRewind.self) {
            $0.member("sessionId", id)
            $0.member("before", prompt.id)
        }
        seen = prompt.seq - 1
        lastTurn = nil
        say("back before message \(prompt.seq); what was said since stays on a branch: /branches shows it")
    }

    // MARK: Files and the clipboard

    /// Sends a file with the next prompt.
    func attach(_ path: String) throws(CommandError) {
        if !path.isEmpty {
            attachments.append(
                try Attachment(FileNames.expanded(path)) { () throws(CommandError) in
                    throw .usage("in a chat there is no input to attach; name a file")
                })
        }
        if attachments.isEmpty { return say("no file goes with the next prompt; /attach FILE sends one") }
        let names = attachments.map { "\($0.name) (\(Times.number($0.bytes)) bytes)" }
        say("with the next prompt go \(names.joined(separator: ", "))")
    }

    /// Puts the newest answer into the desktop's clipboard, or where there is none into the terminal's.
    func copy() throws(CommandError) {
        let newest = try MessagePages(client: client, session: try current()).newest(100)
        guard let answer = newest.last(where: { $0.role == .assistant }), !answer.text.isEmpty else {
            throw CommandError(.notFound, "there is no answer to copy yet")
        }
        let bytes = Array(answer.text.utf8)
        if Clipboard(invocation.environment).putOnDesktop(bytes) {
            return say("message \(answer.seq) is in the clipboard")
        }
        guard bytes.count <= Clipboard.mostOfTerminal else {
            throw CommandError(
                .failure,
                "the answer has \(Times.number(bytes.count)) bytes, and a terminal's clipboard takes \(Times.number(Clipboard.mostOfTerminal)); /export FILE writes it down"
            )
        }
        console.write(Clipboard.sequence(bytes))
        say("message \(answer.seq) is in the clipboard, if this terminal lets programs write it")
    }
}

/// Names of files as a half-typed one may go on.
enum FileNames {
    /// A path with the home directory in the place of its tilde.
    static func expanded(_ path: String) -> String {
        path.hasPrefix("~/") ? Locations.ofThisProcess.home + path.dropFirst() : path
    }

    static func completing(_ typed: String) -> [String] {
        let parts = typed.split(separator: "/", omittingEmptySubsequences: false)
        let start = String(parts.last ?? ""), directory = String(typed.dropLast(start.count))
        let place = expanded(directory)
        // A directory that cannot be read has nothing to offer.
        let names = (try? Files.names(in: place.isEmpty ? "." : place)) ?? []
        return names.filter { $0.hasPrefix(start) && ($0.hasPrefix(".") == start.hasPrefix(".")) }.sorted()
            .map { name in
                let isDirectory = (try? Files.status(place + name, follows: true))?.kind == .directory
                return directory + name + (isDirectory ? "/" : "")
            }
    }
}
