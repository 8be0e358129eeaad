package import Conversation
internal import JSON

/// Which media a dialect takes, and where; a text stands for the others.
package struct MediaRules: Sendable, Equatable {
    /// What becomes of images, sounds and documents in the result of a tool.
    package enum Results: Sendable {
        /// They stay in it.
        case inside
        /// They stand beside the results, in the same message.
        case beside
        /// They follow in a message of the user.
        case behind
    }

    /// Which sounds are taken.
    package enum Sounds: Sendable, Equatable {
        case all
        /// Those of these MIME types.
        case some([String])
    }

    package var results: Results
    package var sounds: Sounds
    /// Whether a model's own messages may hold images.
    package var inAnswers: Bool
    /// Whether PDF documents are taken.
    package var takesPDF: Bool
    /// Beginnings of addresses under which a server fetches an image itself.
    package var addresses: [String]

    package init(
        results: Results, sounds: Sounds, inAnswers: Bool, takesPDF: Bool,
        addresses: [String] = ["https://", "http://"]
    ) {
        self.results = results
        self.sounds = sounds
        self.inAnswers = inAnswers
        self.takesPDF = takesPDF
        self.addresses = addresses
    }

    /// A part as it may stand in a message of a role; what is not taken there becomes a text that names it.
    ///
    /// `mapped` counts those.
    func taken(_ part: Part, in role: Message.Role, _ mapped: inout Mapped) -> Part {
        let plain = part.asMedia
        guard plain.isMedia else { return plain }
        if takes(plain), role != .assistant || inAnswers { return plain }
        mapped.parts += 1
        return .text(plain.placeholder)
    }

    private func takes(_ part: Part) -> Bool {
        switch part {
        case .image(Part.pdf, let data, _): takesPDF && data != nil
        case .image(_, .some, _): true
        case .image(_, nil, let uri): addresses.contains { uri?.hasPrefix($0) ?? false }
        case .audio(let type, _):
            switch sounds {
            case .all: true
            case .some(let types): types.contains(type.lowercased())
            }
        default: true
        }
    }

    /// A result as the dialect takes it, and the media that go elsewhere.
    func taken(_ result: Part.ToolResult, _ mapped: inout Mapped) -> (result: Part.ToolResult, moved: [Part])
    {
        let parts = result.parts
        guard parts.contains(where: { $0.asMedia.isMedia }) else { return (result, []) }
        var kept: [Part] = [], moved: [Part] = []
        for part in parts {
            let part = taken(part, in: .tool, &mapped)
            if part.isMedia, results != .inside {
                moved.append(part)
                kept.append(.text(part.placeholder))
            } else {
                kept.append(part)
            }
        }
        var result = result
        result.content = Part.encode(kept)
        return (result, moved)
    }
}

extension Part {
    /// The MIME type of PDF documents (RFC 8118).
    package static let pdf = "application/pdf"

    /// Whether it is an image, a sound or a document.
    package var isMedia: Bool {
        switch self {
        case .image, .audio: true
        default: false
        }
    }

    /// The part with its bytes at hand: of a `data:` address (RFC 2397), and of an embedded resource that is an image, a sound
    /// or a PDF; such a document has the form of an image.
    var asMedia: Part {
        switch self {
        case .image(let type, nil, let uri?) where uri.hasPrefix("data:"):
            guard let comma = uri.firstIndex(of: ","), uri[..<comma].hasSuffix(";base64") else { return self }
            let said = uri[uri.index(uri.startIndex, offsetBy: 5)..<comma].prefix { $0 != ";" }
            let data = String(uri[uri.index(after: comma)...])
            return .image(mimeType: said.isEmpty ? type : String(said), data: data, uri: nil)
        case .resource(let uri, nil, let raw):
            guard let inner = (try? JSONDocument(raw))?.root["resource"], let data = inner["blob"]?.string
            else { return self }
            let type = inner["mimeType"]?.string ?? ""
            if type == Part.pdf || type.hasPrefix("image/") {
                return .image(mimeType: type, data: data, uri: uri)
            }
            return type.hasPrefix("audio/") ? .audio(mimeType: type, data: data) : self
        default: return self
        }
    }

    /// What stands for media where they cannot go.
    package var placeholder: String {
        switch self {
        case .image(Part.pdf, _, let uri): "[document \(uri ?? Part.pdf)]"
        case .image(let type, _, let uri?) where !uri.hasPrefix("data:"): "[image \(type) \(uri)]"
        case .image(let type, _, _): "[image \(type)]"
        case .audio(let type, _): "[audio \(type)]"
        default: ""
        }
    }
}

extension Part.ToolResult {
    /// What the tool gave, part by part: text, media, and as one text what is neither a string nor an array of parts.
    package var parts: [Part] {
        guard let root = try? JSONDocument(content).root else {
            return [.text(String(decoding: content, as: UTF8.self))]
        }
        if let text = root.string { return [.text(text)] }
        let parts = root.kind == .array ? root.elements.map { try? Part(checking: $0) } : [nil]
        let known = parts.compactMap(\.self)
        return known.count == parts.count ? known : [.text(String(decoding: content, as: UTF8.self))]
    }
}
