internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A database that is taken away under its daemon` {
    private struct Scene {
        let directory: TemporaryDirectory
        let daemon: RealDaemon
        let client: TestClient
        var database: String { directory.file("db/convod.db") }

        /// A daemon with three prompts answered.
        init() throws {
            directory = try TemporaryDirectory()
            try Files.makeDirectories(directory.file("db"))
            daemon = try RealDaemon(in: directory, database: directory.file("db/convod.db"))
            client = try daemon.client()
            try client.open("s")
            for words in ["one", "two", "three"] { #expect(try client.prompt("s", words).result != nil) }
        }

        /// Each prompt is refused, and what is stored can be read.
        func expectRefusal(_ what: String) throws {
            for _ in 0..<2 {
                let refused = try client.prompt("s", "lost?")
                #expect(refused.kind == "store_failed")
                let words = refused.error?["message"]?.string ?? ""
                #expect(words.contains(what) && words.contains("convo restart"), "\(words)")
                #expect(try client.messages("s").count >= 6)
            }
        }

        /// What is there after another start: nothing of what was refused.
        func expectAfterRestart(_ prompts: [String]) throws {
            try daemon.stop()
            try daemon.start()
            let messages = try daemon.client().messages("s")
            #expect(
                messages.filter { $0.hasPrefix("user") } == prompts.map { "user: \($0)" },
                "\(messages)")
            #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
        }
    }

    @Test(arguments: ["db/convod.db", "db"])
    func `and is put back takes prompts again, and loses none that it took`(_ what: String) throws {
        let scene = try Scene()
        let path = scene.directory.file(what)
        try shell("mv", path, path + ".aside")
        try scene.expectRefusal("it was removed or moved")
        try shell("mv", path + ".aside", path)
        #expect(try scene.client.prompt("s", "four").result != nil)
        try scene.expectAfterRestart(["one", "two", "three", "four"])
    }

    @Test func `by another file in its place takes nothing more`() throws {
        let scene = try Scene()
        try shell(
            "sh", "-c",
            "cp \(scene.database) \(scene.database).new && mv \(scene.database).new \(scene.database)")
        try scene.expectRefusal("another file is there now")
    }

    @Test func `by its removal takes nothing more (B082)`() throws {
        let scene = try Scene()
        try shell("rm", scene.database)
        try scene.expectRefusal("it was removed or moved")
    }

    @Test(arguments: [
        "rm -- %-wal", "mv -- %-wal %-wal.aside", "cp -- %-wal %-wal.new && mv -- %-wal.new %-wal",
    ])
    func `as far as its log is kept keeps all that it took`(_ command: String) throws {
        let scene = try Scene()
        try shell(
            "sh", "-c",
            command.split(separator: "%", omittingEmptySubsequences: false).joined(separator: scene.database))
        try scene.expectRefusal("-wal")
        try scene.expectAfterRestart(["one", "two", "three"])
    }
}
