package import Conversation
package import JSON

extension Part {
    /// Reads a part of a tool's result in the words of others; nil for what is none of theirs.
    ///
    /// ACP wraps a block in `content`, Anthropic gives the bytes of images and documents in `source`, OpenAI an address in
    /// `image_url`, and MCP's `resources/read` objects with `uri` and `blob` or `text`.
    package init?(foreign view: JSONView) {
        guard view.kind == .object else { return nil }
        let type = view["type"]?.string
        switch type {
        case "content":
            guard let inner = view["content"], let part = Part(foreign: inner) ?? (try? Part(checking: inner))
            else { return nil }
            self = part
        case "image", "document":
            guard let source = view["source"] else { return nil }
            switch source["type"]?.string {
            case "base64":
                guard let data = source["data"]?.string, let kind = source["media_type"]?.string else {
                    return nil
                }
                self = .image(mimeType: kind, data: data, uri: nil)
            case "text": self = .text(source["data"]?.string ?? "")
            // What a document at an address is nobody knows here.
            case "url" where type == "image":
                guard let address = source["url"]?.string else { return nil }
                self.init(address: address)
            default: return nil
            }
        case "image_url", "input_image":
            guard let address = view["image_url"]?["url"]?.string ?? view["image_url"]?.string else {
                return nil
            }
            self.init(address: address)
        case nil:
            guard let uri = view["uri"]?.string, view["blob"]?.string != nil || view["text"]?.string != nil
            else { return nil }
            let raw = Array("{\"type\":\"resource\",\"resource\":".utf8) + view.raw + [0x7D]
            self = .resource(uri: uri, text: view["text"]?.string, raw: raw)
        default: return nil
        }
    }

    /// An image at an address, or in it.
    private init(address: String) {
        if let inside = DataAddress(address) {
            self = .image(
                mimeType: inside.type.isEmpty ? "image/png" : inside.type, data: inside.data, uri: nil)
        } else {
            self = .image(mimeType: "image/jpeg", data: nil, uri: address)
        }
    }
}
