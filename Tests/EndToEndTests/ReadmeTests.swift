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

    @Test(.timeLimit(.minutes(2))) func `has commands that all work, in an empty home`() throws {
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
}
