package import JSON

extension SchemaChecker {
    /// One thing that is wrong with a value.
    struct Problem {
        let path: String
        let what: String
        /// Whether it shows that another alternative was meant: another type, another constant.
        let isMark: Bool

        init(_ path: String, _ what: String, isMark: Bool = false) {
            self.path = path
            self.what = what
            self.isMark = isMark
        }

        var words: String { "\(path): \(what)" }
    }

    /// What is wrong with a value that is to be of a shape under `components`, in words.
    package func problems(of value: JSONView, as name: String) -> [String] {
        guard let schema = schemas[name] else { return ["there is no shape '\(name)'"] }
        return problems(of: value, schema, at: "").map(\.words)
    }

    func problems(of value: JSONView, _ schema: JSONView, at path: String) -> [Problem] {
        if let name = schema["$ref"]?.string {
            guard let target = schemas[SchemaChecker.target(name)] else {
                return [Problem(path, "'\(name)' leads nowhere")]
            }
            return problems(of: value, target, at: path)
        }
        if let type = schema["type"], !isOf(type, value) {
            let names = type.string.map { [$0] } ?? type.elements.compactMap(\.string)
            return [
                Problem(
                    path, "must be of type \(names.joined(separator: " or ")), not \(value.kind)",
                    isMark: true)
            ]
        }
        return fixed(value, schema, path) + bounds(value, schema, path) + members(value, schema, path)
            + elements(value, schema, path) + alternatives(value, schema, path)
    }

    private static func target(_ reference: String) -> String {
        let prefix = "#/components/schemas/"
        return reference.hasPrefix(prefix) ? String(reference.dropFirst(prefix.count)) : ""
    }

    private func isOf(_ type: JSONView, _ value: JSONView) -> Bool {
        if type.kind == .array { return type.elements.contains { isOf($0, value) } }
        return switch (type.string, value.kind) {
        case ("null", .null), ("boolean", .bool), ("number", .number), ("string", .string), ("array", .array),
            ("object", .object):
            true
        case ("integer", .number):
            value.int != nil || !value.raw.contains { [0x2E, 0x45, 0x65].contains($0) }
        default: false
        }
    }

    /// `const` and `enum`.
    private func fixed(_ value: JSONView, _ schema: JSONView, _ path: String) -> [Problem] {
        func isSame(_ other: JSONView) -> Bool {
            if let text = value.utf8, let expected = other.utf8 { return text == expected }
            return value.raw.elementsEqual(other.raw)
        }
        func text(_ view: JSONView) -> String { String(decoding: view.raw, as: UTF8.self) }
        if let expected = schema["const"], !isSame(expected) {
            return [Problem(path, "must be \(text(expected)), not \(text(value))", isMark: true)]
        }
        guard let allowed = schema["enum"], !allowed.elements.contains(where: isSame) else { return [] }
        return [Problem(path, "must be one of \(text(allowed)), not \(text(value))")]
    }

    /// `minimum`, `maximum`, `minLength`, `maxLength` and `pattern`.
    private func bounds(_ value: JSONView, _ schema: JSONView, _ path: String) -> [Problem] {
        var problems: [Problem] = []
        if let number = value.double {
            if let least = schema["minimum"]?.double, number < least {
                problems.append(Problem(path, "is below \(least)"))
            }
            if let most = schema["maximum"]?.double, number > most {
                problems.append(Problem(path, "is above \(most)"))
            }
        }
        guard let text = value.string else { return problems }
        let length = text.unicodeScalars.count
        if let least = schema["minLength"]?.int, length < least {
            problems.append(Problem(path, "is shorter than \(least)"))
        }
        if let most = schema["maxLength"]?.int, length > most {
            problems.append(Problem(path, "is longer than \(most)"))
        }
        guard let pattern = schema["pattern"]?.string else { return problems }
        guard let matcher = Pattern(pattern) else {
            return problems + [Problem(path, "'\(pattern)' cannot be checked")]
        }
        return matcher.matches(text) ? problems : problems + [Problem(path, "does not match '\(pattern)'")]
    }

    /// `properties`, `required` and `additionalProperties`.
    private func members(_ value: JSONView, _ schema: JSONView, _ path: String) -> [Problem] {
        guard value.kind == .object else { return [] }
        var problems: [Problem] = []
        for name in schema["required"]?.elements.compactMap(\.string) ?? [] where value[name] == nil {
            problems.append(Problem("\(path).\(name)", "is missing"))
        }
        for member in value.members {
            if let inner = schema["properties"]?[member.key] {
                problems += self.problems(of: member.value, inner, at: "\(path).\(member.key)")
            } else if schema["additionalProperties"]?.bool == false {
                problems.append(Problem("\(path).\(member.key)", "is not known"))
            }
        }
        return problems
    }

    /// `items`.
    private func elements(_ value: JSONView, _ schema: JSONView, _ path: String) -> [Problem] {
        guard let inner = schema["items"] else { return [] }
        return value.elements.enumerated().flatMap { problems(of: $1, inner, at: "\(path)[\($0)]") }
    }

    /// `oneOf` and `anyOf`: when none fits, the problems of the one that was meant most likely.
    private func alternatives(_ value: JSONView, _ schema: JSONView, _ path: String) -> [Problem] {
        var problems: [Problem] = []
        for (keyword, most) in [("oneOf", 1), ("anyOf", Int.max)] {
            guard let alternatives = schema[keyword]?.elements.map({ self.problems(of: value, $0, at: path) })
            else { continue }
            let fitting = alternatives.count { $0.isEmpty }
            if fitting > most { problems.append(Problem(path, "fits \(fitting) alternatives of 'oneOf'")) }
            if fitting > 0 { continue }
            problems += alternatives.min { SchemaChecker.cost($0, path) < SchemaChecker.cost($1, path) } ?? []
        }
        return problems
    }

    /// Marks of the value itself or of its members count before everything else.
    private static func cost(_ problems: [Problem], _ path: String) -> (Int, Int) {
        let marks = problems.count { $0.isMark && !$0.path.dropFirst(path.count + 1).contains(".") }
        return (marks, problems.count)
    }
}

/// A pattern of characters and `[classes]`, each once, `*`, `+` or `{n}`, from `^` to `$` or to anywhere.
///
/// It takes as much as it can and never goes back, so two neighbours may not share characters after a `*`.
private struct Pattern {
    private typealias Scalars = Substring.UnicodeScalarView
    private var steps: [(allowed: [ClosedRange<Unicode.Scalar>], count: ClosedRange<Int>)] = []
    private var reachesEnd = false

    init?(_ text: String) {
        var rest = text[...].unicodeScalars
        guard rest.popFirst() == "^" else { return nil }
        while let next = rest.popFirst() {
            if next == "$" && rest.isEmpty {
                reachesEnd = true
                return
            }
            guard !"\\.()|?*+{}]$".unicodeScalars.contains(next) else { return nil }
            var allowed = [next...next]
            if next == "[" {
                guard let end = rest.firstIndex(of: "]"), rest.first != "^" else { return nil }
                allowed = Pattern.ranges(rest[..<end])
                rest = rest[rest.index(after: end)...]
            }
            guard let count = Pattern.count(&rest) else { return nil }
            steps.append((allowed, count))
        }
    }

    private static func ranges(_ text: Scalars) -> [ClosedRange<Unicode.Scalar>] {
        var ranges: [ClosedRange<Unicode.Scalar>] = [], rest = text
        while let first = rest.popFirst() {
            let isRange = rest.first == "-" && rest.count > 1
            if isRange { rest.removeFirst() }
            let last = isRange ? rest.removeFirst() : first
            ranges.append(first...max(first, last))
        }
        return ranges
    }

    private static func count(_ rest: inout Scalars) -> ClosedRange<Int>? {
        switch rest.first {
        case "*": rest.removeFirst(); return 0...Int.max
        case "+": rest.removeFirst(); return 1...Int.max
        case "{":
            guard let end = rest.firstIndex(of: "}"),
                let count = Int(String(rest[rest.index(after: rest.startIndex)..<end]))
            else { return nil }
            rest = rest[rest.index(after: end)...]
            return count...count
        default: return 1...1
        }
    }

    func matches(_ text: String) -> Bool {
        var rest = text[...].unicodeScalars
        for (allowed, count) in steps {
            var taken = 0
            while taken < count.upperBound, let next = rest.first,
                allowed.contains(where: { $0.contains(next) })
            {
                rest.removeFirst()
                taken += 1
            }
            if taken < count.lowerBound { return false }
        }
        return !reachesEnd || rest.isEmpty
    }
}

extension SchemaChecker {
    /// What is wrong with the document itself: keywords and patterns that nobody checks, references that lead nowhere.
    package var flaws: [String] {
        var found: [String] = []
        for (name, schema) in schemas.sorted(by: { $0.key < $1.key }) { inspect(schema, name, &found) }
        for entry in (methods.merging(notifications) { first, _ in first }).values {
            let name = entry["name"]?.string ?? ""
            for param in entry["params"]?.elements.map(\.self) ?? [] {
                guard let schema = param["schema"] else {
                    found.append("\(name): a parameter without a schema"); continue
                }
                inspect(schema, "\(name).\(param["name"]?.string ?? "")", &found)
            }
            if let result = entry["result"]?["schema"] { inspect(result, "\(name).result", &found) }
        }
        return found
    }

    private func inspect(_ schema: JSONView, _ path: String, _ found: inout [String]) {
        for member in schema.members {
            let key = member.key, value = member.value
            switch key {
            case "$ref" where schemas[SchemaChecker.target(value.string ?? "")] == nil:
                found.append("\(path): '\(value.string ?? "")' leads nowhere")
            case "pattern" where value.string.flatMap(Pattern.init) == nil:
                found.append("\(path): a pattern that cannot be checked")
            case "properties":
                for property in value.members { inspect(property.value, "\(path).\(property.key)", &found) }
            case "items": inspect(value, "\(path)[]", &found)
            case "oneOf", "anyOf": for alternative in value.elements { inspect(alternative, path, &found) }
            default:
                if key != "description" && !SchemaChecker.keywords.contains(key) {
                    found.append("\(path): the keyword '\(key)'")
                }
            }
        }
    }
}
