internal import Posix
internal import Protocol

/// A prompt to fill in: a file of text with `{{name}}` where something goes, and what it is asked with before it.
///
/// A file may begin with lines `system: …`, `model: …` and `upstream: …` between two lines `---`. `{{input}}` is what the prompt
/// itself says; where a template has none, that goes behind it.
struct PromptTemplate {
    /// As it stands in the file; `filledSystem` is what is sent.
    private var system: String?
    var model: String?
    var upstream: String?
    /// All of the file.
    let whole: String
    private let text: String
    private let name: String
    private var values: [String: String] = [:]

    /// The names of a user's templates, sorted.
    static func names(in locations: Locations) -> [String] {
        // A directory that is not there has none.
        let names = (try? Files.names(in: locations.templates)) ?? []
        return names.filter { $0.hasSuffix(".md") }.map { String($0.dropLast(3)) }.sorted()
    }

    init(_ name: String, _ locations: Locations, _ values: [String: String] = [:]) throws(CommandError) {
        let path = "\(locations.templates)/\(name).md"
        let bytes: [UInt8]
        do throws(PosixError) {
            guard !name.contains("/"), !name.hasPrefix(".") else { throw PosixError("read", name, errno: 2) }
            bytes = try Files.read(path, limit: 4 << 20)
        } catch {
            guard error.errno == 2 else {
                throw CommandError(.failure, "cannot read template '\(path)': \(error.reason)")
            }
            if name.isEmpty { throw .usage("-t needs the name of a template; 'convo template' lists them") }
            let known = PromptTemplate.names(in: locations)
            throw CommandError(
                .notFound,
                "there is no template '\(name)' in '\(locations.templates)'; \(known.isEmpty ? "it has none" : hint(name, known, "convo template"))"
            )
        }
        guard let read = String(validating: bytes, as: UTF8.self) else {
            throw CommandError(.failure, "template '\(path)' is not UTF-8 text")
        }
        // What an editor on another system leaves.
        let marked = read.unicodeScalars.first == "\u{FEFF}" ? String(read.unicodeScalars.dropFirst()) : read
        let whole = String(marked.map { $0 == "\r\n" ? "\n" : $0 })
        self.whole = whole
        self.name = name
        self.values = values
        var lines = whole.split(separator: "\n", omittingEmptySubsequences: false)
        let end = lines.dropFirst().firstIndex(of: "---")
        // A line of its own that ends nothing is a line of the text.
        let begins = ["system:", "model:", "upstream:"]
        if lines.first == "---", end == nil, lines.count > 1,
            begins.contains(where: { lines[1].hasPrefix($0) })
        {
            throw CommandError(
                .failure,
                "template '\(path)' begins with '---' and has no second one; put one behind 'system', 'model' and 'upstream'"
            )
        }
        if lines.first == "---", let end {
            for line in lines[1..<end] {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                let value = String(parts[1].drop { $0 == " " })
                switch parts[0] {
                case "system": system = value
                case "model": model = try ModelAliases(Locations.ofThisProcess).model(for: value)
                case "upstream": upstream = value
                default:
                    throw CommandError(
                        .failure,
                        "template '\(path)' sets '\(parts[0])'; it can set 'system', 'model' and 'upstream'")
                }
            }
            lines.removeFirst(end + 1)
        }
        while lines.last?.isEmpty ?? false { lines.removeLast() }
        text = lines.joined(separator: "\n")
    }

    /// A piece of a template's text.
    private enum Piece {
        case words(Substring)
        case variable(String)
    }

    /// The pieces of a text; what names nothing is words.
    private static func pieces(of text: String) -> [Piece] {
        var pieces: [Piece] = [], rest = text[...]
        while let start = rest.firstRange(of: "{{"),
            let end = rest[start.upperBound...].firstRange(of: "}}")
        {
            let name = rest[start.upperBound..<end.lowerBound].drop { $0 == " " }.prefix { $0 != " " }
            pieces.append(.words(rest[..<(name.isEmpty ? end.upperBound : start.lowerBound)]))
            if !name.isEmpty { pieces.append(.variable(String(name))) }
            rest = rest[end.upperBound...]
        }
        return pieces + [.words(rest)]
    }

    /// What a text names.
    private static func names(in text: String) -> Set<String> {
        Set(pieces(of: text).compactMap { if case .variable(let name) = $0 { name } else { nil } })
    }

    /// A text with what goes in; no prompt goes where there is no `input`.
    private func fill(_ text: String, _ input: String?) throws(CommandError) -> String {
        var filled = ""
        for piece in PromptTemplate.pieces(of: text) {
            switch piece {
            case .words(let words): filled += words
            case .variable(let name):
                if let value = name == "input" ? input : values[name] {
                    filled += value
                } else if name == "input" {
                    throw .usage(
                        "template '\(self.name)' has {{input}} in its 'system', which a prompt does not go into; put it below the second line '---'"
                    )
                } else {
                    throw .usage("template '\(self.name)' needs '\(name)': give -p \(name)=…")
                }
            }
        }
        return filled
    }

    /// The system prompt, with what goes in; nil where it has none.
    func filledSystem() throws(CommandError) -> String? {
        try system.map { (system) throws(CommandError) in try fill(system, nil) }
    }

    /// The prompt, with what goes in.
    func filled(_ input: String) throws(CommandError) -> String {
        let prompt = try fill(text, input), own = PromptTemplate.names(in: text)
        let names = own.union(system.map(PromptTemplate.names) ?? [])
        if let other = values.keys.sorted().first(where: { !names.contains($0) }) {
            throw .usage(
                "template '\(name)' has no '\(other)'; \(names.isEmpty ? "it has no variables" : hint(other, names.sorted(), "convo template \(name)"))"
            )
        }
        return own.contains("input") || input.isEmpty ? prompt : prompt + "\n\n" + input
    }
}

extension Invocation {
    /// The template of `-t` with what `-p` gives; nil where there is none.
    func template() throws(CommandError) -> PromptTemplate? {
        var values: [String: String] = [:]
        for text in arguments.values(.variable) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw .usage("-p takes NAME=VALUE, not '\(text)'")
            }
            if parts[0] == "input" {
                throw .usage("{{input}} is the prompt itself: give it as TEXT, not with -p")
            }
            values[String(parts[0])] = String(parts[1])
        }
        guard let name = value(.template) else {
            if values.isEmpty { return nil }
            throw .usage("-p fills in a template: give '-t NAME' with it")
        }
        return try PromptTemplate(name, Locations.ofThisProcess, values)
    }
}

extension Command {
    static let template = Command(
        name: "template", summary: "list the prompts to fill in, or show one", arguments: "[NAME]",
        count: 0...1,
        details: """
            A template is a file NAME.md in the folder that is shown: text with {{variables}}; {{input}} is the prompt.
            It may begin with 'system: …', 'model: …', 'upstream: …' between two lines '---'.
            'convo send -t NAME -p variable=value TEXT' fills it in.
            """
    ) { invocation throws(CommandError) in
        let locations = Locations.ofThisProcess
        guard let name = invocation.positionals.first else {
            let names = PromptTemplate.names(in: locations)
            for name in names { invocation.console.print(Console.harmless(name, keepingLines: false)) }
            if names.isEmpty {
                invocation.console.note("no templates; write one as '\(locations.templates)/NAME.md'")
            }
            return .success
        }
        let template = try PromptTemplate(name, locations)
        invocation.console.write(verbatim: template.whole)
        return .success
    }
}
