internal import ContextWindow
package import Conversation
package import JSON

/// Writes a Chat Completions request (wire.md C1).
package enum OpenAIRequest {
    /// The whole body.
    package static func body(_ request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.object {
            $0.member("model", request.model)
            $0.key("messages")
            writeMessages(
                request.messages, system: request.system, wantsThoughts: quirks.wantsThoughts, to: &$0)
            $0.member("stream", true)
            if quirks.sends("stream_options") {
                $0.member("stream_options") { $0.member("include_usage", true) }
            }
            let parameters = request.parameters
            if let value = parameters.temperature, quirks.sends("temperature") {
                $0.key("temperature"); $0.double(value)
            }
            if let value = parameters.topP, quirks.sends("top_p") { $0.key("top_p"); $0.double(value) }
            $0.optional(quirks.maxTokensField.rawValue, parameters.maxTokens.map(quirks.answer))
            if !parameters.stop.isEmpty, quirks.sends("stop") {
                $0.key("stop"); $0.array { for text in parameters.stop { $0.string(text) } }
            }
            if quirks.sends("seed") { $0.optional("seed", parameters.seed) }
            $0.optional("tools", raw: parameters.tools)
            $0.optional("tool_choice", raw: parameters.toolChoice)
            if let schema = parameters.schema {
                // `ResponseFormatJSONSchema` of the SDK; not `strict`, which takes a part of JSON Schema alone.
                $0.member("response_format") {
                    $0.member("type", "json_schema")
                    $0.member("json_schema") {
                        $0.member("name", "answer")
                        $0.member("schema", raw: schema)
                    }
                }
            }
            if quirks.sends("prompt_cache_key") { $0.optional("prompt_cache_key", request.cacheKey) }
        }
        return writer.bytes
    }

    /// What a template needs of a request, for servers that count what it makes of it.
    static func countBody(_ request: ModelRequest) -> [UInt8] {
        JSONWriter.object {
            $0.member("model", request.model)
            $0.key("messages")
            writeMessages(request.messages, system: request.system, to: &$0)
            $0.optional("tools", raw: request.parameters.tools)
        }
    }

    /// The messages alone, as `_convod/context/build` gives them.
    package static func writeMessages(
        _ messages: [OutgoingMessage], system: String?, wantsThoughts: Bool = false,
        to writer: inout JSONWriter
    ) {
        writer.array {
            if let system, !system.isEmpty {
                $0.object {
                    $0.member("role", "system")
                    $0.member("content", system)
                }
            }
            for message in messages where isSaying(message) { write(message, wantsThoughts, to: &$0) }
        }
    }

    /// Whether anything is left of a message here: an answer cut while the model thought has only thoughts.
    private static func isSaying(_ message: OutgoingMessage) -> Bool {
        message.parts.contains { !$0.isThought }
    }

    private static func write(
        _ message: OutgoingMessage, _ wantsThoughts: Bool, to writer: inout JSONWriter
    ) {
        guard message.role != .tool else {
            for case .toolResult(let result) in message.parts {
                writer.object {
                    $0.member("role", "tool")
                    $0.member("tool_call_id", result.callID)
                    $0.member("content", result.text)
                }
            }
            return
        }
        writer.object {
            $0.member("role", message.role.name)
            $0.key("content")
            writeContent(message, to: &$0)
            let calls = message.parts.compactMap { if case .toolCall(let call) = $0 { call } else { nil } }
            let thoughts = message.parts.compactMap {
                if case .thought(let text, _, _) = $0 { text } else { nil }
            }
            // DeepSeek demands them back in turns with calls and ignores them in others (wire.md C6).
            if !calls.isEmpty && !thoughts.isEmpty {
                $0.member("reasoning_content", thoughts.joined())
            } else if !calls.isEmpty && wantsThoughts {
                // Another model made the call; who wants a thought takes no call without one, and an empty one for none.
                $0.member("reasoning_content", " ")
            }
            if !calls.isEmpty {
                $0.key("tool_calls"); $0.array { for call in calls { write(call, to: &$0) } }
            }
        }
    }

    private static func write(_ call: Part.ToolCall, to writer: inout JSONWriter) {
        writer.object {
            $0.member("id", call.id)
            $0.member("type", "function")
            $0.member("function") {
                $0.member("name", call.name)
                $0.member("arguments", call.hasObject ? call.argumentText : "{}")
            }
        }
    }

    /// A string where text is all there is, since not every server takes parts; else parts, or null beside calls.
    private static func writeContent(_ message: OutgoingMessage, to writer: inout JSONWriter) {
        let parts = message.parts.filter {
            switch $0 {
            case .toolCall, .thought, .redactedThought: false
            default: true
            }
        }
        if parts.isEmpty { return writer.null() }
        let texts = parts.map(\.plainText)
        if texts.allSatisfy({ $0 != nil }) {
            return writer.string(texts.compactMap(\.self).joined(separator: parts.count > 1 ? "\n\n" : ""))
        }
        writer.array { for part in parts { write(part, to: &$0) } }
    }

    private static func write(_ part: Part, to writer: inout JSONWriter) {
        writer.object {
            switch part {
            case .image(Part.pdf, let data?, let uri):
                $0.member("type", "file")
                $0.member("file") {
                    $0.member(
                        "filename",
                        uri.flatMap { $0.split(separator: "/").last.map(String.init) } ?? "document.pdf")
                    $0.member("file_data", "data:\(Part.pdf);base64,\(data)")
                }
            case .image(let mimeType, let data, let uri):
                $0.member("type", "image_url")
                $0.member("image_url") {
                    $0.member("url", data.map { "data:\(mimeType);base64,\($0)" } ?? uri ?? "")
                }
            case .audio(let mimeType, let data):
                $0.member("type", "input_audio")
                $0.member("input_audio") {
                    $0.member("data", data)
                    $0.member(
                        "format", mimeType.hasSuffix("mp3") || mimeType.hasSuffix("mpeg") ? "mp3" : "wav")
                }
            default:
                $0.member("type", "text")
                $0.member("text", part.plainText ?? "")
            }
        }
    }
}
