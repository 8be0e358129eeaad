package import Conversation
package import JSON

/// What a prompt says: parts as they came, and decoded.
package struct PromptContent: Sendable {
    /// The JSON array of content blocks as it is kept; see `Message.content`.
    package var content: [UInt8]
    /// The same decoded, each of a type that a user may send.
    package var parts: [Part]

    package init(content: [UInt8], parts: [Part]) {
        self.content = content
        self.parts = parts
    }

    /// Reads the member `prompt`; nil where there is none.
    ///
    /// One that says nothing is refused unless `mayBeBlank`.
    init?(_ reader: inout ParameterReader, mayBeBlank: Bool = false) throws(WireError) {
        guard let array = try reader.array("prompt") else { return nil }
        content = Message.content(array)
        parts = try checkedContent(array, path: "prompt", role: .user)
        guard mayBeBlank || parts.contains(where: { !$0.isBlank }) else {
            throw .invalid("'prompt' holds nothing but white space; send some text")
        }
    }

    init(required reader: inout ParameterReader) throws(WireError) {
        guard let prompt = try PromptContent(&reader) else { throw .invalid("'prompt' is missing") }
        self = prompt
    }
}

/// Reads a content array strictly: every part well-formed, of a type that the role may have, without lone surrogates.
package func checkedContent(_ array: JSONView, path: String, role: Message.Role) throws(WireError) -> [Part] {
    var parts: [Part] = []
    for (index, element) in array.elements.enumerated() {
        guard index < Limits.parts else {
            throw .invalid("'\(path)' may hold \(Limits.parts) parts, it has \(array.count)")
        }
        if element.hasLoneSurrogateInside {
            throw .invalid("'\(path)[\(index)]' holds half of a surrogate pair; send whole characters")
        }
        let part: Part
        do { part = try Part(checking: element) } catch {
            throw .invalid("'\(path)[\(index)]': \(error.reason)")
        }
        guard part.isAllowed(for: role) else {
            throw .invalid(
                "'\(path)[\(index)]': this type of part cannot stand in a message of role '\(role.name)'")
        }
        parts.append(part)
    }
    return parts
}

extension Part {
    fileprivate func isAllowed(for role: Message.Role) -> Bool {
        switch self {
        case .text: role != .tool
        case .thought, .redactedThought, .toolCall: role == .assistant
        case .toolResult: role == .tool
        case .image, .audio, .resource, .resourceLink: role == .user || role == .assistant
        }
    }
}
