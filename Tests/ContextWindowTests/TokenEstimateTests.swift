import ContextWindow
import Conversation
import TestSupport
import Testing

@Suite struct `The estimate of a text` {
    @Test(arguments: [
        ("", 0), (" ", 1), ("a", 1), ("hello world", 3), ("The quick brown fox jumps over the lazy dog.", 12),
        ("你好世界", 4), ("{\"a\": [1, 2]}", 6),
        ("0123456789", 5), ("\n\n\n\n", 2),
    ])
    func `is this`(_ text: String, _ tokens: Int) { #expect(TokenEstimate.text(text) == tokens) }

    @Test(arguments: [
        ("你", 100), ("か", 100), ("カ", 100), ("한", 100), ("ｶ", 100), ("ﾡ", 100), ("々", 100), ("〇", 100),
        ("㐀", 100), ("豈", 100), ("𠀀", 100), ("ㄱ", 100), ("ᄀ", 100),
    ])
    func `is at least one for each character of Han, Kana and Hangul (B016)`(
        _ character: String, _ count: Int
    ) {
        #expect(TokenEstimate.text(String(repeating: character, count: count)) >= count)
    }

    @Test(arguments: ["👍", "👍🏽", "👩‍👩‍👧", "🇨🇳", "☺️", "1️⃣"]) func `is never 0 for an emoji (B016)`(_ emoji: String) {
        #expect(TokenEstimate.text(emoji) >= 1)
        #expect(TokenEstimate.text(String(repeating: emoji, count: 50)) >= 50)
    }

    @Test func `of mixed text is no less than its Han characters`() {
        #expect(TokenEstimate.text(String(repeating: "abcde 你好 ", count: 20)) >= 40)
    }

    @Test(arguments: ["<|endoftext|>", "<|im_start|>system", "<|im_end|>"])
    func `of a special token is that of ordinary text (B020)`(_ token: String) {
        #expect(TokenEstimate.text(token) > 1)
    }

    @Test func `is one and the same for every path (B017)`() {
        let japanese = "吾輩は猫である。名前はまだ無い。どこで生れたか"
        let tokens = TokenEstimate.text(japanese)
        #expect(tokens >= japanese.count - 2)
        #expect(TokenEstimate.size(of: .text(japanese)).tokens == tokens)
        // It costs something at who gets it back alone.
        let thoughts = TokenWeights.unknown.counting(thoughts: true)
        #expect(TokenEstimate.size(of: .thought(text: japanese, issuer: nil, signature: nil)).tokens == 0)
        #expect(
            thoughts.tokens(TokenEstimate.size(of: .thought(text: japanese, issuer: nil, signature: nil)))
                == tokens)
        #expect(TokenEstimate.message([.text(japanese)]) == tokens + TokenEstimate.perMessage)
    }

    @Test(arguments: [
        ("deadbeef0123456789abcdef0123456789abcdef", 0.55), ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", 0.5),
        ("SGVsbG8gd29ybGQgYWdhaW4gYW5kIGFnYWlu", 0.6),
    ])
    func `knows that random letters and digits are dear`(_ text: String, _ perCharacter: Double) {
        #expect(Double(TokenEstimate.text(text)) >= perCharacter * Double(text.count))
    }

    @Test func `never falls when text is added, and stays within its bounds`() {
        var random = SeededRandom()
        for _ in 0..<300 {
            var text = "", last = 0
            for scalar in random.text(60).unicodeScalars {
                text.unicodeScalars.append(scalar)
                let tokens = TokenEstimate.text(text)
                #expect(tokens >= last && tokens >= 1, "\(random)")
                #expect(tokens * 10 >= text.utf8.count - 1, "\(random)")
                #expect(tokens <= 2 * text.utf8.count + 3, "\(random)")
                last = tokens
            }
        }
    }
}

@Suite struct `The estimate of a part` {
    @Test func `of an image of unknown size is fixed, whatever its data weighs (B019)`() {
        let images = ["", String(repeating: "A", count: 4 << 20)].map {
            Part.image(mimeType: "image/png", data: $0, uri: nil)
        }
        #expect(
            images.map { TokenEstimate.size(of: $0).tokens } == [
                TokenEstimate.perImage, TokenEstimate.perImage,
            ])
    }

    @Test func `counts the text of a call and of a result`() {
        let call = Part.toolCall(
            Part.ToolCall(id: "c", name: "get_weather", arguments: Array(#"{"city":"巴黎"}"#.utf8)))
        let result = Part.toolResult(
            Part.ToolResult(callID: "c", content: Array(#""18 degrees""#.utf8), isError: false))
        #expect(
            TokenEstimate.size(of: call) == TokenEstimate.size(of: "get_weather")
                + TokenEstimate.size(of: #"{"city":"巴黎"}"#) + ContentSize(tokens: 8))
        #expect(TokenEstimate.size(of: result).tokens == TokenEstimate.text("18 degrees") + 4)
    }

    @Test func `is above 0 for each kind`() {
        let parts: [Part] = [
            .audio(mimeType: "a", data: ""), .resource(uri: "u", text: nil, raw: Array("{}".utf8)),
            .resourceLink(uri: "u", name: "n", raw: []),
            .image(mimeType: "i", data: nil, uri: "u"), Part.interruptedResult(for: "c"),
        ]
        for part in parts { #expect(TokenEstimate.size(of: part).tokens > 0) }
        #expect(TokenEstimate.message([]) == TokenEstimate.perMessage)
    }
}
