import Conversation
import JSON
import TestSupport
import Testing
import Transcripts

@Suite struct `A conversation in a provider's own shape` {
    private func line(_ document: ChatDocument) -> String {
        var session = Session(id: SessionID(ID(high: 0, low: 1)), owner: 0, cwd: "/", createdAt: 0)
        session.system = "Be brief."
        func message(_ seq: Int, _ role: Message.Role, _ parts: [Part], _ status: Message.Status = .complete)
            -> Message
        {
            Message(
                id: MessageID(high: 0, low: UInt64(seq)), seq: seq, role: role, status: status, createdAt: 0,
                tokens: 0, content: Part.encode(parts))
        }
        let call = Part.ToolCall(id: "c1", name: "weather", arguments: Array(#"{"city":"Bern"}"#.utf8))
        return text(
            document.line(
                of: session,
                [
                    message(1, .user, [.text("Hi"), .image(mimeType: "image/png", data: "AAAA", uri: nil)]),
                    message(2, .user, [.text("lost")], .failed),
                    message(
                        3, .assistant,
                        [.thought(text: "hm", issuer: "anthropic", signature: "sig"), .toolCall(call)]),
                    message(
                        4, .tool,
                        [.toolResult(.init(callID: "c1", content: Array(#""sun""#.utf8), isError: false))]),
                    message(5, .assistant, [.text("Sun.")]),
                ]))
    }

    @Test func `is as OpenAI takes it`() {
        #expect(
            line(.openai)
                == #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Bern\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"sun"},{"role":"assistant","content":"Sun."}]}"#
        )
    }

    @Test func `is as Anthropic takes it`() {
        #expect(
            line(.anthropic)
                == #"{"system":"Be brief.","messages":[{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"tool_use","id":"c1","name":"weather","input":{"city":"Bern"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"sun"}]},{"role":"assistant","content":[{"type":"text","text":"Sun."}]}]}"#
        )
    }

    @Test func `is as Gemini takes it`() {
        #expect(
            line(.gemini)
                == #"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Hi"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},{"role":"model","parts":[{"functionCall":{"name":"weather","args":{"city":"Bern"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"result":"sun"}}}]},{"role":"model","parts":[{"text":"Sun."}]}]}"#
        )
    }
}
