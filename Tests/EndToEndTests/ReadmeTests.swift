internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `The README` {
    private let directory = Files.directory(of: Process.executable)
    private static let path = Files.directory(of: #filePath) + "/../../README.md"

    /// Blocks marked as `sh`, but for the two that build and test everything.
    private func blocks() throws -> [String] {
        var found: [String] = [], block: [String]?
        for line in text(try Files.read(`The README`.path)).split(
            separator: "\n", omittingEmptySubsequences: false)
        {
            if line == "```sh" {
                block = []
            } else if line == "```", let lines = block {
                found.append(lines.joined(separator: "\n"))
                block = nil
            } else {
                block?.append(String(line))
            }
        }
        return found
    }

    @Test(.timeLimit(.minutes(30))) func `has commands that all work, in an empty home`() throws {
        let home = try TemporaryDirectory()
        let programs = try shell(
            "sh", "-c",
            "d=$(dirname \(Process.executable)); while [ ! -x $d/convod ]; do d=$(dirname $d); done; echo $d"
        )
        .split(separator: "\n")[0]
        let runnable = try blocks().filter { !$0.contains("swift build") && !$0.contains("swift test") }
        #expect(runnable.count == 3)
        for block in runnable {
            let script = "set -e -o pipefail\ncd \(home.path)\n" + block
            let (ending, output) = try run(
                "/bin/bash", ["-c", script],
                environment: [
                    "HOME": home.path, "PATH": "\(programs):/usr/local/bin:/usr/bin:/bin",
                    "XDG_RUNTIME_DIR": home.path,
                    "LANG": "C.UTF-8",
                ])
            #expect(ending == .exited(0), "\(output)")
        }
    }

    @Test func `has the two commands, each on one line, that install what is missing`() throws {
        let two = try blocks().filter { $0.contains("swift build") || $0.contains("swift test") }
        #expect(two.count == 2)
        #expect(
            two.allSatisfy {
                !$0.contains("\n") && $0.contains("apt-get install") && $0.contains("libcurl4-openssl-dev")
            })
    }

    /// The client in Python, as it stands there.
    private func client() throws -> String {
        let whole = text(try Files.read(`The README`.path))
        let start = try #require(whole.split(separator: "```python\n", maxSplits: 1).last)
        return String(try #require(start.split(separator: "```", maxSplits: 1).first))
    }

    @Test(.timeLimit(.minutes(30)))
    func `has a client of 40 lines that loses nothing to a kill in mid-answer`() throws {
        let source = try client()
        #expect(source.split(separator: "\n").count <= 40)
        let server = try ScriptedUpstream([
            [
                .write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"one "}"#)), .untilClosed,
            ], ScriptedUpstream.answer(["fine"]),
        ])
        let home = try Home(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } } }")
        let file = home.directory.file("client.py"), out = home.directory.file("out")
        try Files.replace(file, with: Array(source.utf8))
        try Files.replace(out, with: [])
        var environment = home.environment
        environment["PATH"] = "\(Files.directory(of: Built.convo)):/usr/bin:/bin"
        #expect(try home.convo("start").code == 0)
        let script = "python3 \(file) talk 'a question' once > \(out) 2>&1"
        let pid = try Process.start(
            "/bin/sh", ["-c", script], environment: environment, streams: .init(input: 0, output: 1, error: 2)
        )
        try soon("the answer has begun") { text(try Files.read(out)).hasPrefix("one ") }
        let lock = text(try Files.read(home.directory.file(".local/share/convod/convod.db.lock")))
        try Process.signal(
            try #require(lock.split(separator: "\n").first.flatMap { Int32($0) }), Signals.kill)
        #expect(try Process.reap(pid) == .exited(0))
        let said = text(try Files.read(out))
        #expect(said.hasPrefix("one \n{") && said.contains(#""kind": "interrupted""#), "\(said)")
        #expect(server.requests.count == 1, "the prompt is not answered twice")
        #expect(try home.convo("continue", "-s", "talk").said == "fine\n")
        #expect(try home.convo("show", "talk", "--jsonl").said.contains("one "))
    }
}
