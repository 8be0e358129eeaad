internal import TestSupport
internal import Testing
internal import Typesetting

private func drawn(_ text: String, _ columns: Int = 40) -> [String] {
    MarkdownBlock.read(text).lines(columns: columns).map(\.plain)
}

@Suite struct `Markdown on a terminal` {
    @Test(arguments: [
        ("# Title\n\ntext", ["Title", "", "text"]),
        ("one\ntwo", ["one", "two"]),
        ("- a\n- b\n  - c\n- [x] d\n- [ ] e", ["• a", "• b", "  • c", "• ☑ d", "• ☐ e"]),
        ("9. a\n10. b", [" 9. a", "10. b"]),
        ("> a\n> b\n>\n> c", ["│ a", "│ b", "│ ", "│ c"]),
        ("```swift\nlet a = 1\n\n  b\n```", ["── swift", "let a = 1", "", "  b", "──"]),
        ("see [here](https://a.b/c) and <https://x.y>", ["see here (https://a.b/c) and https://x.y"]),
        ("![a cat](cat.png)", ["a cat (cat.png)"]),
        ("a &amp; b &#8364; &unknown;", ["a & b € &unknown;"]),
        ("&#27;[2J &#x9b;m &#x202e;b &#10; &#13;", ["&#27;[2J &#x9b;m &#x202e;b &#10; &#13;"]),
        ("<b>raw</b> & <script>x</script>", ["<b>raw</b> & <script>x</script>"]),
        ("***", ["────────────────────────────────────────"]),
        ("`a`  **b** ~~c~~ *d*", ["a b c d"]),
        (
            "In [1] and [it][man].\n\n[1]: https://a.b\n[man]: https://c.d 'e'",
            ["In [1] and it (https://c.d).", "", "[1]: https://a.b", "[man]: https://c.d 'e'"]
        ),
        ("[Alice]: Hello Bob\n[Bob]: Fine, thanks.", ["[Alice]: Hello Bob", "[Bob]: Fine, thanks."]),
        ("use [INFO]\n\n[INFO]: ready", ["use [INFO]", "", "[INFO]: ready"]),
        ("[x]: http://a.b \"t\" more", ["[x]: http://a.b \"t\" more"]),
        ("````\n```js\n  [K]: v,\n```\n[1]: x\n````", ["── ", "```js", "  [K]: v,", "```", "[1]: x", "──"]),
        ("```x``` is inline\n```js\n[K]: v\n```", ["x is inline", "", "── js", "[K]: v", "──"]),
        ("1. ```js\n   [K]: v\n   ```", ["1. ── js", "   [K]: v", "   ──"]),
        ("Pipes | and\n---\nRun `a | b`", ["Pipes | and", "", "Run a | b"]),
        ("| a | b |\n|---|---|\n- x | y | z", ["a │ b", "──┼──", "", "• x | y | z"]),
        ("```\n[1]: x\n```", ["── ", "[1]: x", "──"]),
        ("| a | b |\n|---|---|\n| 1 | `x|y` | 3 |", ["a │ b", "──┼────────", "1 │ x|y | 3"]),
        (
            "| a | b | c |\n|---|---|---|\n| `a|b` x | 1000 | short |\n| a | `x || y` | z |",
            ["a     │ b      │ c", "──────┼────────┼──────", "a|b x │ 1000   │ short", "a     │ x || y │ z"]
        ),
        ("| a | b |\n|-|--:|\n| 1 | 2 |", ["a │ b", "──┼──", "1 │ 2"]),
        ("a | b\n--|--\n1 | 2", ["a │ b", "──┼──", "1 │ 2"]),
        ("```\na\tb\n\tc\td\n```", ["── ", "a       b", "    c   d", "──"]),
        ("| a | b |\n|---|\n| 1 | 2 | 3 |", ["a | b", "─────────", "1 | 2 | 3"]),
    ]) func `is drawn as a person reads it`(text: String, lines: [String]) {
        #expect(drawn(text) == lines)
    }

    @Test func `is wrapped by the columns that its characters take, between words or wide characters`() {
        #expect(drawn("aaa bbb ccc ddd", 10) == ["aaa bbb", "ccc ddd"])
        #expect(drawn("你好世界你好世界", 10) == ["你好世界你", "好世界"])
        #expect(drawn("abcdefghijklmno p", 10) == ["abcdefghij", "klmno p"])
        #expect(drawn("ab 🙂🙂🙂🙂🙂", 10) == ["ab 🙂🙂🙂", "🙂🙂"])
        #expect(drawn("- one two three", 12) == ["• one two", "  three"])
    }

    /// Found by the fuzzer: what is drawn in quotes in quotes was given less than no columns.
    @Test func `takes a column for each letter and each mark beside it, as terminals have it`() {
        let widths = [
            ("क्षेत्र", 4), ("ที่", 1), ("ทำ", 2), ("é", 1), ("e\u{301}", 1), ("你", 2), ("👩‍💻", 2), ("한", 2),
            ("\u{1112}\u{1161}\u{11AB}", 2), ("🇮🇸", 2), ("1️⃣", 2), ("हि", 2),
        ]
        for (text, width) in widths { #expect(TextWidth.of(text) == width, "\(text)") }
        let words = "जिसमें मॉडल यह बताता है कि खिड़की क्या होती है"
        for width in 9...40 {
            #expect(drawn(words, width).joined(separator: " ") == words, "\(width)")
        }
    }

    @Test func `is drawn in quotes deeper than the terminal is wide`() {
        for columns in [1, 10, 40] {
            for inner in [
                "***", "# a", "- b", "1. c", "| a | b |\n|---|---|\n| c | d |", "```\ncode\n```", "words",
            ] {
                for sign in ["> ", "- ", "1. "] {
                    let lines = drawn(String(repeating: sign, count: 30) + inner, columns)
                    #expect(!lines.isEmpty, "\(columns) \(sign)\(inner)")
                }
            }
        }
        #expect(
            drawn(String(repeating: ">", count: 30) + " ***", 40).first?.hasSuffix("│ ──────────") == true)
    }

    @Test func `has tables whose columns stand under each other, whatever the script`() {
        let table = "| name | n |\n|---|--:|\n| 你好 | 1 |\n| a | 200 |"
        #expect(drawn(table) == ["name │   n", "─────┼────", "你好 │   1", "a    │ 200"])
        let wide = "| a | b |\n|:-:|---|\n| x | one two three four five |"
        #expect(drawn(wide, 17) == ["a │ b", "──┼──────────────", "x │ one two three", "  │ four five"])
    }

    @Test func `has the rows of a table one below the other where its columns have no room`() {
        let table =
            "| Name | Description | Owner |\n|---|---|---|\n| a | the first thing | Ada |\n| 東京 | b | **山田** |"
        #expect(drawn(table, 50).first == "Name │ Description     │ Owner")
        #expect(
            drawn(table, 20) == [
                "Name: a", "Description: the", "  first thing", "Owner: Ada", "──", "Name: 東京",
                "Description: b",
                "Owner: 山田",
            ])
        let form = "| Name of the person | Signature of the person | Date |\n|---|---|---|\n| Ada | | |"
        #expect(
            drawn(form, 24) == ["Name of the person:", "  Ada", "Signature of the", "  person:", "Date:"])
        #expect(drawn("| abcdefghijklmnopq | b |\n|---|---|", 12) == ["abcdefghij", "  klmnopq", "b"])
    }

    @Test func `has lines of code whole, for who copies them`() {
        let line = String(repeating: "x", count: 100)
        #expect(drawn("```\n\(line)\n```", 20)[1] == line)
        #expect(
            MarkdownBlock.firstCode(in: MarkdownBlock.read("- a\n  ```\n  let x = 1\n  ```")) == "let x = 1")
        #expect(MarkdownBlock.firstCode(in: MarkdownBlock.read("no code")) == nil)
        // Tabs are tabs, wherever the block stands.
        for (before, inset) in [("", ""), ("- make it:\n\n", "  "), ("> so\n>\n", "> "), ("1. a\n", "   ")] {
            let lines = ["```make", "all:\tx", "\t@echo built", "   \tz", "```", "more"]
            let text = before + lines.map { inset + $0 }.joined(separator: "\n")
            let code = MarkdownBlock.firstCode(of: text)
            #expect(code == "all:\tx\n\t@echo built\n   \tz", "\(before): \(code ?? "none")")
        }
        #expect(MarkdownBlock.firstCode(of: "    let x = 1\n") == "let x = 1")
        // A list whose items are indented by tabs.
        #expect(
            MarkdownBlock.firstCode(of: "1.\tSave:\n\n\t```\n\tdef f():\n\t    return 1\n\t```\n")
                == "def f():\n    return 1")
        // A fence further in is code, and so is what looks like a definition behind it.
        #expect(
            drawn("```\na\n    ```\n[docs]: https://example.com\n```").contains("[docs]: https://example.com")
        )
        #expect(MarkdownBlock.firstCode(of: "~~~\n```\n\ta\n```\n~~~\n```\nb\n```") == "```\n\ta\n```")
    }

    @Test func `shows no style where there is none, and each only over its words`() {
        let line = MarkdownBlock.read("a **b** `c`").lines(columns: 40)[0]
        #expect(line.painted == "a \u{1B}[1mb\u{1B}[0m \u{1B}[36mc\u{1B}[0m")
    }
}

@Suite struct `Markdown that streams` {
    private static let documents = [
        "# Title\n\nSome *text*\nand more.\n\n- one\n- two\n\n  inside\n\nafter\n",
        "```python\nprint(1)\n\n# no heading\n```\ntext behind\n\n> q\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nend",
        "1. a\n2. b\n   ```\n   code\n   ```\n3. c\n\n---\n\n~~~~\n```\n~~~~\nx\r\ny\r\n",
        "para\n# heading right behind\ntext\n\n    indented\n\n    code\n\nlast",
        "```markdown\n1. Run:\n\n    ```sh\n    ls\n    ```\n\n[docs]: https://example.com\n```\n\nGood luck!\n\nend",
        "- \n  para\n\n  more\n- b\n\nx\n\ny",
        "1.\tSave this:\n\n\t```python\n\tdef f():\n\t    return 1\n\t```\n\n2.\tRun it.\n\n\t- nested **one**\n\nx\n\ny",
    ]

    @Test(arguments: documents.indices)
    func `gives blocks that together are the text, however it is cut`(_ index: Int) {
        let text = Self.documents[index]
        for size in [1, 2, 3, 7, 1_000] {
            var stream = MarkdownStream(), blocks: [String] = [], rest = text[...]
            while !rest.isEmpty {
                blocks += stream.add(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            if let last = stream.finish() { blocks.append(last) }
            let apart = blocks.flatMap { drawn($0) }.filter { !$0.isEmpty }
            #expect(apart == drawn(text).filter { !$0.isEmpty }, "cut by \(size): \(blocks)")
            #expect(blocks.count > 2)
        }
    }

    @Test func `says at any time what may still change`() {
        var stream = MarkdownStream()
        #expect(stream.add("one\n\ntw") == ["one"] && stream.growing == "tw")
        #expect(stream.add("o\n- a") == [] && stream.growing == "two\n- a")
        #expect(stream.finish() == "two\n- a" && stream.finish() == nil)
    }
}

@Suite struct `Text that flows` {
    @Test func `ends its lines between words, however it comes`() {
        let text = "one two  three\nfour 你好世界 five abcdefghijklmno p\n\n  six"
        let lines = ["one two", "three", "four 你好", "世界 five", "abcdefghij", "klmno p", "", "  six"]
        for size in 1...text.count {
            var flow = FlowingText(width: 10), out = "", rest = text[...]
            while !rest.isEmpty {
                out += flow.add(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            out += flow.finish()
            #expect(out.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) == lines)
        }
    }
}
