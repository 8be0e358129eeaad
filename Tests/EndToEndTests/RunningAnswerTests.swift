internal import Posix
internal import TestSupport
internal import Testing

/// An answer that is half said until the server may go on.
private func half() -> [ScriptedUpstream.Step] {
    ScriptedUpstream.answer(holdingBetween: [["the beginning and "], ["the rest."]])
}

private func place(_ scripts: [[ScriptedUpstream.Step]], more: String = "") throws -> (ScriptedUpstream, Home)
{
    let server = try ScriptedUpstream(scripts)
    let home = try Home(
        "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1' } }\(more) }")
    home.kept = server
    return (server, home)
}

@Suite(.timeLimit(.minutes(30))) struct `An answer that runs already` {
    @Test func `is shown as it goes on by a chat that comes to its session, and is cancelled there`() throws {
        let (server, home) = try place([half(), half()])
        #expect(try home.convo("start").code == 0)
        let sent = try Running("sent", ["send", "--new", "s", "hello"], home)
        try soon("it has begun") { try sent.said.contains("beginning") }
        let screen = try Screen("\(Built.convo) chat -s s", columns: 80, home: home)
        try screen.see("the beginning and")
        server.proceed()
        let shown = try screen.seeLast("›")
        #expect(shown.contains("── assistant · now\nthe beginning and the rest.\n›"), "\(shown)")
        #expect(try Process.reap(sent.pid) == .exited(0))
        try screen.strike("C-d")
        #expect(try screen.end() == "0")

        let other = try Running("other", ["send", "-s", "s", "more"], home)
        try soon("it has begun") { try other.said.contains("beginning") }
        let again = try Screen("\(Built.convo) chat -s s", columns: 80, home: home)
        try again.see("── assistant · now\nthe beginning and")
        try again.strike("C-c")
        try again.see("'convo continue'")
        #expect(try Process.reap(other.pid) == .exited(130))
        server.proceed()
    }

    @Test func `is one for who follows the session from its middle on, and its purge is told`() throws {
        let (server, home) = try place([half()])
        #expect(try home.convo("start").code == 0)
        let sent = try Running("sent", ["send", "--new", "s", "hello"], home)
        try soon("it has begun") { try sent.said.contains("beginning") }
        let tail = try Running("tail", ["tail", "s"], home)
        try soon("it is shown") { try tail.said.contains("beginning") }
        server.proceed()
        #expect(try Process.reap(sent.pid) == .exited(0))
        try soon("the rest is shown") { try tail.said.contains("the rest.\n") }
        let seen = try tail.said
        #expect(seen.contains("— assistant\nthe beginning and the rest.\n"), "\(seen)")
        #expect(try home.convo("purge", "-y", "s").code == 0)
        #expect(try Process.reap(tail.pid) == .exited(1))
        let last = try tail.said
        #expect(last.contains("convo: session 's' was purged"), "\(last)")
    }

    @Test func `holds up a prompt behind it, which a daemon answers after the death of this one by itself`()
        throws
    {
        let (_, home) = try place([half(), ScriptedUpstream.answer(["fine"])])
        #expect(try home.convo("start").code == 0)
        let sent = try Running("sent", ["send", "--new", "s", "hello"], home)
        try soon("it has begun") { try sent.said.contains("beginning") }
        let queued = try Running("queued", ["send", "-s", "s", "and then"], home)
        try soon("it is in the queue") {
            try home.convo("show", "s").said.contains("queued")
        }
        try home.killDaemon()
        #expect(try Process.reap(queued.pid) == .exited(1))
        let said = try queued.said
        #expect(said.contains("kept in the queue") && !said.contains("retry"), "\(said)")
        #expect(try Process.reap(sent.pid) == .exited(1))
        try soon("it is answered") { try home.convo("show", "s").said.contains("fine") }
    }

    @Test func `of a prompt that waited is shown in its chat when somebody asks there for it`() throws {
        let (_, home) = try place([half(), ScriptedUpstream.answer(["fine"])])
        #expect(try home.convo("start").code == 0)
        let sent = try Running("sent", ["send", "--new", "s", "hello"], home)
        try soon("it has begun") { try sent.said.contains("beginning") }
        let queued = try Running("queued", ["send", "-s", "s", "and then"], home)
        try soon("it is in the queue") { try home.convo("show", "s").said.contains("queued") }
        let screen = try Screen("\(Built.convo) chat -s s", columns: 80, home: home)
        try screen.see("── assistant · now")
        try home.killDaemon()
        try screen.seeLast("›")
        #expect(try Process.reap(queued.pid) == .exited(1))
        try screen.type("/retry")
        try screen.strike("Enter")
        try screen.see("fine")
        try screen.seeLast("›")
        #expect(try Process.reap(sent.pid) == .exited(1))
    }

    @Test func `is not shown twice where it has tabs, and ends lines as Windows does`() throws {
        let code =
            "```\r\nname\tvalue\tdescription\r\nalpha\t1\tthe first of these, with words enough to be wrapped at forty\r\n```\r\n\r\nthe **end**\r\n"
        let pieces = code.unicodeScalars.map { String($0) }
        let (_, home) = try place([ScriptedUpstream.answer(pieces)])
        let screen = try Screen("\(Built.convo) send hello; \(Built.convo) show -c", columns: 40, home: home)
        let shown = try screen.see("code 0")
        for words in ["alpha", "name", "the end"] {
            #expect(shown.ranges(of: words).count == 2, "\(words): \(shown)")
        }
        #expect(!shown.contains("␍") && !shown.contains("**"), "\(shown)")
    }

    @Test func `of thoughts alone shows that somebody thinks, and who`() throws {
        let thought = ScriptedUpstream.chunk(#"{"reasoning_content":"hm "}"#)
        var steps: [ScriptedUpstream.Step] = [.write(ScriptedUpstream.head + thought), .hold]
        steps += [.write(thought), .hold]
        steps += ScriptedUpstream.answer(["fine"]).map { step in
            if case .write(let text) = step {
                .write(String(text.dropFirst(ScriptedUpstream.head.count)))
            } else {
                step
            }
        }
        let (server, home) = try place([steps])
        let screen = try Screen("\(Built.convo) chat", columns: 80, home: home)
        try screen.seeLast("›")
        try screen.type("why?")
        try screen.strike("Enter")
        try screen.see("m-1 via up is thinking · ")
        server.proceed()
        try screen.see("m-1 via up is thinking · ")
        server.proceed()
        let shown = try screen.see("fine")
        #expect(!shown.contains("is thinking"), "\(shown)")
        try screen.seeLast("›")
        // Told from the answer without a colour too, and folded where a chat folds.
        #expect(try home.convo("show", "-c").said.contains("\n> hm hm \nfine"))
        let again = try Screen("\(Built.convo) chat -c", columns: 80, home: home)
        let old = try again.seeLast("›")
        #expect(old.contains("(a thought; /thoughts shows it from here on)") && !old.contains("hm"), "\(old)")
    }

    @Test func `leaves the terminal as its chat had it when it was stopped and goes on`() throws {
        let (server, home) = try place([half(), ScriptedUpstream.answer(["fine"])])
        let screen = try Screen("set -m; \(Built.convo) chat; fg", columns: 80, home: home)
        try screen.seeLast("›")
        try screen.type("go")
        try screen.strike("Enter")
        try screen.see("beginning")
        try screen.strike("C-z")
        try soon("it goes on") {
            server.proceed()
            return try screen.text().contains("the rest.")
        }
        try screen.seeLast("›")
        try screen.type("abc")
        try screen.strike("Left", "Left")
        try screen.type("X")
        try screen.see("› aXbc")
    }

    @Test func `leaves a chat where it was when its daemon dies and none can be started`() throws {
        let (_, home) = try place([ScriptedUpstream.answer(["fine"])])
        let screen = try Screen("\(Built.convo) chat", columns: 80, home: home)
        try screen.seeLast("›")
        try home.killDaemon()
        let config = home.directory.file(".config/convod/config.json5"), good = try Files.read(config)
        try Files.replace(config, with: Array("{ nope: 1 }".utf8))
        try screen.type("are you there?")
        try screen.strike("Enter")
        try screen.see("known here: cache")
        try screen.seeLast("›")
        try Files.replace(config, with: good)
        try screen.strike("Up", "Enter")
        try screen.see("fine")
        try screen.seeLast("›")
        try screen.strike("C-d")
        #expect(try screen.end() == "0")
    }

    @Test func `is left by Ctrl-C twice, with the shell's prompt at the beginning of a line`() throws {
        let (server, home) = try place([half()])
        let screen = try Screen("\(Built.convo) chat", columns: 80, home: home)
        try screen.seeLast("›")
        try screen.type("go")
        try screen.strike("Enter")
        try screen.see("beginning")
        // The daemon is not there to end the turn, so that the second one leaves.
        let pid = try home.daemonPID
        try Process.signal(pid, 19)
        // Whoever ends the daemon waits for it. A process that is gone needs none.
        defer { try? Process.signal(pid, 18) }
        try soon("it has ended") {
            try screen.strike("C-c")
            return try screen.text().contains("code 130")
        }
        let shown = try screen.text()
        #expect(shown.split(separator: "\n").contains("code 130"), "\(shown)")
        server.proceed()
    }
}
