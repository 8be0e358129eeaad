internal import Testing

@testable internal import Typesetting

@Suite struct `Markdown as HTML` {
    @Test(arguments: [
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>\n"),
        ("[a](javascript:alert(1))", "<p><a title=\"javascript:alert(1)\">a</a></p>\n"),
        ("[a](JaVaScRiPt:alert(1))", "<p><a title=\"JaVaScRiPt:alert(1)\">a</a></p>\n"),
        ("[a](java&#115;cript:alert(1))", "<p><a title=\"javascript:alert(1)\">a</a></p>\n"),
        ("[a](data:text/html,x)", "<p><a title=\"data:text/html,x\">a</a></p>\n"),
        ("[a](//evil.example/x)", "<p><a title=\"//evil.example/x\">a</a></p>\n"),
        ("[a](file:///etc/passwd)", "<p><a title=\"file:///etc/passwd\">a</a></p>\n"),
        (
            "[a](https://example.com/?a=1&b=2)",
            "<p><a rel=\"noopener noreferrer nofollow\" href=\"https://example.com/?a=1&amp;b=2\">a</a></p>\n"
        ),
        (
            "[a](mailto:a@b.c \"t\")",
            "<p><a rel=\"noopener noreferrer nofollow\" href=\"mailto:a@b.c\">a</a></p>\n"
        ),
        ("![pic](https://evil.example/x.png)", "<p><span class=\"image\">pic</span></p>\n"),
        ("![a\" onload=\"x](y)", "<p><span class=\"image\">a&quot; onload=&quot;x</span></p>\n"),
        (
            "[x](https://a/\"onmouseover=alert(1))",
            "<p><a rel=\"noopener noreferrer nofollow\" href=\"https://a/%22onmouseover=alert(1)\">x</a></p>\n"
        ),
        ("a \u{202E}gnp.exe", "<p>a ⟨U+202E⟩gnp.exe</p>\n"),
        (
            "```js\"><script>\nx\n```",
            "<pre><code class=\"language-js&quot;&gt;&lt;script&gt;\">x\n</code></pre>\n"
        ),
        ("`</code><script>`", "<p><code>&lt;/code&gt;&lt;script&gt;</code></p>\n"),
        (
            "<https://example.com/>",
            "<p><a rel=\"noopener noreferrer nofollow\" href=\"https://example.com/\">https://example.com/</a></p>\n"
        ),
        ("<javascript:alert(1)>", "<p><a title=\"javascript:alert(1)\">javascript:alert(1)</a></p>\n"),
    ])
    func `has nothing that runs or is loaded`(text: String, html: String) {
        #expect(MarkdownHTML.of(text) == html)
    }
}
