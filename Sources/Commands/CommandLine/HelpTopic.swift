internal import Schema

/// A page of help that is no command's: those of the README's table.
struct HelpTopic {
    let name: String
    /// Markdown.
    let text: String

    /// All of them, sorted by name.
    static var all: [HelpTopic] {
        (0..<schema_topic_count).map { index in
            let file = unsafe schema_topic(index)
            return unsafe HelpTopic(name: String(cString: file.name), text: file.text)
        }
    }

    /// Prints it: drawn on a terminal, a page at a time.
    func print(_ invocation: Invocation) {
        let console = invocation.console
        guard console.drawsMarkdown else { return console.write(verbatim: text) }
        let pager = Pager(console: console, environment: invocation.environment)
        for line in MarkdownPainter.lines(of: text, columns: console.columns) where !pager.isClosed {
            pager.print(line)
        }
        pager.finish()
    }
}

extension schema_file {
    /// An embedded file's text.
    var text: String {
        unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
