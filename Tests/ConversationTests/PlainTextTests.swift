@testable import Conversation
internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A message of one plain text` {
    private func message(_ content: [UInt8]) -> Message {
        Message(
            id: MessageID(high: 0, low: 1), seq: 1, role: .user, createdAt: 0, tokens: 0, content: content)
    }

    /// What is taken for one is JSON, says its text and nothing else, and is what would be written of that text.
    @Test func `is one by every look at it, however it is spoiled`() throws {
        var random = SeededRandom()
        var plain = 0
        for _ in 0..<20_000 {
            var content = Part.encode([.text(random.text(60))])
            for _ in 0..<random.int(0...2) {
                let at = random.int(0...(content.count - 1))
                let odd: [UInt8] = [0x22, 0x5C, 0x0A, 0x20, 0x2C, 0x7D, 0x5D, 0x75, 0x6E, 0x80, 0x00]
                switch random.int(0...2) {
                case 0: content[at] = odd[random.int(0...(odd.count - 1))]
                case 1: content.remove(at: at)
                default: content.insert(odd[random.int(0...(odd.count - 1))], at: at)
                }
            }
            let message = message(content)
            guard message.isPlainText else { continue }
            plain += 1
            #expect(JSONCheck.traits(of: content) != nil, "\(content) \(random)")
            let inner = Array(message.plainTextJSON ?? [])
            #expect(JSONCheck.traits(of: inner) != nil, "\(content) \(random)")
            guard ByteSearch.isUTF8(content.span) else { continue }
            let root = try JSONDocument(content).root
            let text = root.elements.first { _ in true }?["text"]?.string
            #expect(message.parts == [.text(text ?? "none")], "\(content) \(random)")
        }
        #expect(plain > 2_000, "\(random)")
    }

    @Test func `is one no more with other content`() {
        var message = message(Part.encode([.text("a")]))
        #expect(message.isPlainText && message.plainTextJSON.map(Array.init) == Array(#""a""#.utf8))
        message.content = Part.encode([.text("a"), .text("b")])
        #expect(!message.isPlainText && message.plainTextJSON == nil && message.parts.count == 2)
        message.content = Part.encode([.text("c")])
        #expect(message.isPlainText && message.parts == [.text("c")])
    }
}
