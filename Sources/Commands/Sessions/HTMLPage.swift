internal import Conversation
internal import Crypto
internal import Transcripts
internal import Typesetting

/// One page that has everything in it: nothing is loaded from elsewhere, and nothing of a conversation runs.
struct HTMLPage {
    private static let style = """
        :root{color-scheme:light dark;--back:#fff;--text:#1c1d1f;--quiet:#6b6f76;--line:#e3e5e8;--user:#eef4ff;--code:#f5f6f7;--hit:#ffe58a}
        @media(prefers-color-scheme:dark){:root{--back:#16181b;--text:#e6e7e9;--quiet:#9aa0a8;--line:#2c3036;--user:#1d2836;--code:#1f2226;--hit:#7a5f00}}
        *{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
        body{margin:0 auto;max-width:46rem;padding:1rem;background:var(--back);color:var(--text);font:16px/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
        header.page h1{font-size:1.4rem;margin:.2rem 0}.quiet,.about{color:var(--quiet);font-size:.85rem}
        .bar{position:sticky;top:0;background:var(--back);padding:.5rem 0;border-bottom:1px solid var(--line);z-index:1}
        .bar input{width:100%;font:inherit;padding:.4rem .6rem;color:inherit;background:var(--code);border:1px solid var(--line);border-radius:.4rem}
        article{margin:1rem 0;padding:.2rem .9rem;border:1px solid var(--line);border-radius:.6rem;unicode-bidi:isolate}
        article.user{background:var(--user)}article .about{margin:.4rem 0}article h1{font-size:1.3rem}article h2{font-size:1.15rem}article h3,article h4{font-size:1rem}.task-list-item{list-style:none;margin-left:-1.3rem}article.left{opacity:.75}
        pre{background:var(--code);padding:.7rem;border-radius:.4rem;overflow-x:auto;white-space:pre-wrap}
        code{background:var(--code);border-radius:.2rem;padding:.1em .25em;font-size:.92em}pre code{padding:0}
        table{border-collapse:collapse;display:block;overflow-x:auto}td,th{border:1px solid var(--line);padding:.25rem .6rem}
        blockquote{margin:.5rem 0;padding-left:.8rem;border-left:3px solid var(--line);color:var(--quiet)}
        img{max-width:100%;height:auto}.image::before{content:"\\1F5BC\\A0"}details{margin:.5rem 0}summary{cursor:pointer;color:var(--quiet)}
        .branch{margin-left:.6rem;padding-left:.6rem;border-left:3px solid var(--line)}a{color:inherit}[hidden]{display:none}
        ul.list{list-style:none;padding:0}ul.list li{padding:.45rem 0;border-bottom:1px solid var(--line)}
        @media print{.bar{display:none}article{break-inside:avoid;border:0;padding:0}details:not([open])>*:not(summary){display:block}body{max-width:none}}
        """
    private static let script = """
        const q=document.querySelector('input[type=search]'),n=document.querySelector('.found');
        const all=[...document.querySelectorAll('[data-find]')];
        const norm=t=>t.normalize('NFKC').toLowerCase();
        q.addEventListener('input',()=>{const w=norm(q.value).split(/\\s+/).filter(Boolean);let c=0;
        for(const e of all){e.text_??=norm(e.textContent+' '+(e.dataset.find||''));const on=w.every(x=>e.text_.includes(x));e.hidden=!on;if(on)c++;}
        for(const d of document.querySelectorAll('details.branch'))d.open=w.length>0;
        n.textContent=w.length?c+' found':'';});
        """

    /// A whole page; `body` is HTML.
    static func page(title: String, _ body: String) -> String {
        func hash(_ text: String) -> String {
            "'sha256-\(Base64.encoded(SHA256Digest.of(Array(text.utf8))))'"
        }
        return """
            <!DOCTYPE html>
            <html lang="und" dir="auto">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src \(hash(style)); script-src \(hash(script)); base-uri 'none'; form-action 'none'">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="referrer" content="no-referrer">
            <title>\(MarkdownHTML.escaped(title))</title>
            <style>\(style)</style>
            </head>
            <body>
            \(body)
            <script>\(script)</script>
            </body>
            </html>

            """
    }

    private static let search = """
        <div class="bar"><input type="search" placeholder="Search" aria-label="Search"> <span class="found quiet"></span></div>
        """

    // MARK: A session

    private var path: [Message] = []
    /// Messages beside the path, by the message that they follow.
    private var beside: [MessageID?: [Message]] = [:]
    private var turns: [TurnID: TurnRecord] = [:]
    private(set) var session: Session?

    mutating func add(_ record: TranscriptRecord) {
        switch record {
        case .session(let session, _): self.session = session
        case .message(let message, true): path.append(message)
        case .message(let message, false): beside[message.parentID, default: []].append(message)
        case .turn(let turn): turns[turn.id] = turn
        case .summary: break
        }
    }

    /// What a list of sessions shows of it: its title, and words that it is found by.
    var listed: (title: String, count: Int, words: String) {
        let first = path.first { $0.role == .user }?.parts.map(\.visibleText).joined(separator: " ") ?? ""
        return (session?.title ?? session?.id.text ?? "", path.count, String(first.prefix(2_000)))
    }

    /// The page of the session.
    var page: String {
        guard let session else { return "" }
        let title = session.title ?? session.id.text
        var body = """
            <header class="page"><h1>\(MarkdownHTML.escaped(title))</h1>
            <p class="quiet">\(MarkdownHTML.escaped(session.id.text)) · \(path.count) messages · \(HTMLPage.time(session.createdAt))</p></header>
            \(HTMLPage.search)
            <main>

            """
        if let system = session.system, !system.isEmpty {
            body += "<details><summary>system prompt</summary>\(MarkdownHTML.of(system))</details>\n"
        }
        body += branches(behind: nil)
        for (index, message) in path.enumerated() {
            body += article(message, number: index + 1)
            body += branches(behind: message.id)
        }
        body += "</main>"
        return HTMLPage.page(title: title, body)
    }

    /// What was answered or asked anew behind a message, folded; the path itself goes on below.
    private func branches(behind id: MessageID?) -> String {
        (beside[id] ?? []).map(branch).joined()
    }

    /// A branch from its first message on; others that begin in it stand folded where they do.
    private func branch(_ first: Message) -> String {
        var html = "", count = 0, next: Message? = first
        while let message = next {
            count += 1
            html += article(message, number: nil)
            let following = beside[message.id] ?? []
            html += following.dropFirst().map(branch).joined()
            next = following.first
        }
        return
            "<details class=\"branch\"><summary>another branch · \(count) \(count == 1 ? "message" : "messages")</summary>\(html)</details>\n"
    }

    /// As "2026-11-29 05:01 UTC".
    private static func time(_ milliseconds: Int64) -> String {
        let text = Timestamp.text(milliseconds)
        return text.prefix(10) + " " + text.dropFirst(11).prefix(5) + " UTC"
    }

    // MARK: A message

    private func article(_ message: Message, number: Int?) -> String {
        var about = [message.role.name]
        if let turn = message.turnID.flatMap({ turns[$0] }), message.role == .assistant,
            let model = turn.model
        {
            about.append(model)
        }
        if message.createdAt > 0 { about.append(HTMLPage.time(message.createdAt)) }
        if message.status != .complete { about.append(message.status.name) }
        if message.isPinned { about.append("pinned") }
        if message.isDeleted { about.append("deleted") }
        if message.isExcluded && !message.isDeleted { about.append("excluded") }
        if let number { about.append("#\(number)") }
        let id = number.map { " id=\"m\($0)\"" } ?? ""
        return """
            <article class="\(message.role.name)\(message.isExcluded ? " left" : "")" data-find dir="auto"\(id)><p class="about">\(MarkdownHTML.escaped(about.joined(separator: " · ")))</p>
            \(message.parts.map(HTMLPage.html).joined())</article>

            """
    }

    private static func html(_ part: Part) -> String {
        switch part {
        case .text(let text): return MarkdownHTML.of(text)
        case .thought(let text, _, _):
            return folded("thought", MarkdownHTML.of(text))
        case .redactedThought: return folded("thought", "<p>hidden by its provider</p>")
        case .image(let type, let data?, _)
        where ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(type):
            // Only what base64 is made of, whatever stands in the store.
            let clean = data.filter {
                $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "+" || $0 == "/" || $0 == "=")
            }
            return "<p><img alt=\"\" src=\"data:\(type);base64,\(clean)\"></p>"
        case .image(let type, _, let uri):
            return
                "<p class=\"image\">\(MarkdownHTML.escaped(uri.map { "\(type), \($0.prefix(300))" } ?? type))</p>"
        case .audio(let type, _): return "<p class=\"quiet\">audio, \(MarkdownHTML.escaped(type))</p>"
        case .resource(let uri, let text, _):
            return folded(MarkdownHTML.escaped(uri), "<pre>\(MarkdownHTML.escaped(text ?? "binary"))</pre>")
        case .resourceLink(let uri, let name, _):
            return "<p class=\"quiet\">\(MarkdownHTML.escaped("\(name): \(uri)"))</p>"
        case .toolCall(let call):
            return folded(
                "calls <code>\(MarkdownHTML.escaped(call.name))</code>",
                "<pre>\(MarkdownHTML.escaped(call.argumentText))</pre>")
        case .toolResult(let result):
            return folded(
                result.isError ? "failed" : "result", "<pre>\(MarkdownHTML.escaped(result.text))</pre>")
        }
    }

    /// `title` is HTML too.
    private static func folded(_ title: String, _ body: String) -> String {
        "<details><summary>\(title)</summary>\(body)</details>"
    }

    // MARK: Many sessions

    /// A session's row in the list of all.
    struct Row {
        let file: String
        let title: String
        let count: Int
        let words: String
        let updatedAt: Int64
    }

    /// The page that leads to those of many sessions.
    static func index(_ rows: [Row]) -> String {
        let list = rows.map { row in
            "<li data-find=\"\(MarkdownHTML.escaped(row.words))\"><a href=\"./\(MarkdownHTML.escaped(row.file))\">\(MarkdownHTML.escaped(row.title))</a> <span class=\"quiet\">\(row.count) messages · \(HTMLPage.time(row.updatedAt))</span></li>"
        }.joined(separator: "\n")
        return page(
            title: "Conversations",
            """
            <header class="page"><h1>Conversations</h1><p class="quiet">\(rows.count) sessions</p></header>
            \(search)
            <main><ul class="list">
            \(list)
            </ul></main>
            """)
    }
}
