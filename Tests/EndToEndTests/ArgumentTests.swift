internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `An argument` {
    @Test func `that is no text is refused, and nobody is asked something else than was typed`() throws {
        let home = try Home(Home.echo)
        func sh(_ script: String) throws -> (code: Int32, said: String) {
            try Built.run("/bin/sh", ["-c", script], environment: home.environment)
        }
        let refused = try sh(#"\#(Built.convo) send -n "$(printf 'a\377b')""#)
        #expect(
            refused.code == 2
                && refused.said == "convo: argument 3 is not UTF-8: give text in that encoding\n")
        let sent = try sh(#"\#(Built.convo) send -n "a�b""#)
        #expect(sent.code == 0 && sent.said.contains("you said: a�b"), "\(sent)")
        #expect(try home.convo("ls").said.split(separator: "\n").count == 1)
    }

    @Test func `that asks for no messages is refused`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-n", "x").code == 0)
        let refused = try home.convo("show", "-n", "0")
        #expect(refused.code == 2 && refused.said.contains("from 1 on, not '0'"), "\(refused)")
    }

    @Test(arguments: [40, 60]) func `asks for a list of branches that has room on its lines`(_ columns: Int)
        throws
    {
        let home = try Home(Home.echo)
        let long = "a prompt that goes on and on, longer than any line of a terminal is wide, 東京"
        #expect(try home.convo("send", "-n", "--new", "talk", long).code == 0)
        for _ in 1...6 {
            #expect(try home.convo("send", "-s", "talk", long).code == 0)
            #expect(try home.convo("edit", "-s", "talk", "1", long).code == 0)
            #expect(try home.convo("send", "-s", "talk", long).code == 0)
            #expect(try home.convo("edit", "-s", "talk", "3", long).code == 0)
        }
        let screen = try Screen("\(Built.convo) branches -s talk", columns: columns, rows: 60, home: home)
        let shown = try screen.see("code 0").split(separator: "\n")
        #expect(shown.dropLast().allSatisfy { $0.contains { "○●".contains($0) } }, "\(shown)")
    }
}
