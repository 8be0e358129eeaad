internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

extension Option {
    static let bulkDryRun = Option(long: "dry-run", help: "with --where: only list what is meant")
    static let bulkWhere = Option(
        long: "where", value: "KEY=VALUE",
        help:
            "every session that is so: tag, title, model, upstream, cwd, older-than, newer-than; several must all hold; archived ones are left out"
    )
}

/// Which sessions a change of many is about.
struct BulkFilter {
    private static let keys = ["tag", "title", "model", "upstream", "cwd", "older-than", "newer-than"]

    private var values: [(key: String, value: String)] = []

    init(_ invocation: Invocation) throws(CommandError) {
        for text in invocation.arguments.values(.bulkWhere) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, BulkFilter.keys.contains(String(parts[0])), !parts[1].isEmpty else {
                throw .usage(
                    "--where takes KEY=VALUE with one of \(BulkFilter.keys.joined(separator: ", ")), not '\(text)'"
                )
            }
            var value = String(parts[1])
            if parts[0].hasSuffix("-than") {
                guard let time = try Invocation.time(value, of: "--where \(parts[0])") else { continue }
                value = Timestamp.text(time)
            }
            if parts[0] == "model" { value = try ModelAliases(Locations.ofThisProcess).model(for: value) }
            if values.contains(where: { $0.key == parts[0] }) {
                throw .usage("--where takes '\(parts[0])' once, and it is given twice")
            }
            values.append((String(parts[0]), value))
        }
    }

    /// The sessions, the one that changed last first; those in memory are left out.
    func sessions(_ client: Client, isArchived: Bool = false) throws(CommandError) -> [Wire.SessionSummary] {
        var found: [Wire.SessionSummary] = [], cursor: String?
        repeat {
            let page = try client.ask(Method.SessionFind.self) {
                for (key, value) in values {
                    switch key {
                    case "title": $0.member("query", value)
                    case "older-than": $0.member("until", value)
                    case "newer-than": $0.member("since", value)
                    default: $0.member(key, value)
                    }
                }
                if isArchived { $0.member("archived", true) }
                $0.member("limit", 500)
                $0.optional("cursor", cursor)
            }
            found += page.sessions.filter { $0.ephemeral == nil }
            cursor = page.nextCursor
        } while cursor != nil
        return found
    }
}

extension String {
    /// As a shell takes it for one word.
    var quotedForShell: String {
        let isPlain =
            !isEmpty
            && unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || "0123456789-_.:@/+,=".unicodeScalars.contains($0)
            }
        return isPlain ? self : "'" + replacing("'", with: "'\\''") + "'"
    }
}

extension Invocation {
    /// Changes every session that --where means, and prints the command that undoes it; nil where --where is not given.
    ///
    /// With --dry-run the sessions are listed and nothing is changed. `undo` gets the IDs of those that were changed.
    func bulk(
        done: String, isArchived: Bool = false, undo: ([String]) -> String,
        _ change: (Client, Wire.SessionSummary) throws(CommandError) -> Bool
    ) throws(CommandError) -> ExitCode? {
        guard has(.bulkWhere) else {
            if has(.bulkDryRun) { throw .usage("--dry-run goes with --where") }
            return nil
        }
        let filter = try BulkFilter(self), client = try connect()
        let sessions = try filter.sessions(client, isArchived: isArchived)
        if has(.bulkDryRun) {
            for session in sessions {
                console.print(
                    "\(session.id)\t\(Console.harmless(session.title ?? "", keepingLines: false))")
            }
            console.note("\(Times.count(sessions.count, "session")) would be \(done)")
            return .success
        }
        var ids: [String] = [], problem: CommandError?
        do throws(CommandError) {
            for session in sessions where try change(client, session) { ids.append(session.id) }
        } catch { problem = error }
        console.note("\(Times.count(ids.count, "session")) \(done)")
        // What was done is undone by this, whatever came behind it.
        if !ids.isEmpty { console.print("convo " + undo(ids)) }
        if let problem { throw problem }
        return .success
    }
}
