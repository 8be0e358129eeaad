internal import Conversation
internal import JSON

/// Messages as a person reads them on a terminal.
struct MessagePrinter {
    private let console: Console
    private var colors: MarkdownColors

    init(_ console: Console) {
        self.console = console
        colors = MarkdownColors(console)
    }

    /// A heading and the parts, without control characters where a terminal would obey them.
    mutating func text(of message: JSONView) -> String {
        var blocks: [String] = []
        for part in message["content"]?.elements ?? message.elements {
            if let part = try? Part(checking: part) { blocks.append(block(part)) }
        }
        return ([heading(message)] + blocks.filter { !$0.isEmpty }).joined(separator: "\n") + "\n"
    }

    /// What a turn was to say of which nothing is on the path, and why not.
    ///
    /// `isRetried` says whether a retry sends it.
    mutating func text(ofTurn turn: JSONView, isRetried: Bool) -> String {
        let state = turn["state"]?.string ?? ""
        let facts = [
            console.styled(state, state == "queued" ? .yellow : .red),
            turn["createdAt"]?.string.map { Times.relative($0) } ?? "",
        ]
        var blocks = [
            console.styled("── user ", .green) + console.styled("· ", .dim) + facts.joined(separator: " · ")
        ]
        if let words = turn["prompt"] {
            for part in words.elements {
                if let part = try? Part(checking: part) { blocks.append(block(part)) }
            }
        } else {
            blocks.append(console.styled("(on a branch beside the path, 'convo branches' shows it)", .dim))
        }
        if let reason = turn["error"]?["message"]?.string { blocks.append(clean(reason)) }
        if isRetried { blocks.append(console.styled("'convo retry' sends it again", .dim)) }
        return blocks.filter { !$0.isEmpty }.joined(separator: "\n") + "\n"
    }

    private func heading(_ message: JSONView) -> String {
        let role = message["role"]?.string ?? ""
        var facts = [message["createdAt"]?.string.map { Times.relative($0) } ?? ""]
        if let seq = message["seq"]?.int { facts.insert("#\(seq)", at: 0) }
        if let status = message["status"]?.string, status != "complete" {
            facts.append(console.styled(status, .red))
        }
        if message["pinned"]?.bool == true { facts.append(console.styled("pinned", .yellow)) }
        if message["excluded"]?.bool == true { facts.append(console.styled("excluded", .yellow)) }
        let color: Console.Style = role == "user" ? .green : role == "assistant" ? .blue : .yellow
        return console.styled("── \(role) ", color) + console.styled("· ", .dim)
            + facts.joined(separator: " · ")
    }

    private mutating func block(_ part: Part) -> String {
        switch part {
        case .text(let text): colors.colored(clean(text))
        case .redactedThought: console.styled("(a hidden thought)", .dim)
        case .thought(let text, _, _): console.styled(clean(text), .dim)
        case .toolCall(let call):
            console.styled("calls \(clean(call.name)) \(clean(call.argumentText))", .cyan)
        case .toolResult(let result):
            console.styled("\(result.isError ? "error" : "result"): ", .cyan) + clean(result.text)
        case .image(let mimeType, _, let uri): "[image \(clean(uri ?? mimeType))]"
        case .audio(let mimeType, _): "[audio \(clean(mimeType))]"
        case .resource(let uri, let text, _):
            "[resource \(clean(uri))]" + (text.map { "\n" + clean($0) } ?? "")
        case .resourceLink(let uri, let name, _): "[\(clean(name)): \(clean(uri))]"
        }
    }

    private func clean(_ text: String) -> String { console.isOutputTerminal ? Console.harmless(text) : text }
}
