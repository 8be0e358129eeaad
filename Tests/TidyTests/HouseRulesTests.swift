internal import Posix
internal import Protocol
internal import TestSupport
internal import Testing

/// The sources as the tests find them.
private enum Tree {
    static let top = Files.directory(of: #filePath) + "/../.."

    /// Swift files below a directory, with their lines.
    static func files(_ directory: String) throws -> [(name: String, lines: [Substring])] {
        try shell("find", top + "/" + directory, "-name", "*.swift").split(separator: "\n").map { path in
            let lines = text(try Files.read(String(path))).split(
                separator: "\n", omittingEmptySubsequences: false)
            return (String(path.dropFirst(top.utf8.count + 1)), lines)
        }
    }

    /// The lines of the table of faults: of those that were this house's own, or of those that others reported of theirs.
    static func faults(public isPublic: Bool) throws -> [Substring] {
        let all = text(try Files.read(top + "/Tests/faults.md")).split(separator: "\n")
        let heading = all.firstIndex { $0.hasPrefix("## Public faults") } ?? all.endIndex
        return Array(isPublic ? all[heading...] : all[..<heading])
    }

    /// The target that a source file belongs to.
    static func target(_ name: String) -> String { String(name.split(separator: "/")[1]) }
}

@Suite struct `The house` {
    @Test func `imports no Foundation, and says of each import at what level it stands`() throws {
        for (name, lines) in try Tree.files("Sources") {
            for line in lines where line.contains("import ") && !line.contains("//") && !line.contains("\"") {
                let words = line.split(separator: " ")
                guard words.count == 3, words[1] == "import" else { continue }
                #expect(["internal", "package"].contains(words[0]), "\(name): \(line)")
                #expect(!words[2].hasPrefix("Foundation") && words[2] != "Glibc", "\(name): \(line)")
            }
        }
    }

    @Test func `keeps each C library to one target`() throws {
        let homes = [
            "CSQLite": ["Store"], "CCurl": ["Upstream"], "CCrypto": ["Crypto"], "CEdit": ["LineEditor"],
            "CMarkdown": ["Typesetting"], "CMarkdownHTML": ["Typesetting"],
            "CLinux": ["EventLoop", "Posix"],
        ]
        var found: [String: Set<String>] = [:]
        for (name, lines) in try Tree.files("Sources") {
            for line in lines {
                for module in homes.keys where line.hasSuffix("import \(module)") {
                    found[module, default: []].insert(Tree.target(name))
                }
            }
        }
        #expect(found.mapValues { $0.sorted() } == homes)
    }

    @Test func `says unsafe only where pointers are, and no more often than before`() throws {
        var counts: [String: Int] = [:]
        for (name, lines) in try Tree.files("Sources") {
            let uses = lines.reduce(0) { sum, line in
                sum + line.split { !$0.isLetter && $0 != "_" }.count { $0 == "unsafe" }
            }
            if uses > 0 { counts[Tree.target(name), default: 0] += uses }
        }
        let most = [
            "Commands": 4, "Crypto": 29, "EventLoop": 9, "LineEditor": 23, "Posix": 129, "Store": 74,
            "Typesetting": 42,
            "Upstream": 72,
        ]
        for (target, count) in counts { #expect(count <= most[target] ?? 0, "\(target)") }
    }

    @Test func `makes nothing Sendable unchecked but the lock`() throws {
        var found: [String] = []
        for (name, lines) in try Tree.files("Sources") {
            for line in lines where line.contains("@unchecked Sendable") && !line.contains("///") {
                found.append(name)
            }
            for line in lines {
                #expect(!line.contains("try!") && !line.contains("nonisolated(unsafe)"), "\(name): \(line)")
            }
        }
        #expect(found == ["Sources/Posix/Locked.swift"])
    }

    @Test func `has no file of more than 500 lines, and thin mains`() throws {
        for (name, lines) in try Tree.files("Sources") { #expect(lines.count <= 500, "\(name)") }
        for main in ["Sources/convod", "Sources/convo"] {
            for (name, lines) in try Tree.files(main) { #expect(lines.count < 80, "\(name)") }
        }
    }

    @Test func `has sorted methods`() {
        let names = Method.allCases.map(\.rawValue)
        #expect(names == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    }

    @Test func `has tests that do not sleep`() throws {
        for (name, lines) in try Tree.files("Tests") where !name.hasSuffix("HouseRulesTests.swift") {
            for line in lines {
                #expect(
                    !["usleep(", "nanosleep(", "Task.sleep", "sleep("].contains(where: line.contains),
                    "\(name): \(line)")
            }
        }
    }

    @Test func `keeps the test of every fault that is in the table`() throws {
        var sources: [String: String] = [:]
        for (name, lines) in try Tree.files("Tests") {
            // A long name stands in the line behind its keyword.
            sources[String(name.split(separator: "/").last!)] = lines.map { $0.drop { $0 == " " } }
                .joined(separator: " ")
        }
        let rows = try Tree.faults(public: false).filter { $0.contains("Tests: ") }
        #expect(rows.count >= 50)
        for row in rows {
            let cells = row.split(separator: "|"), place = cells[1].split(separator: ":")[0]
            let source = sources[place.filter { $0 != " " } + ".swift"] ?? ""
            let names = cells[1].dropFirst(place.count + 2).split(separator: "`").filter {
                $0 != " " && $0 != ", "
            }
            #expect(names.count == 2, "\(row)")
            for name in names {
                #expect(source.contains("struct `\(name)`") || source.contains("func `\(name)`"), "\(row)")
            }
        }
    }

    @Test func `has each public fault that it knows of by its number in the name of a test`() throws {
        let named = try Tree.files("Tests").flatMap { _, lines in
            lines.joined(separator: "\n").split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 2 == 1 && $0.element.hasSuffix(")") }.map(\.element)
        }
        let numbers = Set(named.flatMap { $0.split { !$0.isLetter && !$0.isNumber } })
        let rows = try Tree.faults(public: true).filter { $0.hasPrefix("| B") || $0.hasPrefix("| N") }
        #expect(rows.count == 161)
        for row in rows where !row.contains("are not read yet") {
            let number = row.split(separator: "|")[0].filter { $0 != " " }
            #expect(numbers.contains(Substring(number)), "\(row)")
        }
    }

    @Test func `takes no failed look at the store for a fact without its reason beside it`() throws {
        let marks = [
            "database", "reader", "quotas.refusal", "StoredTurn(", "SessionRecord(", "(row)", "run(on:",
        ]
        for (name, lines) in try Tree.files("Sources")
        where name.contains("Sources/Store/") || name.contains("Sources/Daemon/") {
            let parses = name.contains("Sources/Store/") ? ["JSONDocument"] : []
            for (index, line) in lines.enumerated() where line.contains("try?") {
                guard (marks + parses).contains(where: { line.contains($0) }) else { continue }
                // The reason is on the line, or on one of the three above it, where a condition goes on.
                let near = lines[max(0, index - 3)...index]
                #expect(near.contains { $0.contains("//") }, "\(name): \(line)")
            }
        }
    }

    @Test func `has only what was agreed at its top`() throws {
        let agreed: Set<Substring> = [
            "LICENSE", "Package.swift", "README.md", "Sources", "Tests", "schema", "systemd",
        ]
        let there = Set(
            try shell("git", "-C", Tree.top, "ls-files").split(separator: "\n").map {
                $0.split(separator: "/")[0]
            }.filter { !$0.hasPrefix(".") })
        #expect(there.isSubset(of: agreed))
    }
}
