internal import Conversation
internal import JSON

/// What of a message is searched: all that is text in it, a line a part.
package enum SearchedText {
    /// The text of a raw JSON array of parts, as UTF-8: texts, thoughts, the names and arguments of tool calls, what they gave,
    /// resources and links.
    package static func of(_ content: [UInt8]) -> [UInt8] {
        // What is no JSON says nothing that could be found; a check of the store tells of it.
        guard let document = try? JSONDocument(content) else { return [] }
        var text: [UInt8] = []
        for part in document.root.elements { add(part, to: &text) }
        return text
    }

    private static func add(_ part: JSONView, to text: inout [UInt8]) {
        switch part["type"]?.string {
        case "text", "thought": line(part["text"], &text)
        case "tool_call":
            line(part["name"], &text)
            if let arguments = part["arguments"] { walk(arguments, &text) }
        case "tool_result":
            guard let content = part["content"] else { return }
            let isParts = content.kind == .array && content.elements.allSatisfy { $0["type"]?.string != nil }
            if isParts {
                for inner in content.elements { add(inner, to: &text) }
            } else {
                walk(content, &text)
            }
        case "resource":
            line(part["resource"]?["uri"], &text)
            line(part["resource"]?["text"], &text)
        case "resource_link":
            for name in ["title", "name", "uri", "description"] { line(part[name], &text) }
        default: break
        }
    }

    private static func line(_ view: JSONView?, _ text: inout [UInt8]) {
        guard let utf8 = view?.utf8, !utf8.isEmpty else { return }
        if !text.isEmpty { text.append(0x0A) }
        text += utf8
    }

    /// Every string of a value, with the names of members before theirs.
    private static func walk(_ view: JSONView, _ text: inout [UInt8]) {
        switch view.kind {
        case .string: line(view, &text)
        case .array: for element in view.elements { walk(element, &text) }
        case .object:
            for member in view.members {
                line(member.keyView, &text)
                walk(member.value, &text)
            }
        case .number, .bool:
            if !text.isEmpty { text.append(0x0A) }
            text += view.raw
        default: break
        }
    }
}
