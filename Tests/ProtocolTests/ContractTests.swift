import Conversation
import JSON
import Protocol
import TestSupport
import Testing

/// Values that are as a schema of `schema/protocol.json` says.
private struct SchemaValues {
    let document = SchemaChecker.shared.document
    /// Whether members that may be absent are there.
    var isWhole = true
    /// Which alternative is taken where there are several.
    var choice = 0
    /// A member that is left out although it must be there, by its path.
    var missing: String?

    /// Paths of the members that must be there.
    func required(_ schema: JSONView, at path: String = "") -> [String] {
        let schema = target(schema)
        if let items = schema["items"], isOf("array", schema) { return required(items, at: path + "[]") }
        let names = schema["required"]?.elements.compactMap(\.string) ?? []
        return (schema["properties"]?.members.map { ($0.key, $0.value) } ?? []).flatMap { name, inner in
            let place = path.isEmpty ? name : "\(path).\(name)"
            let mayBeNull = (inner["anyOf"] ?? inner["oneOf"])?.elements.contains {
                $0["type"]?.string == "null"
            }
            return (names.contains(name) && mayBeNull != true ? [place] : []) + required(inner, at: place)
        }
    }

    func write(_ schema: JSONView, at path: String = "", to writer: inout JSONWriter) {
        let schema = target(schema)
        if let fixed = schema["const"] { return writer.raw(fixed.raw) }
        if let word = schema["enum"]?.elements.first(where: { !$0.isNull }) { return writer.raw(word.raw) }
        if isOf("object", schema) {
            writer.object { writer in
                let names = schema["required"]?.elements.compactMap(\.string) ?? []
                for member in schema["properties"]?.members.map(\.self) ?? [] {
                    let place = path.isEmpty ? member.key : "\(path).\(member.key)"
                    guard place != missing, isWhole || names.contains(member.key) else { continue }
                    writer.key(member.key)
                    write(member.value, at: place, to: &writer)
                }
            }
        } else if isOf("array", schema) {
            writer.array { writer in
                for _ in 0..<(schema["items"] == nil ? 0 : 2) {
                    schema["items"].map { write($0, at: path + "[]", to: &writer) }
                }
            }
        } else if schema["type"]?.string == "null" {
            writer.null()
        } else if isOf("boolean", schema) {
            writer.bool(true)
        } else if isOf("integer", schema) || isOf("number", schema) {
            writer.int(schema["minimum"]?.int ?? 7)
        } else if isOf("string", schema) {
            writer.string(text(schema))
        } else {
            writer.object { $0.member("free", true) }
        }
    }

    /// A text that a pattern takes.
    private func text(_ schema: JSONView) -> String {
        switch schema["pattern"]?.string {
        case let pattern? where pattern.contains("{8}-"): "01890a5d-ac90-7001-9b1c-0a5d3f2e4c11"
        case let pattern? where pattern.contains("T"): "2026-11-25T06:00:00.000Z"
        case let pattern? where pattern.contains("{64}"): String(repeating: "a", count: 64)
        case let pattern? where pattern.hasPrefix("^/"): "/home"
        default: "word"
        }
    }

    private func isOf(_ name: String, _ schema: JSONView) -> Bool {
        guard let type = schema["type"] else { return name == "object" && schema["properties"] != nil }
        return type.string == name || type.elements.contains { $0.string == name }
    }

    /// The schema itself, through references and alternatives.
    private func target(_ schema: JSONView) -> JSONView {
        if let name = schema["$ref"]?.string?.split(separator: "/").last,
            let found = document["components"]?["schemas"]?[String(name)]
        {
            return target(found)
        }
        guard let choices = schema["anyOf"] ?? schema["oneOf"] else { return schema }
        let all = Array(choices.elements)
        return target(all[min(choice, all.count - 1)])
    }
}

/// What a type makes of a value: the value as it writes it again.
private func again<Value: Codable>(_ type: Value.Type, _ value: JSONView) throws -> JSONView {
    try JSONDocument(JSONWriter.bytes(encoding: try value.decoded(as: type))).root
}

/// The optional members that a value has not, by name.
private func absent(_ value: Any, _ path: String) -> [String] {
    if value is RawJSON || "\(type(of: value))".hasPrefix("Verbatim") { return [] }
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional {
        return mirror.children.first.map { absent($0.value, path) } ?? [path]
    }
    return mirror.children.flatMap { absent($0.value, "\(path).\($0.label ?? "")") }
}

private func absent<Value: Codable>(_ type: Value.Type, in value: JSONView) throws -> [String] {
    absent(try value.decoded(as: type), "\(type)")
}

/// The members that go through as they came, by their paths on the wire.
private func verbatim(_ value: Any, _ path: String = "") -> Set<String> {
    if value is RawJSON || "\(type(of: value))".hasPrefix("Verbatim") { return [path] }
    return Mirror(reflecting: value).children.reduce(into: []) { paths, child in
        let name =
            switch child.label {
            case nil: path + "[]"
            // What has the members of another type has them beside its own; an optional has those of what it holds.
            case "some", "summary", "turn": path
            case "meta": path + "._meta"
            case let label?: path + "." + label
            }
        paths.formUnion(verbatim(child.value, name))
    }
}

private func verbatim<Value: Codable>(_ type: Value.Type, in value: JSONView) throws -> Set<String> {
    verbatim(try value.decoded(as: type))
}

/// The same objects and arrays, whatever the order of their members.
private func isSame(_ a: JSONView, _ b: JSONView) -> Bool {
    guard a.kind == b.kind, a.count == b.count else { return false }
    switch a.kind {
    case .object:
        return a.members.allSatisfy { member in b[member.key].map { isSame(member.value, $0) } ?? false }
    case .array: return zip(a.elements, b.elements).allSatisfy(isSame)
    default: return a.raw.elementsEqual(b.raw)
    }
}

/// The result of a method as the document describes it, and its type.
private func result(_ method: Method) -> (schema: JSONView, type: any (Codable & Sendable).Type)? {
    func type<C: Contract>(_ contract: C.Type) -> any (Codable & Sendable).Type { C.Result.self }
    let entry = SchemaChecker.shared.document["methods"]?.elements.first {
        $0["name"]?.string == method.rawValue
    }
    return entry?["result"]?["schema"].map { ($0, type(method.contract)) }
}

private func shape(_ name: String) throws -> JSONView {
    try #require(SchemaChecker.shared.document["components"]?["schemas"]?[name])
}

private func value(_ values: SchemaValues, _ schema: JSONView) throws -> JSONView {
    var writer = JSONWriter()
    values.write(schema, to: &writer)
    return try JSONDocument(writer.bytes).root
}

@Suite struct `A result's type` {
    private static let methods = Method.allCases.filter {
        result($0) != nil && $0 != .discover && $0 != .authenticate
    }

    @Test(arguments: methods) func `takes and gives all that the description names`(_ method: Method) throws {
        let (schema, type) = try #require(result(method))
        for choice in 0..<3 {
            for isWhole in [true, false] {
                let described = try value(SchemaValues(isWhole: isWhole, choice: choice), schema)
                let written = try again(type, described)
                #expect(isSame(described, written), "\(text(described.raw))\n\(text(written.raw))")
            }
        }
    }

    @Test(arguments: methods) func `names nothing that the description does not`(_ method: Method) throws {
        let (schema, type) = try #require(result(method))
        let names = try absent(type, in: try value(SchemaValues(), schema))
        #expect(names == [], "\(method.rawValue)")
    }

    @Test(arguments: methods) func `does without nothing that must be there`(_ method: Method) throws {
        let (schema, type) = try #require(result(method))
        let raw = try verbatim(type, in: try value(SchemaValues(), schema))
        for path in SchemaValues().required(schema)
        where !raw.contains(where: { ".\(path)".hasPrefix($0 + ".") || ".\(path)".hasPrefix($0 + "[") }) {
            let broken = try value(SchemaValues(missing: path), schema)
            #expect(throws: JSONDecoding.Mismatch.self, "\(method.rawValue): \(path)") {
                _ = try again(type, broken)
            }
        }
    }

    @Test(arguments: methods) func `gives the examples back as they are`(_ method: Method) throws {
        let (_, type) = try #require(result(method))
        for example in SchemaChecker.shared.examples(of: method.rawValue) where !example.result.isEmpty {
            let shown = try JSONDocument(example.result).root
            #expect(isSame(shown, try again(type, shown)), "\(method.rawValue)")
        }
    }

    @Test func `of a receipt is as described`() throws {
        let schema = try shape("Receipt")
        for isWhole in [true, false] {
            let described = try value(SchemaValues(isWhole: isWhole), schema)
            #expect(isSame(described, try again(Wire.Receipt.self, described)))
        }
        #expect(try absent(Wire.Receipt.self, in: try value(SchemaValues(), schema)) == [])
        for path in SchemaValues().required(schema) {
            let broken = try value(SchemaValues(missing: path), schema)
            #expect(throws: JSONDecoding.Mismatch.self) { _ = try again(Wire.Receipt.self, broken) }
        }
    }

    @Test func `says what is missing and where`() throws {
        let page = try Fixtures.json(#"{"messages":[{"id":7}]}"#)
        #expect(throws: JSONDecoding.Mismatch(path: "messages[0].id", expected: "a string")) {
            _ = try page.decoded(as: Method.MessageList.Result.self)
        }
        #expect(throws: JSONDecoding.Mismatch(path: "messages", expected: "there")) {
            _ = try Fixtures.json("{}").decoded(as: Method.MessageList.Result.self)
        }
        let wrong = JSONDecoding.Mismatch(path: "a[2].b", expected: "a string")
        #expect(wrong.description == "'a[2].b' must be a string")
    }
}

@Suite struct `An update's type` {
    private static let shapes = [
        "UserMessageChunk", "AgentMessageChunk", "AgentThoughtChunk", "ToolCall", "ToolCallUpdate",
        "SessionInfoUpdate", "Notice", "CompactionUpdate", "UsageUpdate", "ConfigOptionUpdate",
        "AvailableCommandsUpdate",
    ]

    private func type(_ name: String) -> any Codable.Type {
        switch name {
        case "ToolCall": Wire.ToolCall.self
        case "ToolCallUpdate": Wire.ToolCallUpdate.self
        case "SessionInfoUpdate": Wire.SessionInfoUpdate.self
        case "Notice": Wire.Notice.self
        case "CompactionUpdate": Wire.CompactionUpdate.self
        case "UsageUpdate": Wire.UsageUpdate.self
        case "ConfigOptionUpdate": Wire.ConfigOptionUpdate.self
        case "AvailableCommandsUpdate": Wire.AvailableCommandsUpdate.self
        default: Wire.MessageChunk.self
        }
    }

    @Test func `is there for each that the description names`() throws {
        let named = try shape("SessionUpdate")["oneOf"]?.elements.compactMap {
            $0["$ref"]?.string?.split(separator: "/").last.map(String.init)
        }
        #expect(named == Self.shapes)
    }

    @Test(arguments: shapes) func `takes and gives all that the description names`(_ name: String) throws {
        for isWhole in [true, false] {
            let described = try value(SchemaValues(isWhole: isWhole), try shape(name))
            let written = try again(type(name), described)
            #expect(isSame(described, written), "\(text(described.raw))\n\(text(written.raw))")
            if isWhole {
                #expect(try absent(type(name), in: described).filter { !$0.hasSuffix("replaces") } == [])
            }
        }
    }

    @Test func `is told by its word, and one of a later version is none`() throws {
        func word(_ update: Wire.SessionUpdate) -> String {
            switch update {
            case .userMessage: "UserMessageChunk"
            case .agentMessage: "AgentMessageChunk"
            case .agentThought: "AgentThoughtChunk"
            case .toolCall: "ToolCall"
            case .toolResult: "ToolCallUpdate"
            case .info: "SessionInfoUpdate"
            case .usage: "UsageUpdate"
            case .options: "ConfigOptionUpdate"
            case .commands: "AvailableCommandsUpdate"
            case .notice: "Notice"
            case .compaction: "CompactionUpdate"
            case .unknown(let word): word
            }
        }
        for name in Self.shapes {
            let described = try value(SchemaValues(), try shape(name))
            #expect(word(try described.decoded()) == name)
        }
        #expect(word(try Fixtures.json(#"{"sessionUpdate":"plan","entries":[]}"#).decoded()) == "plan")
    }

    @Test func `tells a title that was taken away from one that stays`() throws {
        let taken = try Fixtures.json(#"{"sessionUpdate":"session_info_update","title":null}"#)
        #expect(try taken.decoded(as: Wire.SessionInfoUpdate.self).title == Wire.SessionInfoUpdate.Title.none)
        let same = try Fixtures.json(#"{"sessionUpdate":"session_info_update"}"#)
        #expect(try same.decoded(as: Wire.SessionInfoUpdate.self).title == nil)
    }
}
