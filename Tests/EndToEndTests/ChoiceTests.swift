internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A session that is named` {
    @Test(arguments: [
        (["set", "-c", "one", "--title", "X"], "'one' and '-c' name a session each; give one of them"),
        (["show", "-c", "one"], "'one' and '-c' name a session each; give one of them"),
        (["show", "-s", "two", "one"], "'one' and '-s two' name a session each; give one of them"),
        (["context", "-s", "two", "one"], "'one' and '-s two' name a session each; give one of them"),
        (
            ["send", "--new", "x", "-c", "hi"],
            "--continue and --new cannot stand together: one names a session that is there, the other makes one"
        ),
        (
            ["chat", "--new", "x", "-c"],
            "--continue and --new cannot stand together: one names a session that is there, the other makes one"
        ),
        (
            ["send", "--ephemeral", "-s", "one", "hi"],
            "--session and --ephemeral cannot stand together: one names a session that is there, the other makes one"
        ),
    ]) func `is named once, and no other is changed in its place (N055)`(words: [String], error: String)
        throws
    {
        let home = try Home(Home.echo)
        for id in ["one", "two"] {
            #expect(try home.convo("send", "--new", id, "-u", "echo", "hi").code == 0)
        }
        let run = try Built.run(Built.convo, words, environment: home.environment)
        #expect(run.code == 2 && run.said == "convo: \(error)\n", "\(run.said)")
        let list = try home.convo("ls", "--json")
        #expect(list.said.split(separator: "\"messageCount\":2").count == 3, "\(list.said)")
    }

    @Test func `has a short name on a narrow screen that no other has and that can be typed`() throws {
        let home = try Home(Home.echo)
        let ids = ["news-2026-11-28", "todo-2026-11-28", "log-2026-11-28"]
        for id in ids { #expect(try home.convo("send", "--new", id, "-u", "echo", "hi").code == 0) }
        let screen = try Screen("\(Built.convo) ls", columns: 40, home: home)
        _ = try screen.end()
        let lines = try screen.text().split(separator: "\n").filter { $0.contains("2026-11-28") }
        #expect(lines.count == 3)
        for line in lines {
            let short = String(line.split(separator: " ").first ?? "")
            #expect(try home.convo("show", short).code == 0, "\(line)")
        }
    }

    @Test func `is shown where there is no pager`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "one", "-u", "echo", "hi there").code == 0)
        for pager in ["no-such-pager -x", "/no/such/pager"] {
            let screen = try Screen("PAGER='\(pager)' \(Built.convo) show one", columns: 80, home: home)
            _ = try screen.end()
            #expect(try screen.text().contains("you said: hi there"), "\(pager)")
        }
    }
}
