internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol

/// Reads a session's messages page by page.
struct MessagePages {
    private static let rows = 500

    let client: Client
    let session: String
    /// The branch whose path is meant; nil for the active one.
    var branch: Int?

    /// The newest messages, oldest first; a number of messages over a page's rows comes in several.
    func newest(_ count: Int) throws(CommandError) -> [Wire.Message] {
        if count <= MessagePages.rows {
            let page = try client.ask(Method.MessageList.self) {
                $0.member("sessionId", session)
                $0.optional("branch", branch)
                $0.member("last", max(1, count))
            }
            if page.nextCursor == nil || page.messages.count >= count { return page.messages }
        }
        var messages: [Wire.Message] = []
        try forEachPage(order: "desc") { page in
            messages += page
            return messages.count < count
        }
        return messages.prefix(count).reversed()
    }

    /// The messages before one, and that one, at most `count`, oldest first.
    func upTo(_ start: String, _ count: Int) throws(CommandError) -> [Wire.Message] {
        try client.ask(Method.MessageList.self) {
            $0.member("sessionId", session)
            $0.optional("branch", branch)
            $0.member("order", "desc")
            $0.member("limit", count)
            write(start, to: &$0)
        }.messages.reversed()
    }

    /// What a prompt has beside its words, as raw JSON; without a message of the newest prompt.
    func files(of message: String?) throws(CommandError) -> [[UInt8]] {
        let found = if let message { try upTo(message, 1).last } else { try newestPrompt() }
        guard let content = found?.content.bytes, let root = try? JSONDocument(content).root else {
            return []
        }
        return root.elements.filter { $0["type"]?.string != "text" }.map { Array($0.raw) }
    }

    /// The newest prompt among the newest messages.
    private func newestPrompt() throws(CommandError) -> Wire.Message? {
        try newest(50).last { $0.role == .user }
    }

    /// What joins a session behind a place in its messages, or where none is known from now on.
    static func resuming(_ session: String, behind place: (id: String, offset: Int)?, isObserver: Bool)
        -> [UInt8]
    {
        JSONWriter.object {
            $0.member("sessionId", session)
            $0.member("cwd", "/")
            $0.key("mcpServers")
            $0.array { _ in }
            $0.member("_meta") {
                $0.member("convod") {
                    if isObserver { $0.member("role", "observer") }
                    guard let place else { return }
                    $0.member("after") {
                        $0.member("messageId", place.id)
                        $0.member("offset", place.offset)
                    }
                }
            }
        }
    }

    private func write(_ start: String, to writer: inout JSONWriter) {
        if let number = Int(start) { writer.member("at", number) } else { writer.member("at", start) }
    }

    /// Every message, a page at a time, until `body` returns false; from one on, by its ID or number, or from the first.
    func forEachPage(order: String = "asc", from start: String? = nil, _ body: ([Wire.Message]) -> Bool)
        throws(CommandError)
    {
        var cursor: String?
        repeat {
            let page = try client.ask(Method.MessageList.self) {
                $0.member("sessionId", session)
                $0.optional("branch", branch)
                $0.member("order", order)
                $0.member("limit", MessagePages.rows)
                $0.optional("cursor", cursor)
                if let start, cursor == nil { write(start, to: &$0) }
            }
            cursor = page.nextCursor
            guard body(page.messages) else { return }
        } while cursor != nil
    }
}

extension Wire.Message {
    /// UTF-8 bytes of what it says and thinks, as places in it are counted.
    var length: Int { parts.reduce(0) { $0 + $1.visibleText.utf8.count } }

    /// Its text parts, without thoughts.
    var text: String {
        parts.compactMap { if case .text(let text) = $0 { text } else { nil } }.joined()
    }
}
