internal import Conversation
internal import JSON

/// What a client that calls the model itself gives back with the answer, so that the answer's thoughts are bound to what was
/// sent: a text that says it, and means nothing to the client.
struct WindowID {
    /// Whom the window was made for: who made the thoughts.
    let issuer: String
    /// Nil where that provider binds thoughts to nothing.
    let binding: Message.Binding?

    init(issuer: String, binding: Message.Binding?) {
        self.issuer = issuer
        self.binding = binding
    }

    /// Reads what `text` gave; nil for anything else.
    init?(_ text: String) {
        // The latter is what daemons before 2026-11-29 gave.
        guard let root = try? JSONDocument(Array(text.utf8)).root,
            let issuer = (root["issuer"] ?? root["upstream"])?.string
        else { return nil }
        self.init(issuer: issuer, binding: root["binding"].flatMap { Message.Binding($0) })
    }

    var text: String {
        let bytes = JSONWriter.object {
            $0.member("issuer", issuer)
            $0.optional("binding", raw: binding?.encoded)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Parts of an answer, their thoughts with who made them where nobody is named.
    func issued(_ parts: [Part]) -> [Part] {
        parts.map { part in
            switch part {
            case .thought(let text, nil, let seal): .thought(text: text, issuer: issuer, signature: seal)
            case .redactedThought(let data, nil): .redactedThought(data: data, issuer: issuer)
            default: part
            }
        }
    }
}
