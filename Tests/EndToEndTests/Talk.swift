internal import JSON
internal import TestSupport
internal import Testing

/// An answer of one word.
let fine = ScriptedUpstream.answer(["fine"])

/// A chat on a screen, over a server that a script answers.
struct Talk {
    let server: ScriptedUpstream
    let home: Home
    let screen: Screen

    /// `before` stands before the command, as variables do, `more` in the configuration.
    init(
        _ scripts: [[ScriptedUpstream.Step]], more: String = "", _ arguments: String = "",
        before: String = "",
        columns: Int = 100, rows: Int = 60
    ) throws {
        server = try ScriptedUpstream(scripts)
        home = try Home(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1' } }, retry: { attempts: 1 }\(more) }"
        )
        screen = try Screen(
            "\(before) \(Built.convo) chat \(arguments)", columns: columns, rows: rows, home: home)
        try screen.seeLast("›")
    }

    func enter(_ text: String) throws {
        try screen.type(text)
        try screen.strike("Enter")
    }

    /// The newest message of each request.
    func prompts() throws -> [String] {
        try server.requests.map { request in
            let body = try Fixtures.json(String(request.split(separator: "\r\n").last ?? ""))
            let messages = body["messages"].map { Array($0.elements) } ?? []
            return messages.last?["content"]?.string ?? ""
        }
    }

    /// Waits until just these were sent, and the last is answered.
    func sees(_ prompts: [String]) throws {
        try soon("\(prompts) are sent") { try self.prompts().count >= prompts.count }
        #expect(try self.prompts() == prompts)
        try screen.seeLast("›")
    }
}
