internal import JSON
internal import Posix
internal import Protocol

extension Option {
    static let attach = Option(
        short: "a", long: "attach", value: "FILE",
        help: "send this image, PDF, audio or text with it; '-' is the input")
    static let parameter = Option(
        short: "o", long: "option", value: "NAME=VALUE",
        help: "ask with this, as temperature=0.2; 'convo help send' lists them")
    static let raw = Option(long: "raw", help: "Markdown as it is written, not drawn")
    static let schema = Option(
        long: "schema", value: "FILE", help: "answer as JSON of this form (JSON Schema)")
    static let template = Option(short: "t", long: "template", value: "NAME", help: "fill in this template")
    static let variable = Option(
        short: "p", long: "param", value: "NAME=VALUE", help: "what a variable of the template stands for")
}

extension Invocation {
    /// The files of `-a`.
    func attachments() throws(CommandError) -> [Attachment] {
        var files: [Attachment] = []
        for path in arguments.values(.attach) {
            files.append(
                try Attachment(path) { () throws(CommandError) in
                    try StandardInput.bytes(most: Attachment.most + 1) { noteIdleInput() }
                })
        }
        return files
    }

    /// The model of `-m`, or of another option for one, which may be an alias.
    func model(_ option: Option = .model) throws(CommandError) -> String? {
        guard let name = value(option) else { return nil }
        return try ModelAliases(Locations.ofThisProcess).model(for: name)
    }

    /// The JSON Schema of `--schema`, raw; nil where there is none.
    func schema() throws(CommandError) -> [UInt8]? {
        guard let path = value(.schema) else { return nil }
        let bytes: [UInt8]
        do throws(PosixError) { bytes = try Files.read(Files.absolute(path), limit: 64 << 10) } catch {
            let why = error.errno == PosixError.tooBig ? "it has more than 64 KiB" : error.reason
            throw CommandError(.failure, "cannot read '\(path)': \(why)")
        }
        do {
            guard try JSONDocument(bytes).root.kind == .object else {
                throw CommandError(.usage, "'\(path)' is no JSON Schema: it must be an object")
            }
        } catch let error as CommandError { throw error } catch {
            throw .usage("'\(path)' is no JSON: \(error)")
        }
        return bytes
    }

    /// What `-o` and `--schema` ask with, raw JSON; nil where nothing is given.
    func parameters(schema: [UInt8]? = nil) throws(CommandError) -> [UInt8]? {
        let given = arguments.values(.parameter)
        if given.isEmpty && schema == nil { return nil }
        var members: [(name: String, value: [UInt8])] = []
        for text in given {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw .usage("-o takes NAME=VALUE, as temperature=0.2, not '\(text)'")
            }
            let name = AskedParameter.name(of: String(parts[0]))
            guard AskedParameter.names.contains(name) else {
                throw .usage(
                    "'\(parts[0])' is nothing that a model is asked with; \(hint(name, AskedParameter.names, "convo help send"))"
                )
            }
            if members.contains(where: { $0.name == name }) {
                throw .usage("-o \(name)=… is given twice; keep one")
            }
            members.append((name, AskedParameter.value(of: name, String(parts[1]))))
        }
        return JSONWriter.object { writer in
            for member in members { writer.member(member.name, raw: member.value) }
            if let schema { writer.member("schema", raw: schema) }
        }
    }
}

/// What a model can be asked with.
enum AskedParameter {
    static let names = [
        "candidates", "maxTokens", "seed", "stop", "temperature", "thinking", "toolChoice", "topP",
    ]

    /// `max_tokens` and `max-tokens` are `maxTokens`.
    static func name(of text: String) -> String {
        let words = text.split { $0 == "_" || $0 == "-" }
        guard words.count > 1 else { return text }
        return words[0] + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    /// The value as JSON: a number or JSON as it is, else a string.
    static func value(of name: String, _ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        let isJSON = (try? JSONDocument(bytes)) != nil
        var value = bytes
        if !isJSON {
            value = []
            JSONText.append(text, to: &value)
        }
        let isList = bytes.first == 0x5B && isJSON
        return name == "stop" && !isList ? [0x5B] + value + [0x5D] : value
    }
}
