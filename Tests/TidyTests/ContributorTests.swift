internal import ContextWindow
internal import JSON
internal import Posix
internal import Protocol
internal import TestSupport
internal import Testing
internal import Transcripts
internal import Upstream

private let top = Files.directory(of: #filePath) + "/../.."

/// The lines of the README between a heading and the next one.
private func section(_ heading: String) throws -> [String] {
    let lines = text(try Files.read(top + "/README.md")).split(
        separator: "\n", omittingEmptySubsequences: false
    ).map(String.init)
    let start = try #require(lines.firstIndex(of: heading))
    return Array(lines[(start + 1)...].prefix { !$0.hasPrefix("#") })
}

/// What stands between backquotes.
private func backquoted(_ line: some StringProtocol) -> [String] {
    line.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
        .map { String($0.element) }
}

@Suite struct `The page for who reads the house` {
    @Test func `tells the way of a prompt in at most 40 lines and 20 files, each of which is there`() throws {
        let lines = try section("### The way of a prompt")
        let steps = lines.filter { $0.first?.isNumber ?? false }
        #expect(lines.count <= 40 && (10...20).contains(steps.count))
        let files = steps.compactMap { backquoted($0).first }
        #expect(files.count == steps.count && Set(files).count == files.count)
        for file in files { #expect(try Files.status("\(top)/Sources/\(file)") != nil, "\(file)") }
    }

    @Test func `tells what to write to add something: at most four files, and the test that misses one`()
        throws
    {
        let tests = try shell("sh", "-c", "cat \(top)/Tests/*/*.swift")
        let rows = try section("### To add something").filter { $0.hasPrefix("| a") }
        #expect(rows.count == 5)
        for row in rows {
            let cells: [String] = row.split(separator: "|").map(String.init)
            let files: [String] = backquoted(cells[1])
            #expect((1...4).contains(files.count), "\(row)")
            for file in files {
                let home = file.hasPrefix("schema/") ? top : top + "/Sources"
                let found = try shell("sh", "-c", "ls -d \(home)/\(file) || true")
                #expect(!found.isEmpty, "\(file)")
            }
            for name in cells[2].split(separator: "\"").enumerated().filter({ $0.offset % 2 == 1 }) {
                #expect(tests.contains("func `\(name.element)`"), "\(name.element)")
            }
        }
    }
}

@Suite struct `The description of the wire` {
    /// The words of an enumeration somewhere in the document.
    private func words(_ view: JSONView?) -> [String] { view?["enum"]?.elements.compactMap(\.string) ?? [] }

    private func parameter(_ method: Method, _ name: String) -> JSONView? {
        SchemaChecker.shared.document["methods"]?.elements.first { $0["name"]?.string == method.rawValue }?[
            "params"]?.elements.first { $0["name"]?.string == name }?["schema"]
    }

    @Test func `knows every kind of upstream`() {
        let preview = SchemaChecker.shared.document["methods"]?.elements.first {
            $0["name"]?.string == Method.contextPreview.rawValue
        }
        let kinds = UpstreamKinds.standard.names
        #expect(words(preview?["result"]?["schema"]?["properties"]?["kind"]) == kinds)
        let dialects = UpstreamKinds.standard.dialects.map(\.name)
        #expect(words(parameter(.contextBuild, "dialect")) == dialects)
        #expect(dialects == kinds.filter { $0 != "echo" })
    }

    @Test func `knows every format of an export`() {
        #expect(words(parameter(.export, "format")) == TranscriptFormats.standard.names)
    }

    @Test func `knows every strategy of a window`() {
        let shapes = SchemaChecker.shared.document["components"]?["schemas"]
        let strategies = WindowPolicy.Strategy.allCases.map(\.rawValue)
        #expect(words(shapes?["Window"]?["properties"]?["strategy"]) == strategies)
        let chosen = shapes?["Receipt"]?["properties"]?["strategy"]?["properties"]?["chosen"]
        #expect(words(chosen) == strategies.filter { $0 != "auto" })
    }
}
