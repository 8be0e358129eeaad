internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `The window that all sessions have by default` {
    private static let text = """
        // Mine, with a note.
        {
          upstreams: { echo: { kind: "echo" }, },  // the built-in one
          routes: { default: ["echo"] },
        }

        """

    @Test func `is written into the configuration, whose other lines stay as they are`() throws {
        let home = try Home(Self.text)
        let file = home.directory.file(".config/convod/config.json5")
        func written() throws -> String { String(decoding: try Files.read(file), as: UTF8.self) }
        _ = try home.convo("send", "hello")
        let set = try home.convo("window", "--default", "--max-turns", "4", "--strategy", "slide")
        #expect(set.code == 0 && set.said.contains("most turns          4\n"), "\(set)")
        let lines = Self.text.replacing(
            "{\n  up", with: "{\n  window: { strategy: \"slide\", maxTurns: 4 },\n  up")
        #expect(try written() == lines)
        #expect(try home.convo("window").said.contains("most turns          as configured (4)\n"))
        _ = try home.convo("window", "--default", "--max-turns", "none", "--low-mark", "0.7")
        #expect(try written() == lines.replacing("maxTurns: 4", with: "lowMark: 0.7"))
        let refused = try home.convo("window", "--default", "--low-mark", "7")
        #expect(refused.code != 0 && refused.said.contains("lowMark"), "\(refused)")
        #expect(try written() == lines.replacing("maxTurns: 4", with: "lowMark: 0.7"))
        #expect(try home.convo("window", "--default", "--reset").code == 0)
        #expect(try written() == Self.text.replacing("{\n  up", with: "{\n  window: {},\n  up"))
    }

    @Test func `with a comment in it is left to an editor`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } }, window: { maxTurns: 3 /* few */ } }")
        let file = home.directory.file(".config/convod/config.json5"), before = try Files.read(file)
        let refused = try home.convo("window", "--default", "--max-turns", "4")
        #expect(
            refused.code == 1 && refused.said.contains("holds a comment, which would be lost"), "\(refused)")
        #expect(try Files.read(file) == before)
    }

    @Test func `leaves the file to whom it belongs, with its mode`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        let file = home.directory.file(".config/convod/config.json5")
        _ = try run("/bin/chmod", ["640", file], environment: home.environment)
        if Process.userID == 0 {
            _ = try run("/bin/chown", ["65534:65534", file], environment: home.environment)
        }
        let before = try #require(try Files.status(file))
        for value in ["4", "none"] {
            #expect(try home.convo("window", "--default", "--max-turns", value).code == 0)
            let after = try #require(try Files.status(file))
            #expect((after.owner, after.group, after.mode) == (before.owner, before.group, before.mode))
        }
        #expect(try home.convo("window", "--default", "--low-mark", "7").code != 0)
        #expect(try Files.status(file)?.group == before.group)
    }

    @Test func `makes a configuration where there is none`() throws {
        let home = try Home()
        let set = try home.convo("window", "--default", "--max-turns", "4")
        #expect(set.code == 0, "\(set)")
        let file = home.directory.file(".config/convod/config.json5")
        #expect(String(decoding: try Files.read(file), as: UTF8.self) == "{\n  window: { maxTurns: 4 },\n}\n")
        #expect(try Files.status(file)?.mode == 0o600)
    }
}
