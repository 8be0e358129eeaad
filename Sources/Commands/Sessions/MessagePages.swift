internal import ConvoClient
internal import JSON
internal import Protocol

/// Reads a session's messages page by page.
struct MessagePages {
    private static let rows = 500

    let client: Client
    let session: String

    /// The newest messages, oldest first; a number of messages over a page's rows comes in several.
    func newest(_ count: Int) throws(CommandError) -> [JSONView] {
        if count <= MessagePages.rows {
            let page = try client.ask(.messageList) {
                $0.member("sessionId", session)
                $0.member("last", max(1, count))
            }
            let messages = page["messages"].map { Array($0.elements) } ?? []
            if page["nextCursor"] == nil || messages.count >= count { return messages }
        }
        var messages: [JSONView] = []
        try forEachPage(order: "desc") { page in
            messages += page
            return messages.count < count
        }
        return messages.prefix(count).reversed()
    }

    /// Every message, a page at a time, until `body` returns false.
    func forEachPage(order: String = "asc", _ body: ([JSONView]) -> Bool) throws(CommandError) {
        var cursor: String?
        repeat {
            let page = try client.ask(.messageList) {
                $0.member("sessionId", session)
                $0.member("order", order)
                $0.member("limit", MessagePages.rows)
                $0.optional("cursor", cursor)
            }
            cursor = page["nextCursor"]?.string
            guard body(page["messages"].map { Array($0.elements) } ?? []) else { return }
        } while cursor != nil
    }
}

extension JSONView {
    /// A message's text: its text parts, without thoughts.
    var messageText: String {
        self["content"]?.elements.compactMap { $0["type"]?.string == "text" ? $0["text"]?.string : nil }
            .joined() ?? ""
    }
}
