package import Conversation
internal import JSON

/// The active path of a session as one JSON object in the shape that a provider's own interface takes.
///
/// What a shape has no place for is left out: pins, branches, turns, and thoughts where their provider has no name for them. Messages
/// that were refused or failed are no part of a conversation, and neither is what is excluded.
package enum ChatDocument: String, Sendable, CaseIterable {
    /// `{messages: […]}`, as OpenAI takes it for chat completions and fine-tuning (formats.md 3.6).
    case openai
    /// `{system, messages: […]}`, as Anthropic's Messages take it (formats.md 3.6).
    case anthropic
    /// `{systemInstruction, contents: […]}`, as Gemini takes it (formats.md 3.3).
    case gemini

    /// The session in one line.
    package func line(of session: Session, _ messages: [Message]) -> [UInt8] {
        let told = messages.filter { $0.status.isSent && !$0.isExcluded && !$0.parts.isEmpty }
        let systems =
            [session.system, session.appendedSystem].compactMap { $0 }.filter { !$0.isEmpty }
            + told.filter { $0.role == .system }.map { Self.text($0.parts) }
        let talk = told.filter { $0.role != .system }
        return JSONWriter.object { writer in
            switch self {
            case .openai: Self.writeOpenAI(systems, talk, to: &writer)
            case .anthropic: Self.writeAnthropic(systems, talk, to: &writer)
            case .gemini: Self.writeGemini(systems, talk, to: &writer)
            }
        }
    }

    private static func text(_ parts: [Part]) -> String {
        parts.compactMap { part in
            switch part {
            case .text(let text): text
            case .resource(let uri, let text, _): "\(uri)\n\(text ?? "")"
            case .resourceLink(let uri, let name, _): "\(name): \(uri)"
            default: nil
            }
        }.joined(separator: "\n")
    }

    // MARK: OpenAI

    private static func writeOpenAI(_ systems: [String], _ talk: [Message], to writer: inout JSONWriter) {
        writer.key("messages")
        writer.array { writer in
            for system in systems {
                writer.object {
                    $0.member("role", "system")
                    $0.member("content", system)
                }
            }
            for message in talk {
                let results = message.parts.compactMap {
                    if case .toolResult(let result) = $0 { result } else { nil }
                }
                for result in results {
                    writer.object {
                        $0.member("role", "tool")
                        $0.member("tool_call_id", result.callID)
                        $0.member("content", result.text)
                    }
                }
                if results.isEmpty { writer.object { writeOpenAI(message, to: &$0) } }
            }
        }
    }

    private static func writeOpenAI(_ message: Message, to writer: inout JSONWriter) {
        writer.member("role", message.role.name)
        let calls = message.parts.compactMap { if case .toolCall(let call) = $0 { call } else { nil } }
        let hasImages = message.parts.contains { if case .image = $0 { true } else { false } }
        let text = text(message.parts)
        if message.role == .user && hasImages {
            writer.key("content")
            writer.array { writer in
                if !text.isEmpty {
                    writer.object {
                        $0.member("type", "text")
                        $0.member("text", text)
                    }
                }
                for part in message.parts {
                    guard case .image(let type, let data, let uri) = part else { continue }
                    writer.object {
                        $0.member("type", "image_url")
                        $0.member("image_url") {
                            $0.member("url", data.map { "data:\(type);base64,\($0)" } ?? uri ?? "")
                        }
                    }
                }
            }
        } else if text.isEmpty && !calls.isEmpty {
            writer.key("content")
            writer.null()
        } else {
            writer.member("content", text)
        }
        guard !calls.isEmpty else { return }
        writer.key("tool_calls")
        writer.array { writer in
            for call in calls {
                writer.object {
                    $0.member("id", call.id)
                    $0.member("type", "function")
                    $0.member("function") {
                        $0.member("name", call.name)
                        $0.member("arguments", call.argumentText)
                    }
                }
            }
        }
    }

    // MARK: Anthropic

    private static func writeAnthropic(_ systems: [String], _ talk: [Message], to writer: inout JSONWriter) {
        if !systems.isEmpty { writer.member("system", systems.joined(separator: "\n\n")) }
        writer.key("messages")
        writer.array { writer in
            // Results of tools stand in a message of the user, and roles take turns.
            for group in groups(talk, { $0.role == .assistant }) {
                writer.object { writer in
                    writer.member("role", group[0].role == .assistant ? "assistant" : "user")
                    writer.key("content")
                    writer.array { writer in
                        for part in group.flatMap(\.parts) { writeAnthropic(part, to: &writer) }
                    }
                }
            }
        }
    }

    private static func writeAnthropic(_ part: Part, to writer: inout JSONWriter) {
        switch part {
        case .thought(let text, let issuer?, let signature?) where issuer.contains("anthropic"):
            writer.object {
                $0.member("type", "thinking")
                $0.member("thinking", text)
                $0.member("signature", signature)
            }
        case .image(let type, let data, let uri):
            writer.object {
                $0.member("type", "image")
                $0.member("source") {
                    if let data {
                        $0.member("type", "base64")
                        $0.member("media_type", type)
                        $0.member("data", data)
                    } else {
                        $0.member("type", "url")
                        $0.member("url", uri ?? "")
                    }
                }
            }
        case .toolCall(let call):
            writer.object {
                $0.member("type", "tool_use")
                $0.member("id", call.id)
                $0.member("name", call.name)
                $0.member(
                    "input", raw: call.hasObject ? call.arguments : call.innerObject ?? Array("{}".utf8))
            }
        case .toolResult(let result):
            writer.object {
                $0.member("type", "tool_result")
                $0.member("tool_use_id", result.callID)
                $0.member("content", result.text)
                if result.isError { $0.member("is_error", true) }
            }
        default:
            let text = text([part])
            if text.isEmpty { return }
            writer.object {
                $0.member("type", "text")
                $0.member("text", text)
            }
        }
    }

    // MARK: Gemini

    private static func writeGemini(_ systems: [String], _ talk: [Message], to writer: inout JSONWriter) {
        if !systems.isEmpty {
            writer.member("systemInstruction") {
                $0.key("parts")
                $0.array { writer in for system in systems { writer.object { $0.member("text", system) } } }
            }
        }
        var names: [String: String] = [:]
        for part in talk.flatMap(\.parts) {
            if case .toolCall(let call) = part { names[call.id] = call.name }
        }
        writer.key("contents")
        writer.array { writer in
            for group in groups(talk, { $0.role == .assistant }) {
                writer.object { writer in
                    writer.member("role", group[0].role == .assistant ? "model" : "user")
                    writer.key("parts")
                    writer.array { writer in
                        for part in group.flatMap(\.parts) { writeGemini(part, names, to: &writer) }
                    }
                }
            }
        }
    }

    private static func writeGemini(_ part: Part, _ names: [String: String], to writer: inout JSONWriter) {
        switch part {
        case .image(let type, let data?, _), .audio(let type, let data):
            writer.object {
                $0.member("inlineData") {
                    $0.member("mimeType", type)
                    $0.member("data", data)
                }
            }
        case .toolCall(let call):
            writer.object {
                $0.member("functionCall") {
                    $0.member("name", call.name)
                    $0.member(
                        "args", raw: call.hasObject ? call.arguments : call.innerObject ?? Array("{}".utf8))
                }
            }
        case .toolResult(let result):
            writer.object {
                $0.member("functionResponse") {
                    $0.member("name", names[result.callID] ?? result.callID)
                    $0.member("response") { $0.member(result.isError ? "error" : "result", result.text) }
                }
            }
        default:
            let text = text([part])
            if text.isEmpty { return }
            writer.object { $0.member("text", text) }
        }
    }

    /// Messages that follow each other and are alike.
    private static func groups(_ messages: [Message], _ isOne: (Message) -> Bool) -> [[Message]] {
        var groups: [[Message]] = []
        for message in messages {
            if let last = groups.last, isOne(last[0]) == isOne(message) {
                groups[groups.count - 1].append(message)
            } else {
                groups.append([message])
            }
        }
        return groups
    }
}
