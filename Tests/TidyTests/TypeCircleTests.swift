internal import Posix
internal import TestSupport
internal import Testing

/// The types of a target and which of them each one names, as words in the source.
private struct TypeGraph {
    private(set) var names: [String: Set<String>] = [:]

    /// Files without comments and texts; what an extension names counts to its type.
    init(_ files: [String]) {
        var bodies: [String: [Substring]] = [:], declared: Set<String> = []
        for file in files {
            var owner: String?
            for line in file.split(separator: "\n") {
                if let (kind, name) = TypeGraph.declaration(line) {
                    owner = name
                    if kind != "extension" { declared.insert(name) }
                }
                guard let owner else { continue }
                bodies[owner, default: []] += line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            }
        }
        for name in declared {
            names[name] = Set((bodies[name] ?? []).map(String.init)).intersection(declared).subtracting([name]
            )
        }
    }

    /// A declaration at the top of a file, by kind and name.
    private static func declaration(_ line: Substring) -> (String, String)? {
        guard let first = line.first, first.isLetter else { return nil }
        let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init)
        let kinds: Set = ["class", "struct", "enum", "protocol", "extension"]
        let before: Set = ["package", "private", "fileprivate", "internal", "final", "indirect"]
        guard let index = words.firstIndex(where: { !before.contains($0) }), kinds.contains(words[index]),
            index + 1 < words.count
        else { return nil }
        return (words[index], words[index + 1])
    }

    /// Types that name each other, over however many steps: those that are left when who is named by nobody else, or names
    /// nobody, is taken away again and again.
    var circles: [String] {
        var left = names
        while true {
            let named = left.values.reduce(into: Set<String>()) { $0.formUnion($1) }
            let free = left.keys.filter { !named.contains($0) || left[$0]?.isEmpty ?? true }
            if free.isEmpty { return left.keys.sorted() }
            for name in free { left[name] = nil }
            for name in left.keys { left[name]?.subtract(free) }
        }
    }
}

/// A source without its comments and texts.
private func code(_ source: String) -> String {
    source.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        var out = "", isText = false, isEscaped = false, before: Character = " "
        for character in line {
            if !isText, character == "/", before == "/" {
                out.removeLast()
                break
            }
            if character == "\"", !isEscaped { isText.toggle() }
            isEscaped = isText && character == "\\" && !isEscaped
            if !isText { out.append(character) }
            before = character
        }
        return out
    }.joined(separator: "\n")
}

@Suite struct `The types of a target` {
    @Test(arguments: ["Daemon", "Sessions"]) private func `name each other in no circle`(target: String)
        throws
    {
        let top = Files.directory(of: #filePath) + "/../../Sources/" + target
        let paths = try shell("find", top, "-name", "*.swift").split(separator: "\n")
        let graph = TypeGraph(try paths.map { code(text(try Files.read(String($0)))) })
        #expect(graph.names.count > (target == "Daemon" ? 50 : 3))
        #expect(graph.circles == [], "\(graph.circles.map { "\($0): \(graph.names[$0] ?? [])" })")
    }

    @Test func `are found in a circle that an extension closes`() {
        let graph = TypeGraph([
            "final class A {\n    let b: B\n}", "struct B {}\nextension B {\n    let c: C\n}",
            "enum C { case a(A) }",
            "struct D { let a: A }",
        ])
        #expect(graph.circles == ["A", "B", "C"])
        #expect(code("let a = \"B\"  // C") == "let a = \"  ")
    }
}
