internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

/// Short names of a user's for models: lines `NAME MODEL` in a file.
struct ModelAliases {
    private let path: String
    private(set) var models: [String: String] = [:]
    /// All of the file's lines, whatever they say.
    private var lines: [String] = []

    /// Without a file there are none; one that cannot be read is an error, since another model would be asked.
    init(_ locations: Locations) throws(CommandError) {
        path = (try? Files.resolved(locations.aliases)) ?? locations.aliases
        do throws(PosixError) {
            guard try Files.status(path, follows: true) != nil else { return }
            for line in String(decoding: try Files.read(path, limit: 1 << 20), as: UTF8.self).split(
                separator: "\n")
            {
                lines.append(String(line))
                let words = line.split(separator: " ", maxSplits: 1)
                if words.count == 2, !line.hasPrefix("#") { models[String(words[0])] = String(words[1]) }
            }
        } catch { throw CommandError(.failure, "cannot read '\(path)': \(error.reason)") }
    }

    /// What is asked for a name.
    func model(for name: String) -> String { models[name] ?? name }

    /// Gives a name another model, or none.
    mutating func set(_ name: String, to model: String?) throws(CommandError) {
        models[name] = model
        lines.removeAll { $0.hasPrefix("\(name) ") }
        if let model { lines.append("\(name) \(model)") }
        do throws(PosixError) {
            try Files.makeDirectories(Files.directory(of: path))
            try Files.replace(path, with: Array(lines.map { $0 + "\n" }.joined().utf8))
        } catch { throw CommandError(.failure, "cannot write '\(path)': \(error.reason)") }
    }
}

extension Client {
    /// Who lists a model that a turn's upstream refused, behind a semicolon; nil where that lists it itself, or nobody does.
    ///
    /// Lists that cannot be had are none.
    func whoElseHasModel(of turn: TurnID) -> String? {
        let params = JSONWriter.object { $0.member("turnId", turn) }
        guard let asked = (try? call(Method.TurnGet.self, params))?.turn, let model = asked.model,
            let upstream = asked.upstream,
            let list = try? call(Method.ModelList.self, JSONWriter.object { _ in }, milliseconds: 3_000)
        else { return nil }
        let names = list.models.filter { $0.id == model }.map(\.upstream)
        guard !names.isEmpty, !names.contains(upstream) else { return nil }
        return
            "; '\(upstream)' does not list '\(model)', '\(names[0])' does: '-u \(names[0])', in a chat /model, asks it there"
    }
}

extension Option {
    fileprivate static let remove = Option(long: "remove", help: "take the name away")
}

extension Command {
    static let alias = Command(
        name: "alias", summary: "short names for models", arguments: "[NAME [MODEL]]", count: 0...2,
        options: [.remove],
        details: "Without NAME all are listed. '-m NAME' asks its model in every command."
    ) { invocation throws(CommandError) in
        var aliases = try ModelAliases(Locations.ofThisProcess)
        let words = invocation.positionals
        guard let name = words.first else {
            if invocation.has(.remove) { throw .usage("--remove needs the NAME to take away") }
            var table = Table([Table.Column(title: "ALIAS"), Table.Column(title: "MODEL", isFlexible: true)])
            for (name, model) in aliases.models.sorted(by: { $0.key < $1.key }) { table.add([name, model]) }
            if aliases.models.isEmpty {
                invocation.console.note("no aliases; 'convo alias NAME MODEL' makes one")
            } else {
                table.print(on: invocation.console)
            }
            return .success
        }
        if words.count == 2 || invocation.has(.remove) {
            guard !name.contains(where: \.isWhitespace), !name.hasPrefix("#"), !name.isEmpty else {
                throw .usage("a name for a model has no blanks and no '#' before it, not '\(name)'")
            }
            if words.count == 2,
                words[1].isEmpty || words[1].contains(where: { $0.isNewline || $0.isASCII && $0 < " " })
            {
                throw .usage("a model has a name of one line")
            }
            if words.count == 2, words[1].contains(where: \.isWhitespace) {
                throw .usage("a model's name has no blanks, and '\(words[1].prefix(60))' has some")
            }
            if words.count == 2 && invocation.has(.remove) { throw .usage("--remove takes the name alone") }
            if words.count == 1, aliases.models[name] == nil {
                throw CommandError(.notFound, "there is no alias '\(name)'; 'convo alias' lists them")
            }
            // An alias of an alias is one of the same model, whatever becomes of the first.
            try aliases.set(name, to: words.count == 2 ? aliases.models[words[1]] ?? words[1] : nil)
            return .success
        }
        guard let model = aliases.models[name] else {
            throw CommandError(.notFound, "there is no alias '\(name)'; 'convo alias' lists them")
        }
        invocation.console.print(Console.harmless(model, keepingLines: false))
        return .success
    }
}
