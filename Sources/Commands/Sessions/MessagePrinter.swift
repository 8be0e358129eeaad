internal import Conversation
internal import JSON
internal import Protocol

/// Messages as a person reads them on a terminal.
struct MessagePrinter {
    private let console: Console
    /// What stands for thoughts; nil shows them.
    private let fold: String?

    init(_ console: Console, foldingThoughts fold: String? = nil) {
        self.console = console
        self.fold = fold
    }

    /// A heading and the parts, without control characters where a terminal would obey them.
    func text(of message: Wire.Message) -> String {
        joined([heading(message)] + blocks(message.parts))
    }

    /// What a turn was to say of which nothing is on the path, and why not.
    ///
    /// `isRetried` says whether a retry sends it.
    func text(ofTurn turn: Wire.Turn, isRetried: Bool) -> String {
        let state = console.styled(turn.state.name, turn.state == .queued ? .yellow : .red)
        var all = [
            console.styled("── user ", .green) + console.styled("· ", .dim)
                + "\(state) · \(Times.relative(turn.createdAt))"
        ]
        if let prompt = turn.prompt {
            all += blocks(Part.decode(prompt.bytes))
        } else {
            all.append(console.styled("(on a branch beside the path, 'convo branches' shows it)", .dim))
        }
        if let error = turn.error { all.append(clean(error.message)) }
        if isRetried { all.append(console.styled("'convo retry' sends it again", .dim)) }
        return joined(all)
    }

    private func joined(_ blocks: [String]) -> String {
        blocks.filter { !$0.isEmpty }.joined(separator: "\n") + "\n"
    }

    private func heading(_ message: Wire.Message) -> String {
        var facts = ["#\(message.seq)", Times.relative(message.createdAt)]
        if message.status != .complete { facts.append(console.styled(message.status.name, .red)) }
        if message.pinned { facts.append(console.styled("pinned", .yellow)) }
        if message.deleted == true { facts.append(console.styled("deleted", .yellow)) }
        if message.excluded && message.deleted != true { facts.append(console.styled("excluded", .yellow)) }
        let color: Console.Style =
            switch message.role {
            case .user: .green
            case .assistant: .blue
            case .system, .tool: .yellow
            }
        return console.styled("── \(message.role.name) ", color) + console.styled("· ", .dim)
            + facts.joined(separator: " · ")
    }

    private func blocks(_ parts: [Part]) -> [String] {
        var blocks: [String] = []
        for part in parts { blocks.append(block(part)) }
        return blocks
    }

    private func block(_ part: Part) -> String {
        switch part {
        case .text(let text):
            console.drawsMarkdown
                ? MarkdownPainter.lines(of: text, columns: console.columns).joined(separator: "\n")
                : clean(text)
        case .redactedThought: console.styled("(a hidden thought)", .dim)
        case .thought(let text, _, _): thought(text)
        case .toolCall(let call):
            console.styled("→ calls \(clean(call.name)) \(clean(call.argumentText))", .cyan)
        case .toolResult(let result):
            console.styled("\(result.isError ? "error" : "result"): ", .cyan) + clean(result.text)
        case .image(let mimeType, _, let uri): "[image \(clean(uri ?? mimeType))]"
        case .audio(let mimeType, _): "[audio \(clean(mimeType))]"
        case .resource(let uri, let text, _):
            "[resource \(clean(uri))]" + (text.map { "\n" + clean($0) } ?? "")
        case .resourceLink(let uri, let name, _): "[\(clean(name)): \(clean(uri))]"
        }
    }

    /// A thought is told from the answer by more than a colour.
    private func thought(_ text: String) -> String {
        if let fold { return text.isBlank ? "" : console.styled("(\(fold))", .dim) }
        let lines = clean(text).split(separator: "\n", omittingEmptySubsequences: false)
        return console.styled(lines.map { "> \($0)" }.joined(separator: "\n"), .dim)
    }

    private func clean(_ text: String) -> String { console.isOutputTerminal ? Console.harmless(text) : text }
}
