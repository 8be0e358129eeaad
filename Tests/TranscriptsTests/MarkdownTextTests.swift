import Conversation
import Testing
import Transcripts

/// What a message of this text is in Markdown, from the line behind its heading.
private func written(_ text: String) -> String {
    let message = Message(
        id: MessageID(high: 0, low: 1), seq: 1, role: .assistant, createdAt: 0, tokens: 1,
        content: Part.encode([.text(text)]))
    let record = String(
        decoding: Records(.markdown).record(of: message), as: UTF8.self)
    return record.split(separator: "\n", maxSplits: 2, omittingEmptySubsequences: true).dropFirst().joined(
        separator: "\n")
}

/// `Tests/External/markdown.py` tries texts at random against a parser of CommonMark.
@Suite struct `A text in Markdown` {
    @Test(arguments: [
        ("```\ncode", "```\ncode\n```"), ("~~~~py\n# no heading\n~~~", "~~~~py\n# no heading\n~~~\n~~~~"),
        ("1. so\n   ```\n   code", "1. so\n   ```\n   code\n   ```"), ("```\ncode\n```", "```\ncode\n```"),
        ("- a\n  ```\nout of it", "- a\n  ```\nout of it"),
    ]) func `ends with what it began (B160)`(text: String, expected: String) {
        #expect(written(text) == expected)
    }

    @Test(arguments: [
        ("# one", "### one"), ("## User · 2026-11-26", "#### User · 2026-11-26"),
        ("  ##### deep", "  ###### deep"),
        ("#no heading", "#no heading"), ("words\n---", "words\n\\---"),
        ("words\n===\n===", "words\n\\===\n\\==="),
        ("---\nwords", "---\nwords"), ("```\n# code\n```\n# not", "```\n# code\n```\n### not"),
        ("- a\n  ```\n## out", "- a\n  ```\n#### out"), ("    # code", "    # code"),
    ]) func `has no heading of the transcript's levels (B160)`(text: String, expected: String) {
        #expect(written(text) == expected)
    }

    @Test(arguments: [
        ("<!-- open", "\\<!-- open"), ("<pre>\n# x", "\\<pre>\n### x"), ("</div>", "\\</div>"),
        ("<https://example.org>", "<https://example.org>"), ("a <!-- b", "a <!-- b"),
        ("```\n<pre>\n```", "```\n<pre>\n```"),
    ]) func `has no block of HTML`(text: String, expected: String) { #expect(written(text) == expected) }

    @Test(arguments: [
        ("x\r## user", "x\r#### user"), ("a\r```\rb", "a\r```\rb\n```"), ("a\r\nb", "a\r\nb"),
        ("w\r---", "w\r\\---"),
    ]) func `has a line behind each line end, a lone CR among them`(text: String, expected: String) {
        #expect(written(text) == expected)
    }

    @Test func `is otherwise as it was`() {
        let text =
            "Hello *you*,\n\n1. one\n2. two\n   - three\n\n> quoted\n\n| a | b |\n|---|---|\n\n```sh\n# run\nls\n```\nDone."
        #expect(written(text) == text)
    }
}
