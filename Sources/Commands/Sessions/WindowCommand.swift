internal import ConvoClient
internal import JSON
internal import Protocol

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
    fileprivate static let reset = Option(long: "reset", help: "all as configured again")
}

extension Command {
    static let window = Command(
        name: "window", summary: "show or set what of a session a model is sent", arguments: "[ID]",
        count: 0...1,
        options: [
            .continue, .json, .lowMark, .maxMessages, .maxTokens, .maxTurns, .pinTokens, .reserveTokens,
            .reset,
            .session, .strategy,
        ],
        details: """
            Without an ID the latest session that convo made. A value of 'none' takes a setting away, and it is as
            configured again. Nothing that is stored changes; 'convo context' draws what comes of it.
            """
    ) { invocation throws(CommandError) in
        let change = try WindowChange(invocation)
        let client = try invocation.connect()
        let choice = try SessionChoice(client: client).session(named: invocation.sessionName)
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
            WindowChange.show(session.window?.bytes, on: invocation.console)
        }
        return .success
    }
}

/// What of a session's window is set otherwise, from the options of a command.
struct WindowChange {
    /// Members of the window by their options.
    private static let members: [(option: Option, name: String, words: String)] = [
        (.strategy, "strategy", "strategy"), (.maxTokens, "maxTokens", "most tokens"),
        (.reserveTokens, "reserveTokens", "kept for the answer"), (.maxTurns, "maxTurns", "most turns"),
        (.maxMessages, "maxMessages", "most messages"), (.lowMark, "lowMark", "low mark"),
        (.pinTokens, "pinTokens", "most of pins"),
    ]

    /// Raw JSON by member; nil takes it away.
    private var values: [String: [UInt8]?] = [:]
    private let isReset: Bool

    init(_ invocation: Invocation) throws(CommandError) {
        isReset = invocation.has(.reset)
        for (option, name, _) in WindowChange.members {
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

    /// The window to set; nil where nothing is to change.
    func applied(to window: [UInt8]?) -> [UInt8]? {
        if isReset { return Array("null".utf8) }
        if values.isEmpty { return nil }
        let before = window.flatMap { try? JSONDocument($0).root }  // the daemon wrote it
        return JSONWriter.object {
            for (_, name, _) in WindowChange.members {
                if let value = values[name] {
                    if let value { $0.member(name, raw: value) }
                } else if let kept = before?[name] {
                    $0.member(name, raw: kept.raw)
                }
            }
        }
    }

    /// Prints what is set.
    static func show(_ window: [UInt8]?, on console: Console) {
        let root = window.flatMap { try? JSONDocument($0).root }  // as above
        for (_, name, words) in members {
            let value = root?[name].map { $0.string ?? String(decoding: $0.raw, as: UTF8.self) }
            console.print(TextWidth.padded(words, to: 20) + (value ?? "as configured"))
        }
    }
}
