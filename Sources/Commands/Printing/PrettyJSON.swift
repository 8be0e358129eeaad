internal import JSON

/// JSON laid out over lines for people; every scalar stays as it was written.
enum PrettyJSON {
    static func text(_ view: JSONView, indent: Int = 0) -> String {
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
    /// Prints a value: over lines on a terminal, on one line into a pipe.
    func print(json view: JSONView) {
        if isOutputTerminal {
            print(Console.harmless(PrettyJSON.text(view)))
        } else {
            write(Array(view.raw) + [0x0A])
        }
    }

    /// Prints one record of JSON lines.
    func print(record view: JSONView) { write(json: Array(view.raw) + [0x0A]) }

    /// Prints a JSON array of views, each as it came; with a name as the one member of an object.
    func print(jsonArray views: [JSONView], named name: String? = nil) {
        var writer = JSONWriter()
        func write(to writer: inout JSONWriter) {
            writer.array { for view in views { $0.raw(view.raw) } }
        }
        if let name {
            writer.object {
                $0.key(name)
                write(to: &$0)
            }
        } else {
            write(to: &writer)
        }
        guard isOutputTerminal, let document = try? JSONDocument(writer.bytes, depth: 512) else {
            return self.write(writer.bytes + [0x0A])
        }
        print(json: document.root)
    }
}
