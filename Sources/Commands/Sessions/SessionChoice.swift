internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

/// Finds the session that a person means.
struct SessionChoice {
    /// What marks the sessions that convo makes.
    static let tag = "convo"
    static let shortestPrefix = 4
    private static let listed = 10

    let client: Client
    /// Where it is said that a session was passed over; nil for nowhere.
    var console: Console?

    /// Names for the IDs of a list, each the end of its ID that no other of them has, and that can be typed.
    static func shortNames(_ ids: [String]) -> [String] {
        // Beside each other stand those that share most of their ends.
        let reversed = ids.map { Array($0.utf8.reversed()) }
        let order = ids.indices.sorted { reversed[$0].lexicographicallyPrecedes(reversed[$1]) }
        var needed = ids.map { _ in 6 }
        for (one, other) in zip(order, order.dropFirst()) {
            let common = zip(reversed[one], reversed[other]).prefix { $0 == $1 }.count
            for index in [one, other] { needed[index] = max(needed[index], common + 1) }
        }
        return zip(ids, needed).map { id, count in
            // An ID is of letters, digits and a few signs, of which none may begin a name here.
            for length in min(count, id.utf8.count)..<max(count, id.utf8.count) {
                let end = id.suffix(length)
                if end.first?.isLetter == true || end.first?.isNumber == true { return String(end) }
            }
            return id
        }
    }

    /// The session by `-s`, or the one used last when it was not given.
    func session(named name: String?) throws(CommandError) -> Wire.SessionSummary {
        guard let name, name != "@last" else { return try latest() }
        if name.hasPrefix("@"), let number = Int(name.dropFirst()) { return try latest(number) }
        return try session(withID: name)
    }

    /// The session that convo used last, or with 2 the one before it, and so on.
    ///
    /// Behind those that are noted come the newest that convo made. What lives in memory only is never meant.
    func latest(_ number: Int = 1) throws(CommandError) -> Wire.SessionSummary {
        guard (1...500).contains(number) else {
            throw .usage(
                "'@\(number)' is no session: '@1' is the latest, '@2' the one before it, up to '@500'")
        }
        var known: [Wire.SessionSummary] = []
        var isPassedOver = false
        for id in UsedSessions().ids where known.count < number {
            if let session = try used(id) { known.append(session) } else { isPassedOver = true }
        }
        if known.count < number {
            let found = try client.ask(Method.SessionFind.self) {
                $0.member("tag", SessionChoice.tag)
                $0.member("limit", number)
            }
            let before = Set(known.map(\.sessionId))
            known += found.sessions.filter { $0.ephemeral == nil && !before.contains($0.sessionId) }
        }
        guard known.count >= number else {
            throw CommandError(
                .notFound,
                known.isEmpty
                    ? isPassedOver
                        ? "every session that convo used was put away; 'convo ls' lists others, 'convo send --new TEXT' makes one"
                        : "convo has made no session yet; 'convo send TEXT' makes one"
                    : "there is no '@\(number)': convo has made \(Times.count(known.count, "session")); 'convo ls' lists them"
            )
        }
        return known[number - 1]
    }

    /// A session that convo used; nil where it is not there any more, was put away, or lives in memory only.
    private func used(_ id: String) throws(CommandError) -> Wire.SessionSummary? {
        do throws(CommandError) {
            let session = try client.ask(Method.SessionGet.self) { $0.member("sessionId", id) }.summary
            if session.archived {
                console?.note(
                    "passes over session '\(id)', which is archived; 'convo unarchive \(id)' brings it back")
            }
            return session.archived || session.ephemeral == true ? nil : session
        } catch {
            guard error.code == .notFound else { throw error }
        }
        if let console, try found(id, isTrashed: true).contains(where: { $0.id == id }) {
            console.note(
                "passes over session '\(id)', which is in the trash; 'convo restore \(id)' brings it back")
        }
        return nil
    }

    /// The session with exactly this ID, else the only one whose ID begins so.
    func session(withID name: String) throws(CommandError) -> Wire.SessionSummary {
        let missing = CommandError(.notFound, "there is no session '\(name)'; 'convo ls' lists them")
        guard SessionID(name) != nil else { throw missing }
        do throws(CommandError) {
            return try client.ask(Method.SessionGet.self) { $0.member("sessionId", name) }.summary
        } catch {
            guard error.code == .notFound else { throw error }
        }
        // What is in the trash has its ID still: it is no beginning of another one.
        if try found(name, isTrashed: true).contains(where: { $0.id == name }) {
            throw CommandError(
                .notFound, "session '\(name)' is in the trash; 'convo restore \(name)' brings it back")
        }
        if let session = try only(of: try candidates(name), for: name) { return session }
        if let session = try only(of: try ending(name), for: name, "end") { return session }
        if let trashed = try trashed(name) {
            throw CommandError(
                .notFound,
                "session '\(trashed.id)' is in the trash; 'convo restore \(trashed.id)' brings it back")
        }
        if name.utf8.count < SessionChoice.shortestPrefix {
            throw CommandError(
                .notFound,
                "there is no session '\(name)', and the beginning of an ID must have \(SessionChoice.shortestPrefix) characters or more; 'convo ls' lists them"
            )
        }
        throw missing
    }

    /// The session that something is to be taken from: named by its whole ID, or agreed to by a person at a terminal.
    ///
    /// `deed` says what happens to a session, as in "move 'a talk' to the trash"; `alwaysAsks` asks on a terminal in any case.
    func session(
        toLessen name: String?, _ console: Console, alwaysAsks: Bool = false,
        _ deed: (Wire.SessionSummary) throws(CommandError) -> String
    ) throws(CommandError) -> Wire.SessionSummary {
        let found = try session(named: name), canAsk = StandardInput.isTerminal && console.isErrorTerminal
        if found.id == name, !alwaysAsks || !canAsk { return found }
        let said = name.map { "'\($0)' is no whole ID" } ?? "no session is named"
        guard canAsk else {
            throw CommandError(
                .failure,
                "\(said), and what is taken away needs one; it would be '\(found.id)' now: give that")
        }
        var input = StandardInput()
        let answer = try input.answer(to: "\(try deed(found)) (\(found.id))? [y/N] ")
        guard let answer, ["y", "yes"].contains(answer.lowercased()) else {
            throw CommandError(.failure, "nothing was changed")
        }
        return found
    }

    /// The only session in the trash whose ID begins so, nil when there is none.
    func trashed(_ prefix: String) throws(CommandError) -> Wire.SessionSummary? {
        guard prefix.utf8.count >= SessionChoice.shortestPrefix else { return nil }
        var found: [Wire.SessionSummary] = []
        var cursor: String?
        repeat {
            let page = try client.ask(Method.SessionFind.self) {
                $0.member("trashed", true)
                $0.member("empty", true)
                $0.member("limit", 500)
                $0.optional("cursor", cursor)
            }
            found += page.sessions.filter { $0.id.utf8.starts(with: prefix.utf8) }
            cursor = page.nextCursor
        } while cursor != nil
        return try only(of: found, for: prefix)
    }

    /// Some sessions whose IDs end so: a list shows no more of them where there is little room.
    private func ending(_ suffix: String) throws(CommandError) -> [Wire.SessionSummary] {
        guard suffix.utf8.count >= SessionChoice.shortestPrefix else { return [] }
        var found: [Wire.SessionSummary] = []
        for isArchived in [false, true] {
            var cursor: String?
            repeat {
                let page = try client.ask(Method.SessionFind.self) {
                    $0.member("archived", isArchived)
                    $0.member("empty", true)
                    $0.member("limit", 500)
                    $0.optional("cursor", cursor)
                }
                found += page.sessions.filter { $0.id.hasSuffix(suffix) }
                cursor = found.count > SessionChoice.listed ? nil : page.nextCursor
            } while cursor != nil
        }
        return found
    }

    private func candidates(_ prefix: String) throws(CommandError) -> [Wire.SessionSummary] {
        guard prefix.utf8.count >= SessionChoice.shortestPrefix else { return [] }
        return try found(prefix, isTrashed: false)
    }

    /// Some sessions whose IDs begin so, by ID: the one that is called so is the first.
    private func found(_ prefix: String, isTrashed: Bool) throws(CommandError) -> [Wire.SessionSummary] {
        var found: [Wire.SessionSummary] = []
        var seen: Set<SessionID> = []
        for isArchived in [false, true] {
            let page = try client.ask(Method.SessionFind.self) {
                $0.member("idPrefix", prefix)
                $0.member("trashed", isTrashed)
                $0.member("archived", isArchived)
                $0.member("empty", true)
                $0.member("limit", SessionChoice.listed + 1)
            }
            found += page.sessions.filter { seen.insert($0.sessionId).inserted }
        }
        return found
    }

    private func only(
        of found: [Wire.SessionSummary], for prefix: String, _ place: String = "beginning"
    ) throws(CommandError) -> Wire.SessionSummary? {
        if found.count <= 1 { return found.first }
        if let exact = found.first(where: { $0.id == prefix }) { return exact }
        let names = found.prefix(SessionChoice.listed).map { session in
            session.title.map { "\(session.id) (\(TextWidth.fitted($0, to: 30)))" } ?? session.id
        }
        let more = found.count > SessionChoice.listed ? ", …" : ""
        throw CommandError(
            .failure, "'\(prefix)' is the \(place) of several IDs: \(names.joined(separator: ", "))\(more)")
    }
}

extension Wire.SessionSummary {
    /// The session's ID as people type it.
    var id: String { sessionId.text }
    /// The session's title, else its ID.
    var name: String { title.flatMap { $0.isEmpty ? nil : $0 } ?? id }
}
