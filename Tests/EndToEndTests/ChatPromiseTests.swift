internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

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

    @Test func `is a paste also where it is edited, comes out of the history, or was wiped before`() throws {
        let talk = try Talk([fine, fine, fine])
        func sent(_ count: Int, _ words: String) throws {
            try soon("\(words) is sent") { try talk.prompts().count == count }
            #expect(try talk.prompts().last == words)
            try talk.screen.seeLast("›")
        }
        try talk.screen.paste("\"\"\"doc\"\"\" x")
        try talk.screen.strike("BSpace")
        try talk.enter("Y")
        try sent(1, "\"\"\"doc\"\"\" Y")
        try talk.screen.strike("Up")
        try talk.screen.see("› \"\"\"doc\"\"\" Y")
        try talk.screen.strike("Enter")
        try sent(2, "\"\"\"doc\"\"\" Y")
        // What is typed then opens a block, as ever.
        try talk.screen.paste("\"\"\"")
        try talk.screen.strike("C-u")
        try talk.enter("\"\"\"multi")
        try talk.enter("line\"\"\"")
        try sent(3, "multi\nline")
    }

    @Test func `in quotes is a prompt also where nothing can be edited`() throws {
        let server = try ScriptedUpstream([fine])
        let home = try Home(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1' } } }")
        let screen = try Screen("TERM=dumb \(Built.convo) chat", columns: 80, home: home)
        try screen.see("/help")
        for line in ["\"\"\"", "/quit", "second", "\"\"\""] {
            try screen.type(line)
            try screen.strike("Enter")
        }
        try screen.see("fine")
        #expect(server.requests[0].contains(#"/quit\nsecond"#))
    }

    @Test func `edits the prompt of its number, whatever white space stands behind that`() throws {
        let talk = try Talk([fine, fine, fine, fine])
        for (count, words) in ["one", "two"].enumerated() {
            try talk.enter(words)
            try soon("it is asked") { talk.server.requests.count == count + 1 }
            try talk.screen.seeLast("›")
        }
        try talk.screen.paste("/edit 1\n\"yes\" or \"no\"")
        try talk.screen.strike("Enter")
        try soon("it is asked anew") { talk.server.requests.count == 3 }
        #expect(try talk.prompts().last == "\"yes\" or \"no\"")
        #expect(!talk.server.requests[2].contains("two"))
    }

    @Test func `of one's own is taken back without a question also behind one that was refused`() throws {
        let talk = try Talk([
            fine, ScriptedUpstream.failure("400 Bad Request", #"{"error":{"message":"no"}}"#),
        ])
        try talk.enter("one")
        try talk.screen.see("fine")
        try talk.screen.seeLast("›")
        try talk.enter("two")
        try talk.screen.see("(HTTP 400)")
        try talk.screen.seeLast("›")
        try talk.enter("/undo")
        try talk.screen.see("back before message")
        #expect(try !talk.screen.text().contains("came from elsewhere"))
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
