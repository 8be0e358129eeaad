internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.answer(["fine"])

/// A chat on a screen, over a server that a script answers.
private struct Talk {
    let server: ScriptedUpstream
    let home: Home
    let screen: Screen

    init(_ scripts: [[ScriptedUpstream.Step]], more: String = "", _ arguments: String = "") throws {
        server = try ScriptedUpstream(scripts)
        home = try Home(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1' } }, retry: { attempts: 1 }\(more) }"
        )
        screen = try Screen("\(Built.convo) chat \(arguments)", columns: 100, rows: 60, home: home)
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
}

@Suite(.timeLimit(.minutes(30))) struct `What is said in a chat` {
    @Test func `is a paste with every quote in it`() throws {
        let talk = try Talk([fine, fine, fine])
        let code = "\"\"\"Module doc.\"\"\"\nimport os\ndef f():\n    \"\"\"inner\"\"\""
        for (count, paste) in [code, "\"\"\"only opened", "\"\"\"a\nwith \"\"\" inside\nb"].enumerated() {
            try talk.screen.paste(paste)
            try talk.screen.strike("Enter")
            try soon("paste \(count) is sent") { try talk.prompts().count == count + 1 }
            #expect(try talk.prompts().last == paste)
            try talk.screen.seeLast("›")
        }
    }

    @Test
    func `is a command where it begins with one that takes words, of several lines too, and none in quotes`()
        throws
    {
        let talk = try Talk([fine, fine])
        try talk.screen.type("/system be brief")
        try talk.screen.strike("M-Enter")
        try talk.enter("and kind")
        try talk.screen.seeLast("›")
        try talk.enter("\"\"\"/help\"\"\"")
        try soon("it is asked") { talk.server.requests.count == 1 }
        #expect(try talk.prompts() == ["/help"])
        #expect(talk.server.requests[0].contains(#""content":"be brief\nand kind""#))
    }

    @Test func `goes with its files when it is said again, where it was refused`() throws {
        let talk = try Talk([fine, fine], more: ", throttle: { promptsPerMinute: 1, wait: '1s' }")
        try talk.enter("first")
        try talk.screen.see("fine")
        try talk.screen.seeLast("›")
        let file = talk.home.directory.file("notes.txt")
        try Files.replace(file, with: Array("from the file".utf8))
        try talk.enter("/attach \(file)")
        try talk.screen.see("with the next prompt go notes.txt")
        try talk.enter("second")
        try talk.screen.see("you have sent as many prompts")
        try talk.screen.seeLast("›")
        try talk.enter("/attach")
        try soon("they still go with the next one") {
            try talk.screen.text().split(separator: "with the next prompt go notes.txt").count == 3
        }
    }

    @Test
    func `by somebody else is not taken back without a question, also where it waited behind one's own`()
        throws
    {
        let talk = try Talk([ScriptedUpstream.answer(holdingBetween: [["my "], ["answer"]]), fine])
        try talk.enter("mine")
        try talk.screen.seeLast("my")
        let id = String(try talk.home.convo("ls", "-q").said.prefix { $0 != "\t" })
        let other = try Running("other", ["send", "-s", id, "precious"], talk.home)
        let watcher = try TestClient(talk.home.directory.file("s.sock"))
        try soon("it waits") {
            try watcher.call("_convod/turn/list", #"{"sessionId":"\#(id)","open":true}"#).result?["turns"]?
                .count == 2
        }
        talk.server.proceed()
        #expect(try Process.reap(other.pid) == .exited(0))
        try talk.screen.seeLast("›")
        try talk.enter("/undo")
        try talk.screen.see("The newest prompt came from elsewhere: “precious”. Take it back? [y/N]")
        try talk.enter("n")
        try talk.screen.see("nothing was changed")
        #expect(try talk.home.convo("show", id).said.contains("precious"))
    }
}
