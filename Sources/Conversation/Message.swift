package import JSON

/// One message of a session, as it is stored.
package struct Message: Sendable, Equatable {
    /// Who speaks; the raw value is stored.
    package enum Role: Int, Sendable, CaseIterable {
        /// Their raw values are 0 to 3, in this order.
        case system, user, assistant, tool
        /// The word on the wire.
        package var name: String {
            switch self {
            case .system: "system"
            case .user: "user"
            case .assistant: "assistant"
            case .tool: "tool"
            }
        }
        /// The word as a JSON string.
        package var json: String {
            switch self {
            case .system: "\"system\""
            case .user: "\"user\""
            case .assistant: "\"assistant\""
            case .tool: "\"tool\""
            }
        }
        /// Takes the word on the wire, nil for any other.
        package init?(name: String) {
            guard let role = Role.allCases.first(where: { $0.name == name }) else { return nil }
            self = role
        }
    }

    /// How the message came to its end; the raw value is stored.
    package enum Status: Int, Sendable, CaseIterable {
        /// Their raw values are 0 to 4, in this order; a word on the wire is the case's name.
        case complete, cancelled, interrupted, failed, refused
        /// Not stored: the answer of a running turn.
        case streaming
        /// The word on the wire.
        package var name: String {
            switch self {
            case .complete: "complete"
            case .cancelled: "cancelled"
            case .interrupted: "interrupted"
            case .failed: "failed"
            case .refused: "refused"
            case .streaming: "streaming"
            }
        }
        /// The word as a JSON string.
        package var json: String {
            switch self {
            case .complete: "\"complete\""
            case .cancelled: "\"cancelled\""
            case .interrupted: "\"interrupted\""
            case .failed: "\"failed\""
            case .refused: "\"refused\""
            case .streaming: "\"streaming\""
            }
        }
        /// Whether the message goes into a window: refused and failed turns stay out.
        package var isSent: Bool { self == .complete || self == .cancelled || self == .interrupted }
    }

    /// What the thoughts of an answer are bound to: some providers refuse one that comes back behind anything else.
    package struct Binding: Sendable, Equatable {
        /// The model that thought, by its provider's name.
        package let model: String
        /// The digest of all that it was sent, without thoughts.
        package let digest: String
        /// The seal of the last thought among that; nil for none.
        package let after: String?
        /// The seal of the first; nil where nobody noted it.
        ///
        /// What stood before that was not sent, and may not be put back before what was thought since (wire-2.md A3).
        package let first: String?

        package init(model: String, digest: String, after: String?, first: String? = nil) {
            self.model = model
            self.digest = digest
            self.after = after
            self.first = first
        }

        /// That of thoughts that their provider refused: they fit behind nothing, and go back no more.
        package static let dead = Binding(model: "", digest: "", after: nil)

        /// Reads what `encoded` wrote, nil for anything else.
        package init?(_ view: JSONView) {
            guard let model = view["model"]?.string, let digest = view["digest"]?.string else { return nil }
            self.init(
                model: model, digest: digest, after: view["after"]?.string, first: view["first"]?.string)
        }

        /// A raw JSON object.
        package var encoded: [UInt8] {
            JSONWriter.object {
                $0.member("model", model)
                $0.member("digest", digest)
                $0.optional("after", after)
                $0.optional("first", first)
            }
        }
    }

    package var id: MessageID
    /// The message before it on its path; nil for the first.
    package var parentID: MessageID?
    /// The place on its path, from 1 and without gaps.
    package var seq: Int
    package var role: Role
    package var status: Status
    /// The turn that it belongs to; nil when it was appended.
    package var turnID: TurnID?
    /// Milliseconds since 1970 UTC.
    package var createdAt: Int64
    /// The estimate for a server of which nothing is known, overhead of the message included.
    package var tokens: Int
    /// What it is an estimate of; nil where that was not kept.
    package var knownSize: ContentSize?
    /// Whether every window holds it.
    package var isPinned: Bool
    /// Whether no window holds it.
    package var isExcluded: Bool
    /// Whether what it said was taken out for good: its place is empty.
    package var isDeleted = false
    /// A raw JSON array of parts, byte for byte as it came.
    package var content: [UInt8] {
        didSet { isPlainText = Message.plainTextTraits(of: content) != nil }
    }
    /// Whether the content is one plain text part and nothing else, spelled as `content(_:)` spells it.
    package private(set) var isPlainText: Bool
    private var rare: Rare?

    /// What few messages have, in one place: a window copies each message some times.
    private final class Rare: Sendable, Equatable {
        let metadata: [UInt8]?
        let binding: Binding?
        let decoded: [Part]?

        init(metadata: [UInt8]?, binding: Binding?, decoded: [Part]?) {
            self.metadata = metadata
            self.binding = binding
            self.decoded = decoded
        }

        static func == (one: Rare, other: Rare) -> Bool {
            one.metadata == other.metadata && one.binding == other.binding && one.decoded == other.decoded
        }
    }

    /// Takes what each message has; `isPlainText` where somebody has looked already.
    package init(
        id: MessageID, parentID: MessageID? = nil, seq: Int, role: Role, status: Status = .complete,
        turnID: TurnID? = nil,
        createdAt: Int64, tokens: Int, isPinned: Bool = false, isExcluded: Bool = false,
        metadata: [UInt8]? = nil,
        content: [UInt8], isPlainText: Bool? = nil
    ) {
        self.id = id
        self.parentID = parentID
        self.seq = seq
        self.role = role
        self.status = status
        self.turnID = turnID
        self.createdAt = createdAt
        self.tokens = tokens
        self.isPinned = isPinned
        self.isExcluded = isExcluded
        self.content = content
        self.isPlainText = isPlainText ?? (Message.plainTextTraits(of: content) != nil)
        if metadata != nil { rare = Rare(metadata: metadata, binding: nil, decoded: nil) }
    }

    /// A raw JSON object, byte for byte as the client gave it.
    package var metadata: [UInt8]? {
        get { rare?.metadata }
        set { set(metadata: newValue, binding, decoded) }
    }
    /// What its thoughts are bound to; nil where nothing is known.
    package var binding: Binding? {
        get { rare?.binding }
        set { set(metadata: metadata, newValue, decoded) }
    }
    /// The parts where they were read already, so that a long prompt is not read again.
    package var decoded: [Part]? {
        get { rare?.decoded }
        set { set(metadata: metadata, binding, newValue) }
    }

    private mutating func set(metadata: [UInt8]?, _ binding: Binding?, _ decoded: [Part]?) {
        let isEmpty = metadata == nil && binding == nil && decoded == nil
        rare = isEmpty ? nil : Rare(metadata: metadata, binding: binding, decoded: decoded)
    }

    /// What tokens are estimated from for any vocabulary.
    package var size: ContentSize { knownSize ?? ContentSize(tokens: tokens) }

    /// The parts, decoded.
    ///
    /// Parts of an unknown type are left out.
    package var parts: [Part] {
        if let decoded { return decoded }
        if let plain = plainTextJSON, let text = JSONText.text(plain) { return [.text(text)] }
        return Part.parse(content)
    }
}

extension Message {
    /// The first words of a content of which only the beginning is there; empty where it does not begin with text.
    package static func textBeginning(_ content: [UInt8]) -> String {
        if let document = try? JSONDocument(content) {
            return document.root.elements.lazy.compactMap { $0["text"]?.string }.first { _ in true } ?? ""
        }
        let head = Array(#"[{"type":"text","text":""#.utf8)
        guard content.starts(with: head) else { return "" }
        return String(decoding: JSONText.unescaped(content[head.count...]), as: UTF8.self)
    }

    /// The content to keep of parts that came: byte for byte, but that one plain text is spelled the one way that
    /// `plainTextJSON` knows, with its string as it came.
    package static func content(_ array: JSONView) -> [UInt8] {
        var elements = array.elements
        guard let part = elements.next(), elements.next() == nil, part.count == 2,
            part["type"]?.isKey("text") ?? false, let text = part["text"], text.kind == .string
        else { return Array(array.raw) }
        return plainTextHead + text.raw + plainTextTail
    }

    static let plainTextTail = Array("}]".utf8)
    static let plainTextHead = Array(#"[{"type":"text","text":"#.utf8)

    /// The text of a message that is one plain text part and nothing else, as the JSON string that it is stored as.
    ///
    /// Most messages are so, and then copying the string spares decoding and writing it again. Other spellings of the
    /// same part give nil, which only costs time.
    package var plainTextJSON: ArraySlice<UInt8>? {
        isPlainText ? Message.plainText(of: content) : nil
    }

    /// Whether it is seen at once that it is one plain text with more in it than blanks.
    package var saysSomethingPlain: Bool {
        guard let text = plainTextJSON else { return false }
        // Behind the quote; an escape may be a blank, and so may what is no ASCII.
        let first = text[text.startIndex + 1]
        return first > 0x20 && first < 0x7F && first != UInt8(ascii: "\\") && first != UInt8(ascii: "\"")
    }

    /// The JSON string of a content that is one plain text.
    static func plainText(of content: [UInt8]) -> ArraySlice<UInt8> {
        content[plainTextPlace(in: content.count)]
    }

    /// Where the JSON string stands in a content of so many bytes that is one plain text.
    package static func plainTextPlace(in count: Int) -> Range<Int> {
        plainTextHead.count..<(count - plainTextTail.count)
    }

    /// What one look tells of a content that is one plain text part and nothing else, which then is JSON; nil for others.
    package static func plainTextTraits(of content: [UInt8]) -> JSONCheck.Traits? {
        plainTextTraits(of: content.span)
    }

    /// The same of a content where it lies.
    package static func plainTextTraits(of text: Span<UInt8>) -> JSONCheck.Traits? {
        let start = plainTextHead.count, end = text.count - plainTextTail.count
        guard end > start, ByteSearch.matches(plainTextHead.span, in: text, at: 0),
            let string = JSONCheck.string(in: text, at: start), string.end == end,
            text[end] == UInt8(ascii: "}"), text[end + 1] == UInt8(ascii: "]")
        else { return nil }
        return JSONCheck.Traits(isASCII: string.isASCII, hasLineEnd: false)
    }
}
