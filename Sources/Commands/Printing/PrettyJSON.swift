internal import JSON

/// JSON laid out over lines for people; every scalar stays as it was written.
enum PrettyJSON {
    /// Levels of nesting that are laid out: a result wraps what a request of 128 levels held.
    private static let deepest = 512

    /// A JSON text laid out; one that is nested too deep for that stays as it is.
    static func text(of bytes: [UInt8]) -> String {
        guard let document = try? JSONDocument(bytes, depth: deepest) else {
            return String(decoding: bytes, as: UTF8.self)
        }
        return text(document.root)
    }

    private static func text(_ view: JSONView, indent: Int = 0) -> String {
        let inner = String(repeating: "  ", count: indent + 1)
        let outer = String(repeating: "  ", count: indent)
        switch view.kind {
        case .object where view.count > 0:
            let members = view.members.map {
                "\(inner)\(raw($0.keyView)): \(text($0.value, indent: indent + 1))"
            }
            return "{\n" + members.joined(separator: ",\n") + "\n\(outer)}"
        case .array where view.count > 0:
            let elements = view.elements.map { inner + text($0, indent: indent + 1) }
            return "[\n" + elements.joined(separator: ",\n") + "\n\(outer)]"
        default: return raw(view)
        }
    }

    private static func raw(_ view: JSONView) -> String { String(decoding: view.raw, as: UTF8.self) }
}

extension Console {
    /// Prints a value as JSON: over lines on a terminal, on one line into a pipe.
    func print(json value: some Encodable) {
        let bytes = JSONWriter.bytes(encoding: value)
        if isOutputTerminal {
            print(Console.harmless(PrettyJSON.text(of: bytes)))
        } else {
            write(bytes + [0x0A])
        }
    }

    /// Prints one record of JSON lines.
    func print(record value: some Encodable) { write(json: JSONWriter.bytes(encoding: value) + [0x0A]) }
}
