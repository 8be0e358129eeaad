internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A command that takes something away` {
    @Test func `takes an ID in the trash for no beginning of another`() throws {
        let home = try Home(Home.echo)
        for name in ["deadbeef-0001", "deadbeef-00010"] {
            #expect(try home.convo("send", "--new", name, "hello").code == 0)
        }
        #expect(try home.convo("rm", "deadbeef-0001").code == 0)
        for arguments in [["rm"], ["show"], ["context", "-s"], ["send", "x", "-s"]] {
            let said = try Built.run(
                Built.convo, arguments + ["deadbeef-0001"], environment: home.environment)
            #expect(
                said.code == 3 && said.said.contains("convo restore deadbeef-0001"), "\(arguments) \(said)")
        }
        #expect(try home.convo("ls").said.hasPrefix("deadbeef-00010\t"))
    }

    @Test func `wants a whole ID where nobody can be asked`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "deadbeef-0001", "hello").code == 0)
        for arguments in [
            ["rm", "dead"], ["rm", "@last"], ["branches", "delete", "2"], ["branches", "delete", "2", "-c"],
            ["branches", "delete", "2", "-s", "deadb"],
        ] {
            let said = try Built.run(Built.convo, arguments, environment: home.environment)
            #expect(
                said.code == 1 && said.said.contains("'deadbeef-0001' now: give that"), "\(arguments) \(said)"
            )
        }
        #expect(try home.convo("ls").said.hasPrefix("deadbeef-0001\t"))
    }

    @Test func `finds a whole ID behind many in the trash that begin like it`() throws {
        let home = try Home(Home.echo)
        let names = (0..<12).map { "abcd-\($0 / 10)\($0 % 10)" }
        for name in names + ["abcd-9"] { #expect(try home.convo("send", "--new", name, "x").code == 0) }
        for name in names { #expect(try home.convo("rm", name).code == 0) }
        #expect(try home.convo("show", "abcd").said.contains("abcd-9"))
    }
}

@Suite struct `convo restart` {
    @Test func `leaves a daemon running that could not be started again`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("start").code == 0)
        let before = try home.convo("status", "--json").said
        try Files.replace(
            home.directory.file(".config/convod/config.json5"),
            with: Array("{ upstreams: { x: { kind: 3 } } }".utf8))
        let refused = try home.convo("restart")
        #expect(refused.code == 1 && refused.said.contains("goes on as it is"), "\(refused)")
        #expect(refused.said.contains("kind"), "\(refused)")
        let after = try home.convo("status", "--json").said
        #expect(
            try Fixtures.json(before)["pid"]?.int == Fixtures.json(after)["pid"]?.int, "\(before) \(after)")
    }
}

@Suite struct `An edit` {
    @Test func `of an answer is refused, and says of what it can be`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "hello").code == 0)
        let refused = try home.convo("edit", "-s", "talk", "2", "other words")
        #expect(refused.code == 1 && refused.said.contains("is not a prompt"), "\(refused)")
        #expect(try home.convo("edit", "-s", "talk", "1", "other words").code == 0)
    }
}

@Suite struct `Standard input without an end` {
    @Test(arguments: ["send -", "edit -s talk 1 -", "rpc session/list -", "chat"])
    func `is refused at what a prompt may have`(_ command: String) throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "hello").code == 0)
        let (code, said) = try Built.run(
            "/bin/sh", ["-c", "ulimit -v 4000000; \(Built.convo) \(command) < /dev/full"],
            environment: home.environment)
        #expect(code == 1 && said.contains("more than a prompt may have"), "\(code) \(said)")
    }
}

/// A command at a terminal of its own, made by script(1).
private final class AtTerminal {
    private let program: PipedProgram
    private(set) var shown = ""

    init(_ command: String, _ environment: [String: String]) throws {
        program = try PipedProgram(
            "/usr/bin/script", ["-qfec", command, "/dev/null"], environment: environment)
    }

    func type(_ text: String) throws { _ = try System.write(program.to.raw, Array(text.utf8)) }

    /// Reads until what was shown since the last time holds something so many times.
    func wait(for words: String, times: Int = 1) throws {
        shown = ""
        while shown.ranges(of: words).count < times {
            guard try !System.wait(readable: [program.from.raw], milliseconds: 20_000).isEmpty else {
                throw Late(description: "'\(words)' is not shown: \(shown)")
            }
            var bytes: [UInt8] = []
            if try System.read(program.from.raw, into: &bytes, most: 65_536) == 0 {
                throw Late(description: "the command ended: \(shown)")
            }
            shown += String(decoding: bytes, as: UTF8.self)
        }
    }
}

@Suite(.enabled(if: Files.isExecutable("/usr/bin/script"), "script(1) makes the terminal"))
struct `A person at a terminal` {
    @Test func `who says nothing in a chat starts no daemon, and is connected again at the next word`() throws
    {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "hello").code == 0)
        let chat = try AtTerminal("\(Built.convo) chat -s talk", home.environment)
        try chat.wait(for: "› ")
        #expect(try home.convo("stop").code == 0)
        // The chat has seen the end of its connection when it has taken an empty line.
        try chat.type("\n")
        try chat.wait(for: "› ")
        #expect(try home.convo("status").code == 4)
        try chat.type("here again\n")
        try chat.wait(for: "you said: here again")
        #expect(try home.convo("status").code == 0)
    }

    @Test func `is asked before something is taken away by the beginning of its ID`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "deadbeef-0001", "hello").code == 0)
        let no = try AtTerminal("\(Built.convo) rm dead", home.environment)
        try no.wait(for: "Move 'hello' to the trash (deadbeef-0001)? [y/N]")
        try no.type("\n")
        try no.wait(for: "nothing was changed")
        #expect(try home.convo("ls").said.hasPrefix("deadbeef-0001\t"))
        let yes = try AtTerminal("\(Built.convo) rm dead", home.environment)
        try yes.wait(for: "[y/N]")
        try yes.type("y\n")
        try yes.wait(for: "is in the trash")
        #expect(try home.convo("ls").said == "")
    }

    @Test func `may put a number in the place of a prompt, in quotes`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "hello").code == 0)
        let chat = try AtTerminal("\(Built.convo) chat -s talk", home.environment)
        try chat.wait(for: "› ")
        try chat.type("/edit 1\n")
        try chat.wait(for: "/edit 1 TEXT")
        try chat.type("/edit 2 words\n")
        try chat.wait(for: "is not a prompt")
        try chat.type("/edit \"42\"\n")
        try chat.wait(for: "you said: 42")
        try chat.type("/edit #1 other words\n")
        try chat.wait(for: "you said: other words")
    }
}
