internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let strategy = Option(
        long: "strategy", value: "NAME",
        help: "auto, slide, sawtooth or summarize: what is left out when not all fits")
    fileprivate static let maxTokens = Option(
        long: "max-tokens", value: "N", help: "what is sent at most, in estimated tokens")
    fileprivate static let reserveTokens = Option(
        long: "reserve-tokens", value: "N", help: "what is kept free for the answer")
    fileprivate static let maxTurns = Option(long: "max-turns", value: "N", help: "whole turns at most")
    fileprivate static let maxMessages = Option(
        long: "max-messages", value: "N", help: "messages at most, in whole turns")
    fileprivate static let lowMark = Option(
        long: "low-mark", value: "SHARE", help: "the share of a limit to which a cut goes, as 0.6")
    fileprivate static let pinTokens = Option(
        long: "pin-tokens", value: "N", help: "what pinned messages may have together")
    fileprivate static let `default` = Option(
        long: "default", help: "what sessions have that set nothing: 'window' of the configuration")
    fileprivate static let reset = Option(long: "reset", help: "all as configured again")
}

extension Command {
    static let window = Command(
        name: "window", summary: "show or set what of a session a model is sent", arguments: "[ID]",
        count: 0...1,
        options: [
            .continue, .default, .json, .lowMark, .maxMessages, .maxTokens, .maxTurns, .pinTokens,
            .reserveTokens,
            .reset,
            .session, .strategy,
        ],
        details: """
            Without an ID the session that convo used last. A value of 'none' takes a setting away, and it is as
            configured again. With --default it is written into the configuration, whose other lines stay as they are.
            The last line is what is in force for the next prompt. Nothing that is stored changes;
            'convo context' draws what comes of it.
            """
    ) { invocation throws(CommandError) in
        let change = try WindowChange(invocation)
        let client = try invocation.connect()
        let isDefault = invocation.has(.default)
        if isDefault, let name = invocation.positionals.first ?? invocation.value(.session) {
            throw .usage(
                "--default is about sessions that set nothing, and '\(name)' is one session; give one of both"
            )
        }
        if isDefault && !change.isEmpty { try ConfigurationFile(client).set(change, client) }
        if isDefault {
            guard let configured = WindowChange.configured(try client.info(withConfiguration: true)) else {
                throw CommandError(
                    .failure, "the daemon does not tell its configuration; only its administrators see it")
            }
            if invocation.has(.json) {
                invocation.console.print(PrettyJSON.text(of: Array(configured.raw)))
            } else {
                WindowChange.show(Array(configured.raw), nil, on: invocation.console)
            }
            return .success
        }
        let choice = try SessionChoice(client: client, console: invocation.console).session(
            named: invocation.sessionName())
        var session = try client.ask(Method.SessionGet.self) { $0.member("sessionId", choice.id) }
        if let window = change.applied(to: session.window?.bytes) {
            session = try client.ask(Method.SessionSet.self) {
                $0.member("sessionId", choice.id)
                $0.member("window", raw: window)
            }
        }
        if invocation.has(.json) {
            invocation.console.print(PrettyJSON.text(of: session.window?.bytes ?? Array("{}".utf8)))
        } else {
            try WindowChange.show(session, client, on: invocation.console)
        }
        return .success
    }
}

/// What of a session's window is set otherwise, from the options of a command.
struct WindowChange {
    /// Members of the window by their options.
    ///
    /// `without` is what holds where nobody sets it.
    private static let members: [(option: Option, name: String, words: String, without: String)] = [
        (.strategy, "strategy", "strategy", "auto"),
        (.maxTokens, "maxTokens", "most tokens", "what the model holds"),
        (.reserveTokens, "reserveTokens", "kept for the answer", "1024"),
        (.maxTurns, "maxTurns", "most turns", "any number"),
        (.maxMessages, "maxMessages", "most messages", "any number"),
        (.lowMark, "lowMark", "low mark", "0.6, of small windows 0.75"),
        (.pinTokens, "pinTokens", "most of pins", "a quarter of the window"),
    ]

    /// Raw JSON by member; nil takes it away.
    private var values: [String: [UInt8]?] = [:]
    private let isReset: Bool

    init(_ invocation: Invocation) throws(CommandError) {
        isReset = invocation.has(.reset)
        for (option, name, _, _) in WindowChange.members {
            guard let value = invocation.value(option) else { continue }
            if value == "none" {
                values[name] = .some(nil)
            } else if name == "strategy" {
                var writer = JSONWriter()
                writer.string(value)
                values[name] = writer.bytes
            } else if let number = Double(value), number.isFinite {
                var writer = JSONWriter()
                writer.double(number)
                values[name] = writer.bytes
            } else {
                throw .usage("--\(option.long) must be a number or 'none', not '\(value)'")
            }
        }
        if isReset && !values.isEmpty { throw .usage("--reset stands alone: it takes every setting away") }
    }

    /// Whether nothing is to change.
    var isEmpty: Bool { !isReset && values.isEmpty }

    /// The window to set; nil where nothing is to change.
    func applied(to window: [UInt8]?) -> [UInt8]? {
        if isReset { return Array("null".utf8) }
        if values.isEmpty { return nil }
        let before = window.flatMap { try? JSONDocument($0).root }  // the daemon wrote it
        let members = changed(before)
        return JSONWriter.object { for (name, value) in members { $0.member(name, raw: value) } }
    }

    /// All members that are set then, of those that were.
    func changed(_ before: JSONView?) -> [(name: String, value: ArraySlice<UInt8>)] {
        if isReset { return [] }
        var all: [(String, ArraySlice<UInt8>)] = []
        for (_, name, _, _) in WindowChange.members {
            if let value = values[name] {
                if let value { all.append((name, value[...])) }
            } else if let kept = before?[name] {
                all.append((name, kept.raw))
            }
        }
        return all
    }

    /// Prints what is set, and what is configured where nothing is: `theirs` by the upstream that is asked, before all others.
    static func show(
        _ window: [UInt8]?, _ configured: JSONView?, _ theirs: (name: String, window: JSONView)? = nil,
        on console: Console
    ) {
        let root = window.flatMap { try? JSONDocument($0).root }  // as above
        func text(_ value: JSONView?) -> String? {
            value.flatMap { $0.isNull ? nil : $0.string ?? String(decoding: $0.raw, as: UTF8.self) }
        }
        for (_, name, words, without) in members {
            let set = text(root?[name])
            let own = theirs.flatMap { theirs in
                text(theirs.window[name]).map { "as upstream '\(theirs.name)' has it (\($0))" }
            }
            let other = own ?? configured.map { "as configured (\(text($0[name]) ?? without))" } ?? without
            line(words, set ?? other, console)
        }
    }

    /// Prints what a session's window is, and what of it is in force.
    static func show(_ session: Method.SessionGet.Result, _ client: Client, on console: Console)
        throws(CommandError)
    {
        let info = try client.info(withConfiguration: true)
        show(session.window?.bytes, configured(info), theirs(session.summary, info), on: console)
        try showForce(client, session.summary.id, on: console)
    }

    /// The upstream that a session's next prompt would ask first, with its own window; nil where it has none, and where the daemon
    /// does not tell.
    private static func theirs(_ session: Wire.SessionSummary, _ info: Method.ServerInfo.Result)
        -> (name: String, window: JSONView)?
    {
        let route = session.upstream ?? "default"
        // The daemon wrote it.
        guard let name = info.routes.members[route]?.first ?? session.upstream,
            let root = info.config.flatMap({ try? JSONDocument($0.bytes).root }),
            let window = root["upstreams"]?[name]?["window"], window.kind == .object
        else { return nil }
        return (name, window)
    }

    /// 'window' of the configuration; nil where the daemon does not tell it.
    static func configured(_ info: Method.ServerInfo.Result) -> JSONView? {
        info.config.flatMap {
            (try? JSONDocument($0.bytes))?.root["window"]  // the daemon wrote it
        }
    }

    /// The same of a session, looked up.
    static func print(of session: Wire.SessionSummary, _ client: Client, on console: Console)
        throws(CommandError)
    {
        let found = try client.ask(Method.SessionGet.self) { $0.member("sessionId", session.id) }
        try show(found, client, on: console)
    }

    /// Prints what of all that is in force for the next prompt, or why nothing can be sent.
    static func showForce(_ client: Client, _ session: String, on console: Console) throws(CommandError) {
        let receipt: Wire.Receipt
        do throws(CommandError) { receipt = try NextWindow(of: session, client).receipt } catch {
            return line("in force", "nothing now: \(error.message)", console)
        }
        let used = "\(Times.number(receipt.estimate)) of \(Times.number(receipt.budget)) tokens used"
        line(
            "in force", "\(receipt.strategy.chosen), since \(receipt.strategy.why); \(used)", console)
    }

    /// A name with what it says beside it, over as many lines as the terminal's width takes.
    private static func line(_ name: String, _ words: String, _ console: Console) {
        let room = console.isOutputTerminal ? max(16, console.columns - 21) : Int.max
        for (index, part) in TextWidth.wrapped(words, to: room).enumerated() {
            console.print(TextWidth.padded(index == 0 ? name : "", to: 20) + part)
        }
    }
}
