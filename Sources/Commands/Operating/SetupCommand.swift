internal import ConvoClient
internal import JSON
internal import LineEditor
internal import Posix
internal import Protocol

extension Option {
    fileprivate static let address = Option(
        long: "base-url", value: "URL", help: "where the server is, as http://localhost:8080/v1")
    fileprivate static let force = Option(long: "force", help: "replace a configuration that is there")
}

extension Command {
    static let setup = Command(
        name: "setup", summary: "write a first configuration, with one provider",
        arguments: "[gemini|openai|anthropic|ollama|server]", count: 0...1,
        options: [.address, .force, .model],
        details: """
            Takes what is there (a key in the environment, Ollama on this machine), else asks on the terminal; without a
            terminal the provider must be named, and its key comes from standard input. Writes the configuration and the key
            0600, starts the daemon anew and makes one small call.
            """
    ) { invocation throws(CommandError) in
        var setup = Setup(invocation)
        return try setup.run()
    }
}

/// What a first configuration is made of, asked for one by one.
struct Setup {
    /// A provider as it can be chosen.
    private struct Provider {
        let name: String
        let title: String
        let kind: String
        var model: String?
        /// Variables with its key.
        var keys: [KeyVariable] = []
        /// Where a key is made.
        var page: String?
    }

    private static let providers = [
        Provider(
            name: "gemini", title: "Google Gemini", kind: "gemini", model: "gemini-2.5-flash",
            keys: [.google, .gemini], page: "https://aistudio.google.com/apikey"),
        Provider(
            name: "openai", title: "OpenAI", kind: "openai", model: "gpt-4.1", keys: [.openai],
            page: "https://platform.openai.com/api-keys"),
        Provider(
            name: "anthropic", title: "Anthropic", kind: "anthropic", model: "claude-sonnet-4-5",
            keys: [.anthropic], page: "https://console.anthropic.com/settings/keys"),
        Provider(name: "ollama", title: "Ollama on this machine", kind: "ollama"),
        Provider(
            name: "server",
            title: "another server that speaks as OpenAI's does (llama.cpp, vLLM, OpenRouter …)",
            kind: "openai"),
    ]

    private let invocation: Invocation
    private let isAsking: Bool
    private var input: StandardInput
    private var console: Console { invocation.console }

    init(_ invocation: Invocation) {
        self.invocation = invocation
        isAsking = StandardInput.isTerminal && invocation.console.isErrorTerminal
        input = StandardInput(isTyped: isAsking)
    }

    mutating func run() throws(CommandError) -> ExitCode {
        let path = invocation.locator.configuration
        let named = try namedProvider()
        let isThere: Bool
        do { isThere = try Files.status(path, follows: true) != nil } catch {
            throw CommandError(.failure, "cannot look at '\(path)': \(error.reason)")
        }
        if isThere && !invocation.has(.force) {
            throw CommandError(
                .failure,
                "there is a configuration at '\(path)' already; change it with an editor, or --force replaces it"
            )
        }
        let provider: Provider
        if let named { provider = named } else { provider = try chosenProvider() }
        let base = try address(of: provider)
        let key = try self.key(of: provider)
        let model = try self.model(of: provider)
        try write(provider, base, key, model, to: path)
        console.note("wrote '\(path)'")
        _ = try Command.restart.run(invocation)
        return try test(provider)
    }

    // MARK: Questions

    private mutating func ask(_ question: String, or standard: String? = nil) throws(CommandError) -> String {
        guard isAsking else {
            if let standard { return standard }
            throw .usage(
                "without a terminal nobody can be asked '\(question)': give it; 'convo help setup' says how")
        }
        guard let text = try input.answer(to: question + (standard.map { " [\($0)] " } ?? " ")) else {
            throw CommandError(.failure, "nothing was written")
        }
        let said = TypedLines.typed(text).drop { $0 == " " }
        return said.isEmpty ? standard ?? "" : String(said)
    }

    /// The provider that the command names; nil where it names none.
    private func namedProvider() throws(CommandError) -> Provider? {
        guard let name = invocation.positionals.first else { return nil }
        guard let found = Setup.providers.first(where: { $0.name == name }) else {
            let names = Setup.providers.map(\.name)
            throw .usage("'\(name)' is no provider; \(hint(name, names, "convo help setup"))")
        }
        return found
    }

    private mutating func chosenProvider() throws(CommandError) -> Provider {
        let known = Setup.providers
        func hasKey(_ provider: Provider) -> Bool {
            provider.keys.contains { !(invocation.environment[$0.rawValue] ?? "").isEmpty }
        }
        let set =
            known.first(where: hasKey)
            ?? (ollamaModels.isEmpty ? nil : known.first { $0.name == "ollama" })
        guard isAsking else {
            if let set {
                if !set.keys.isEmpty { return set }
                // A key on standard input is somebody else's.
                let given = try StandardInput.all { invocation.noteIdleInput() }
                if given.isEmpty { return set }
            }
            throw .usage("without a terminal name the provider: 'convo setup gemini < key'")
        }
        console.print("Who is to answer?")
        for (index, provider) in known.enumerated() {
            let reason = provider.keys.isEmpty ? "it answers" : "its key is in the environment"
            let isFound = hasKey(provider) || provider.keys.isEmpty && provider.name == set?.name
            let found = isFound ? " (\(reason))" : ""
            console.print("  \(index + 1)  \(provider.title)\(found)")
        }
        let standard = set.flatMap { set in known.firstIndex { $0.name == set.name } }.map { "\($0 + 1)" }
        while true {
            let text = try ask("which?", or: standard)
            if let number = Int(text), known.indices.contains(number - 1) { return known[number - 1] }
            if let named = known.first(where: { $0.name == text.lowercased() }) { return named }
            let names = known.map(\.name).joined(separator: ", ")
            Console.complain("'\(text)' is no number from 1 to \(known.count), and none of \(names)")
        }
    }

    /// The models of an Ollama on this machine, the first first; empty where none answers.
    ///
    /// The daemon looks for it where it has no configuration.
    private lazy var ollamaModels: [String] = {
        // A daemon that does not start, or does not answer, says so once it is started with what is written here.
        // One that has a configuration has another's Ollama, perhaps.
        guard let client = try? invocation.connect(), let info = try? client.info(), info.isImplicit,
            let found = try? client.ask(
                Method.ModelList.self, milliseconds: 3_000, { $0.member("upstream", "ollama") })
        else { return [] }
        return found.models.map(\.id)
    }()

    private mutating func address(of provider: Provider) throws(CommandError) -> String? {
        if let given = invocation.value(.address) {
            guard Setup.isAddress(given) else {
                throw .usage("--base-url takes an address as http://localhost:8080/v1, not '\(given)'")
            }
            return given
        }
        if provider.name == "ollama", let host = invocation.environment["OLLAMA_HOST"], !host.isEmpty {
            return OllamaAddress(host).text
        }
        guard provider.name == "server" else { return nil }
        while true {
            let text = try ask("where is it?", or: isAsking ? "http://localhost:8080/v1" : nil)
            if Setup.isAddress(text) { return text }
            Console.complain("'\(text)' is no address as http://localhost:8080/v1")
        }
    }

    private static func isAddress(_ text: String) -> Bool {
        let schemes = ["http://", "https://"]
        return schemes.contains { text.lowercased().hasPrefix($0) && text.count > $0.count }
            && !text.contains(where: \.isWhitespace)
    }

    /// The key itself; nil for a provider that takes none.
    private mutating func key(of provider: Provider) throws(CommandError) -> String? {
        if provider.name == "ollama" { return nil }
        for name in provider.keys.map(\.rawValue) {
            guard let key = invocation.environment[name], !key.isEmpty else { continue }
            if !isAsking { return key }
            let answer = try ask("\(name) is set here; keep it in a file of its own?", or: "y")
            if ["y", "yes"].contains(answer.lowercased()) {
                return key
            }
        }
        let isOptional = provider.name == "server"
        if !isAsking {
            let text = try StandardInput.all { invocation.noteIdleInput() }
            if text.isEmpty && !isOptional {
                throw .usage("the key comes from standard input, and that is empty")
            }
            return text.isEmpty ? nil : text.filter { !$0.isWhitespace }
        }
        if let page = provider.page { console.print("A key is made at \(page)") }
        Console.write(
            question: isOptional
                ? "its key, Enter for none (it is not shown): " : "the key (it is not shown): ")
        let key = try secret()
        if key.isEmpty && !isOptional {
            throw CommandError(.failure, "nothing was written: there was no key")
        }
        return key.isEmpty ? nil : key
    }

    private func secret() throws(CommandError) -> String {
        guard let keys = KeyReader() else { throw CommandError(.failure, "the key cannot be read from here") }
        var text = ""
        while true {
            switch keys.next() {
            case .text(let character): if !character.isWhitespace { text.append(character) }
            case .erase: text = String(text.dropLast())
            case .eraseAll: text = ""
            case .enter:
                console.print("")
                return text
            case .leave, .interrupt, .end:
                console.print("")
                throw CommandError(.cancelled, "nothing was written")
            case .up, .down, .resized: continue
            }
        }
    }

    private mutating func model(of provider: Provider) throws(CommandError) -> String? {
        if let given = invocation.value(.model) { return given }
        guard let standard = provider.model else {
            // Asked without a name Ollama answers with its newest; a server may have one only.
            if provider.name == "ollama", isAsking, let first = ollamaModels.first {
                return try ask("which model?", or: first)
            }
            if provider.name == "ollama" || !isAsking { return nil }
            let text = try ask("which model?", or: "the first that it has")
            return text == "the first that it has" ? nil : text
        }
        return try ask("which model?", or: standard)
    }

    // MARK: What comes of it

    private func write(
        _ provider: Provider, _ base: String?, _ key: String?, _ model: String?, to path: String
    )
        throws(CommandError)
    {
        func quoted(_ text: String) -> String {
            var bytes: [UInt8] = []
            JSONText.append(text, to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        var members = ["kind: \(quoted(provider.kind))"]
        if let base { members.append("baseURL: \(quoted(base))") }
        if let model { members.append("model: \(quoted(model))") }
        let file = "\(Files.directory(of: path))/keys/\(provider.name)"
        if key != nil { members.append("keys: [{ file: \(quoted(file)) }]") }
        let text = """
            // Written by 'convo setup'. 'convo help configuration' says what else can stand here; only what does is used.
            {
              upstreams: {
                \(provider.name): { \(members.joined(separator: ", ")) },
                echo: { kind: "echo" },
              },
              routes: { default: [\(quoted(provider.name))] },
            }

            """
        do throws(PosixError) {
            try Files.makeDirectories(Files.directory(of: key == nil ? path : file))
            if let key { try Files.replace(file, with: Array((key + "\n").utf8)) }
            try Files.replace(path, with: Array(text.utf8))
        } catch { throw CommandError(.failure, "cannot write the configuration: \(error.description)") }
    }

    private func test(_ provider: Provider) throws(CommandError) -> ExitCode {
        let client = try invocation.connect()
        func failed(_ message: String) -> CommandError {
            CommandError(
                .upstream,
                "the configuration is written, and the call to \(provider.title) failed: \(message); 'convo setup --force' asks again"
            )
        }
        let test: Method.UpstreamTest.Result
        do throws(CommandError) {
            test = try client.ask(Method.UpstreamTest.self) { $0.member("upstream", provider.name) }
        } catch { throw error.code == .upstream ? failed(error.message) : error }
        guard test.ok else {
            throw failed((test.error?.message ?? "it failed") + (test.hint.map { "; \($0)" } ?? ""))
        }
        console.print("\(test.model) answers in \(Times.number(test.totalMs)) ms. Try 'convo chat'.")
        return .success
    }
}

extension Invocation {
    /// Offers to write a configuration where there is none and nothing was found; what the daemon says of itself then.
    func offeringSetup(_ info: Method.ServerInfo.Result, _ client: inout Client) throws(CommandError)
        -> Method.ServerInfo.Result
    {
        guard info.isOnImplicitEcho, value(.upstream) == nil else { return info }
        guard StandardInput.isTerminal, console.isErrorTerminal else {
            console.note(Invocation.noModel + "; until then the built-in echo answers")
            return info
        }
        var input = StandardInput(isTyped: true)
        let text = try input.answer(to: "no model is configured; set one up now? [Y/n] ")
        guard let text, ["", "y", "yes"].contains(text.lowercased())
        else {
            console.note("until then the built-in echo answers; 'convo setup' asks again")
            return info
        }
        var setup = Setup(self)
        _ = try setup.run()
        client = try connect()
        return try client.info()
    }
}
