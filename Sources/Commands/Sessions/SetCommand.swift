internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let title = Option(long: "title", value: "TEXT", help: "what lists show")
    fileprivate static let tags = Option(
        long: "tags", value: "A,B", help: "its tags, in place of those it has; convo's own stays")
}

extension Command {
    static let set = Command(
        name: "set", summary: "change how a session is set up", arguments: "[ID]", count: 0...1,
        options: [.continue, .json, .model, .session, .system, .tags, .title, .upstream],
        details: """
            Without an ID the session that convo used last. A value of 'none' takes a setting away, and it is as
            configured again. What of the session a model is sent is set with 'convo window'. Without options it shows
            what is set.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let choice = try SessionChoice(client: client, console: invocation.console).session(
            named: invocation.sessionName())
        var session = try client.ask(Method.SessionGet.self) { $0.member("sessionId", choice.id) }
        let model = try invocation.model()
        let change = SessionSetting.all.compactMap { setting in
            invocation.value(setting.option).map { (setting, setting.name == "model" ? model ?? $0 : $0) }
        }
        if !change.isEmpty {
            let before = session.summary.tags
            try invocation.noteSwitch(client, choice.id)
            session = try client.ask(Method.SessionSet.self) {
                $0.member("sessionId", choice.id)
                for (setting, value) in change { setting.write(value, before, to: &$0) }
            }
        }
        if invocation.has(.json) {
            invocation.console.print(json: session)
        } else {
            for setting in SessionSetting.all { setting.show(session, on: invocation.console) }
        }
        return .success
    }
}

/// A setting of a session, from the option of a command.
private struct SessionSetting {
    let option: Option
    /// Its member on the wire.
    let name: String
    let words: String
    let value: @Sendable (Wire.Session) -> String?

    static let all = [
        SessionSetting(option: .title, name: "title", words: "title") { $0.summary.title },
        SessionSetting(option: .system, name: "system", words: "system prompt") { $0.system },
        SessionSetting(option: .upstream, name: "upstream", words: "upstream") { $0.summary.upstream },
        SessionSetting(option: .model, name: "model", words: "model") { $0.summary.model },
        SessionSetting(option: .tags, name: "tags", words: "tags") { session in
            let tags = session.summary.tags.filter { $0 != SessionChoice.tag }
            return tags.isEmpty ? nil : tags.joined(separator: ", ")
        },
    ]

    func write(_ value: String, _ tags: [String], to writer: inout JSONWriter) {
        guard name == "tags" else {
            if value == "none" {
                writer.key(name)
                writer.null()
            } else {
                writer.member(name, value)
            }
            return
        }
        // The mark of convo's own sessions is no tag of the person's.
        let own = tags.filter { $0 == SessionChoice.tag }
        let new = value == "none" ? [] : value.split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
        writer.key(name)
        writer.array { for tag in own + new { $0.string(tag) } }
    }

    func show(_ session: Wire.Session, on console: Console) {
        let text = value(session).map { Console.harmless($0, keepingLines: false) }
        let room = max(10, console.columns - 16)
        console.print(
            TextWidth.padded(words, to: 16) + (text.map { TextWidth.fitted($0, to: room) } ?? "none"))
    }
}

extension Substring {
    /// Without blanks at both ends.
    fileprivate var trimmed: String {
        var rest = self
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}

extension Invocation {
    /// Says what another model or upstream costs a session, before it is set.
    fileprivate func noteSwitch(_ client: Client, _ session: String) throws(CommandError) {
        func given(_ option: Option) -> String? { value(option).flatMap { $0 == "none" ? nil : $0 } }
        let model = given(.model), upstream = given(.upstream)
        if model == nil && upstream == nil { return }
        let note = try SwitchNote(client, session, model: model, upstream: upstream)
        if let words = note.words { console.note(words) }
    }
}
