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
    /// MIME types of images that are taken; empty for a model that reads text alone.
    package var images: [String]
    package var sounds: Sounds
    /// Whether a model's own messages may hold images.
    package var inAnswers: Bool
    /// Whether PDF documents are taken.
    package var takesPDF: Bool
    /// Characters of base64 that an image may have; nil where nobody says.
    ///
    /// It holds for the history: of an image that somebody asks about the provider says so itself.
    package var mostImageData: Int?
    /// Messages of which nothing is taken, since a request with them was refused.
    package var refused: Set<MessageID> = []
    /// Beginnings of addresses under which a server fetches an image itself.
    package var addresses: [String]

    /// What all vendors read.
    package static let commonImages = ["image/gif", "image/jpeg", "image/png", "image/webp"]

    package init(
        results: Results, images: [String] = MediaRules.commonImages, sounds: Sounds, inAnswers: Bool,
        takesPDF: Bool, addresses: [String] = ["https://", "http://"]
    ) {
        self.images = images
        self.results = results
        self.sounds = sounds
        self.inAnswers = inAnswers
        self.takesPDF = takesPDF
        self.addresses = addresses
    }

    /// What holds for a message, where the user's newest has this number.
    func of(_ message: Message, newest: Int) -> MediaRules {
        if refused.isEmpty && mostImageData == nil { return self }
        var rules = self
        if refused.contains(message.id) {
            (rules.images, rules.takesPDF, rules.sounds) = ([], false, .some([]))
        } else if message.role == .user, message.seq >= newest {
            rules.mostImageData = nil
        }
        return rules
    }

    /// What is counted of a message as it goes, its overhead included: a text that stands for an image costs what it says.
    ///
    /// `isNewest` tells that the user asks about what is in it.
    package func size(of message: Message, isNewest: Bool = false) -> ContentSize {
        guard MediaRules.mayHoldMedia(message.size) else { return message.size }
        return size(
            of: message.parts, of(message, newest: isNewest ? message.seq : message.seq + 1), message.role)
    }

    /// The same of a prompt that is not stored yet, and will be of this size.
    package func size(ofPrompt parts: [Part], stored: ContentSize) -> ContentSize {
        guard MediaRules.mayHoldMedia(stored) else { return stored }
        var rules = self
        rules.mostImageData = nil
        return size(of: parts, rules, .user)
    }

    private func size(of parts: [Part], _ rules: MediaRules, _ role: Message.Role) -> ContentSize {
        var mapped = Mapped()
        let sent = parts.flatMap { part -> [Part] in
            guard case .toolResult(let result) = part else { return [rules.taken(part, in: role, &mapped)] }
            let (kept, moved, _) = rules.taken(result, &mapped)
            return [.toolResult(kept)] + moved
        }
        return TokenEstimate.size(of: sent)
    }

    /// Images are counted by themselves, sounds and documents in tokens.
    private static func mayHoldMedia(_ size: ContentSize) -> Bool {
        size[.image] > 0 || size[.token] >= leastMedia
    }

    /// Tokens from which on a message may have a sound or a document.
    private static let leastMedia: UInt32 = 64

    /// A part as it may stand in a message of a role; what is not taken there becomes a text that names it.
    ///
    /// `mapped` counts those, and resources whose bytes no model reads, of which a request has the name alone.
    func taken(_ part: Part, in role: Message.Role, _ mapped: inout Mapped) -> Part {
        let plain = part.asMedia
        if case .resource(_, nil, _) = plain { mapped.binaries += 1 }
        guard plain.isMedia else { return plain }
        if takes(plain), role != .assistant || inAnswers { return plain }
        mapped.parts += 1
        return .text(plain.placeholder)
    }

    private func takes(_ part: Part) -> Bool {
        switch part {
        case .image(Part.pdf, let data, _): takesPDF && data?.isEmpty == false
        case .image(let type, let data?, _):
            images.contains(type) && !data.isEmpty && data.utf8.count <= mostImageData ?? Int.max
        case .image(_, nil, let uri):
            !images.isEmpty && addresses.contains { uri?.hasScheme($0) ?? false }
        case .audio(_, ""): false
        case .audio(let type, _):
            switch sounds {
            case .all: true
            case .some(let types): types.contains(type.lowercased())
            }
        default: true
        }
    }

    /// A result as the dialect takes it, and the media that go elsewhere.
    func taken(_ result: Part.ToolResult, _ mapped: inout Mapped) -> (
        result: Part.ToolResult, moved: [Part], hasMedia: Bool
    ) {
        let parts = result.parts
        guard parts.contains(where: \.isNoText) else { return (result, [], false) }
        var kept: [Part] = [], moved: [Part] = []
        for part in parts {
            let part = taken(part, in: .tool, &mapped)
            // An error holds text alone where results hold images (wire.md E2).
            if part.isMedia, results != .inside || result.isError {
                moved.append(part)
                kept.append(.text(part.placeholder))
            } else {
                kept.append(part.isMedia ? part : .text(part.resultText))
            }
        }
        var result = result
        result.content = Part.encode(kept)
        return (result, moved, !moved.isEmpty || kept.contains(where: \.isMedia))
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

    /// Whether a part of a result is more than a text: media, or bytes that no model reads.
    package var isNoText: Bool {
        if case .resource(_, nil, _) = self { return true }
        return isMedia
    }

    /// A part of a result as text.
    fileprivate var resultText: String {
        if case .resource(_, let text?, _) = self { return text }
        return plainText ?? placeholder
    }

    /// The part with its bytes at hand: of a `data:` address (RFC 2397), and of an embedded resource that is an image, a sound
    /// or a PDF; such a document has the form of an image.
    ///
    /// The bytes are base64 without faults; what is none is left out, so that a text stands for the part.
    var asMedia: Part {
        switch self.withBytes {
        case .image(let type, let data?, let uri):
            let bytes = MediaBytes.repaired(data)
            let said = bytes?.type.map(Part.known).flatMap {
                $0 == Part.pdf || $0.hasPrefix("image/") ? $0 : nil
            }
            return .image(mimeType: said ?? type, data: bytes?.data ?? "", uri: uri)
        case .audio(let type, let data):
            let bytes = MediaBytes.repaired(data)
            let said = bytes?.type.map(Part.known).flatMap { $0.hasPrefix("audio/") ? $0 : nil }
            return .audio(mimeType: said ?? type, data: bytes?.data ?? "")
        case let other: return other
        }
    }

    private var withBytes: Part {
        switch self {
        case .image(let type, nil, let uri?):
            guard let inside = DataAddress(uri) else { return self }
            return .image(
                mimeType: Part.known(inside.type.isEmpty ? type : inside.type), data: inside.data, uri: nil)
        case .image(let type, let data?, let uri) where Part.known(type) != type:
            return .image(mimeType: Part.known(type), data: data, uri: uri)
        case .resource(let uri, nil, let raw):
            guard let inner = (try? JSONDocument(raw))?.root["resource"], let data = inner["blob"]?.string
            else { return self }
            let type = Part.known(inner["mimeType"]?.string ?? "")
            if type == Part.pdf || type.hasPrefix("image/") {
                return .image(mimeType: type, data: data, uri: uri)
            }
            return type.hasPrefix("audio/") ? .audio(mimeType: type, data: data) : self
        default: return self
        }
    }

    /// A MIME type as vendors spell it.
    private static func known(_ type: String) -> String {
        let type = type.lowercased()
        return type == "image/jpg" ? "image/jpeg" : type
    }

    /// What stands for media where they cannot go.
    package var placeholder: String {
        switch self {
        case .image(Part.pdf, _, let uri?) where !uri.hasScheme(DataAddress.scheme): "[document \(uri)]"
        case .image(Part.pdf, _, _): "[document \(Part.pdf)]"
        case .image(let type, _, let uri?) where !uri.hasScheme(DataAddress.scheme): "[image \(type) \(uri)]"
        case .image(let type, _, _): "[image \(type)]"
        case .audio(let type, _): "[audio \(type)]"
        default: ""
        }
    }
}

extension Part {
    /// What stands for the part in a dialect that knows only text: nil for media and calls.
    package var plainText: String? {
        switch self {
        case .text(let text): text
        case .resource(let uri, let text?, _): "<resource uri=\"\(uri)\">\n\(text)\n</resource>"
        case .resource(let uri, nil, _): "[binary resource \(uri)]"
        case .resourceLink(let uri, let name, _): "[\(name)](\(uri))"
        default: nil
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
        // Some clients give the result of an MCP tool as it came, an object with its `content`, or of a resource its `contents`.
        let list = root.kind == .array ? root : root["content"] ?? root["contents"] ?? root
        let parts =
            list.kind == .array
            ? list.elements.map { (Part(foreign: $0) ?? (try? Part(checking: $0)), $0) } : []
        guard parts.contains(where: { $0.0 != nil }) else {
            return [.text(String(decoding: content, as: UTF8.self))]
        }
        // What is no part there stays as it is.
        return parts.map { part, view in part ?? .text(String(decoding: view.raw, as: UTF8.self)) }
    }
}
