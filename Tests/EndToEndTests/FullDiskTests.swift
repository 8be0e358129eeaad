internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A full disk` {
    @Test(.enabled(if: canMount, "this user may not mount a file system"))
    func
        `is said at once, leaves what is stored readable, and is over when there is room again (B091, B092)`()
        throws
    {
        let directory = try TemporaryDirectory()
        let mount = directory.file("small")
        try Files.makeDirectories(mount)
        try shell("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount)
        defer { _ = try? shell("umount", mount) }
        try Files.replace(mount + "/filler", with: [UInt8](repeating: 0x78, count: 600 << 10))
        do {
            let daemon = try RealDaemon(in: directory, database: mount + "/convod.db")
            let client = try daemon.client()
            try client.open("demo")
            var stored = 0, kind: String?
            let words = String(repeating: "words ", count: 3_000)
            while kind == nil && stored < 500 {
                let begin = Machine.monotonic()
                kind = try append("\(stored) \(words)", client)
                // Who waits for room, or for a lock, waits ten seconds.
                #expect(Machine.monotonic() - begin < 8_000_000_000, "the answer did not come at once")
                if kind == nil { stored += 1 }
            }
            #expect(kind == "disk_full")
            #expect(stored > 0)
            #expect(try client.prompt("demo", "is there room? \(words)").kind == "disk_full")
            #expect(try client.messages("demo").count == stored)

            try Files.remove(mount + "/filler")
            #expect(try append("there is room", client) == nil)
            #expect(try client.prompt("demo", "is there room?").result != nil)
            #expect(try client.messages("demo").count == stored + 3)
            try daemon.stop()
            #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
        }
    }

    @Test(.enabled(if: canMount, "this user may not mount a file system"))
    func `in mid-answer keeps what its client had and ends the turn (B091)`() throws {
        let directory = try TemporaryDirectory()
        let mount = directory.file("small")
        try Files.makeDirectories(mount)
        try shell("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount)
        defer { _ = try? shell("umount", mount) }
        try Files.replace(mount + "/filler", with: [UInt8](repeating: 0x78, count: 2_800 << 10))
        do {
            let daemon = try RealDaemon(in: directory, database: mount + "/convod.db")
            let client = try daemon.client()
            try client.open("demo")
            let cut = try client.prompt("demo", "count to 10000")
            #expect(cut.kind == "disk_full")
            #expect(!cut.text().isEmpty)
            // The prompt is there: who sends it again has it twice.
            let said = cut.error?["message"]?.string ?? ""
            #expect(
                said.contains("the prompt is stored") && said.contains("do not send the prompt again"),
                "\(said)")
            #expect(
                cut.error?["data"]?["retryable"]?.bool == false && cut.error?["data"]?["turnId"] != nil)

            try Files.remove(mount + "/filler")
            try soon("no turn is open", milliseconds: 10_000) {
                try client.call("_convod/turn/list", #"{"sessionId":"demo","open":true}"#)
                    .result?["turns"]?.count == 0
            }
            // What the file has the session hears of a moment later; until then it is busy.
            try soon("there is room") { try append("there is room", client) == nil }
            try daemon.kill()
            try daemon.start()
            let messages = try daemon.client().messages("demo")
            #expect(messages.contains { $0.hasPrefix("assistant: \(cut.text())") }, "\(messages)")
            #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
        }
    }

    /// Appends one message; the kind of the error, nil when it was stored.
    private func append(_ words: String, _ client: TestClient) throws -> String? {
        try client.call(
            "_convod/message/append",
            #"{"sessionId":"demo","messages":[{"role":"user","content":[{"type":"text","text":\#(quoted(words))}]}]}"#
        ).kind
    }
}
