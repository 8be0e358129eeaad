package import ContextWindow
internal import Conversation
internal import JSON

extension ModelParameters {
    /// The names of the functions that the model may call.
    package var toolNames: Set<String> { Set(functions.compactMap { $0["name"]?.string }) }

    /// The same with the names that a request says.
    package func named(by names: NameMap) -> ModelParameters {
        if names.isEmpty { return self }
        var copy = self
        copy.tools = tools.map { json in
            ModelParameters.replacing(json, names) { root in
                root.elements.compactMap { ($0["function"] ?? $0)["name"] }
            }
        }
        copy.toolChoice = toolChoice.map { json in
            ModelParameters.replacing(json, names) { root in
                (root["function"]?["name"] ?? root["name"]).map { [$0] } ?? []
            }
        }
        return copy
    }

    /// A JSON text in which some of its strings say other names, and all else is as it was.
    private static func replacing(_ json: [UInt8], _ names: NameMap, in places: (JSONView) -> [JSONView])
        -> [UInt8]
    {
        guard let root = (try? JSONDocument(json))?.root else { return json }
        var out: [UInt8] = [], at = 0
        for place in places(root) {
            guard let name = place.string, names.sent(name) != name else { continue }
            out += json[at..<place.offset]
            JSONText.append(names.sent(name), to: &out)
            at = place.offset + place.raw.count
        }
        return out + json[at...]
    }
}

extension UpstreamEvent {
    /// The event with each call's tool as those know it who offered it.
    package func named(by names: NameMap) -> UpstreamEvent {
        if names.isEmpty { return self }
        switch self {
        case .pieces(let pieces):
            return .pieces(
                pieces.map { piece in
                    guard piece.kind == .part, let view = try? JSONDocument(piece.bytes).root,
                        let part = try? Part(checking: view), let named = part.named(by: names)
                    else { return piece }
                    var writer = JSONWriter()
                    named.write(to: &writer)
                    return Piece(.part, writer.bytes)
                })
        case .finished(var finish):
            finish.alternatives = finish.alternatives.map { content in
                Part.encode(Part.decode(content).map { $0.named(by: names) ?? $0 })
            }
            return .finished(finish)
        case .retrying, .failed: return self
        }
    }
}

extension Part {
    /// A call by its tool's own name; nil where nothing changes.
    fileprivate func named(by names: NameMap) -> Part? {
        guard case .toolCall(var call) = self, names.original(call.name) != call.name else { return nil }
        call.name = names.original(call.name)
        return .toolCall(call)
    }
}

extension Part {
    /// A text in its place, where a model does not read what it is.
    fileprivate func replaced(for quirks: Quirks) -> Part {
        switch self {
        case .image where !quirks.sends(Quirks.images), .audio where !quirks.sends(Quirks.sounds):
            .text(placeholder)
        default: self
        }
    }
}

extension ModelRequest {
    /// The request without media that a model was found not to read: a text stands for each.
    func readable(_ quirks: Quirks) -> ModelRequest {
        if quirks.sends(Quirks.images), quirks.sends(Quirks.sounds) { return self }
        var copy = self
        for message in messages.indices {
            for index in messages[message].parts.indices {
                switch messages[message].parts[index] {
                case .toolResult(var result):
                    let parts = result.parts
                    guard parts.contains(where: \.isMedia) else { continue }
                    result.content = Part.encode(parts.map { $0.replaced(for: quirks) })
                    copy.messages[message].parts[index] = .toolResult(result)
                case let part: copy.messages[message].parts[index] = part.replaced(for: quirks)
                }
            }
        }
        return copy
    }
}
