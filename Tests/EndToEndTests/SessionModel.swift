internal import JSON

/// One message of the tree that all sessions share.
struct ModelNode: Equatable {
    var parent: String?
    var isUser: Bool
    var text: String
    var status: String
}

/// A turn as its events told of it.
struct ModelTurn {
    let session: String
    let promptID: String?
    let answerID: String
    /// The message that its answer follows.
    let parent: String
    /// The newest message when it began.
    let before: String?
    /// What a whole answer says, nil where that is not foretold.
    var whole: String?
    var said = ""
    let cancels: Int
    var isEnded = false
}

/// What the model knows of one session.
final class ModelSession {
    let name: String
    var head: String?
    /// The turn that runs now.
    var running: String?
    /// The prompt of another client that was announced last.
    var echo: (id: String, turn: String, text: String)?
    /// The one request under way that chooses another path.
    var pathChange: ModelRequest?
    /// Updates that wait for the answer to it.
    var deferred: [JSONView] = []
    var pending = 0, sends = 0, version = 0
    /// Requests to end turns: those sent, and those surely carried out.
    var cancels = 0, cancelsDone = 0
    /// Whether turns of clients that left may still run.
    var isUnsure = false
    /// Turns that their clients saw the end of.
    var answered: Set<String> = []
    var isDeleted = false
    /// Whether the daemon ended while another path was being chosen.
    var mayHaveMoved = false
    /// Whether the daemon has ended and the session was not looked at since.
    var isLost = false
    var branches: [Int] = []
    /// Prompts with a request ID of their own, for repeats.
    var keys: [ModelRequest] = []

    init(_ name: String, head: String?) {
        self.name = name
        self.head = head
    }

    var isQuiet: Bool {
        pending == 0 && running == nil && deferred.isEmpty && !isUnsure && pathChange == nil
            && answered.isEmpty
    }
}

/// The sessions as they must be, moved on by what one client that watches them all is told.
struct SessionModel {
    var nodes: [String: ModelNode] = [:]
    /// Which message says a text; each text is said once.
    var byText: [String: String] = [:]
    var turns: [String: ModelTurn] = [:]
    /// Turns that the daemon told of.
    var acknowledged: Set<String> = []
    /// Those that waited; the head that they expected was looked at when they were put into the queue.
    var queued: Set<String> = []
    var sessions: [String: ModelSession] = [:]
    /// The first request with a text.
    var requests: [String: ModelRequest] = [:]
    /// Every request with a request ID, by session and ID.
    var keyed: [String: [ModelRequest]] = [:]
    /// Prompts that were answered with a result, for the next look at the store.
    var answered: [ModelRequest] = []
    var deletedMessages = 0
    /// What prompts said that are gone with their branches.
    var deletedTexts: Set<String> = []
    /// Whether a branch was to be deleted and nobody heard of it.
    var isDeleteUnsure = false
    /// Whether messages that were there may be gone.
    var isDeleting = false
    var isStopping = false
    var restarts = 0
    var problems: [String] = []
    /// What happened, session by session, for whoever must find out why.
    var trail: [String: [String]] = [:]
    var counts: [String: Int] = [:]

    mutating func note(_ session: String, _ what: String) {
        trail[session, default: []].append(what)
        if trail[session, default: []].count > 400 { trail[session]?.removeFirst(200) }
    }

    mutating func wrong(_ what: String) { if problems.count < 20 { problems.append(what) } }

    /// The messages up to one, the oldest first.
    func path(_ head: String?) -> [String] {
        var path: [String] = [], next = head
        while let id = next {
            path.append(id)
            next = nodes[id]?.parent
        }
        return path.reversed()
    }

    mutating func add(_ id: String, _ node: ModelNode) {
        if let old = nodes[id], old.parent != node.parent || old.text != node.text {
            wrong("message \(id) changed: \(old), \(node)")
        }
        nodes[id] = node
        guard node.isUser else { return }
        if let other = byText[node.text], other != id {
            wrong("'\(node.text)' is there twice: \(other), \(id)")
        }
        byText[node.text] = id
    }

    /// Forgets a message that went with its branch.
    mutating func drop(_ id: String) {
        guard let text = nodes.removeValue(forKey: id)?.text, byText[text] == id else { return }
        byText[text] = nil
        deletedTexts.insert(text)
    }

    /// The nearest message of the user, looking back from one.
    func prompt(for id: String?) -> String? {
        var next = id
        while let id = next, let node = nodes[id] {
            if node.isUser { return id }
            next = node.parent
        }
        return nil
    }

    // MARK: Updates

    /// Moves a session on by one update, or keeps it until the answer that explains it is there.
    mutating func take(_ name: String, _ update: JSONView) {
        guard let session = sessions[name] else { return }
        if session.isLost {
            let extras = update["_meta"]?["convod"]
            if let turn = extras?["turnId"]?.string, extras?["state"] != nil { acknowledged.insert(turn) }
            return
        }
        session.deferred.append(update)
        flush(session)
    }

    mutating func flush(_ session: ModelSession) {
        while let update = session.deferred.first, apply(update, session) { session.deferred.removeFirst() }
    }

    private mutating func apply(_ update: JSONView, _ session: ModelSession) -> Bool {
        let extras = update["_meta"]?["convod"]
        note(session.name, "told: " + String(decoding: update.raw, as: UTF8.self))
        switch update["sessionUpdate"]?.string {
        case "user_message_chunk":
            let words = update["content"]?["text"]?.string ?? ""
            session.echo = (update["messageId"]?.string ?? "", extras?["turnId"]?.string ?? "", words)
        case "agent_message_chunk": append(update, extras, session)
        case "session_info_update":
            if extras?["branch"] != nil, extras?["state"] == nil { return changePath(session) }
            switch extras?["state"]?.string {
            case "queued":
                acknowledged.insert(extras?["turnId"]?.string ?? "")
                queued.insert(extras?["turnId"]?.string ?? "")
            case "stored": begin(extras, session)
            case "ended": end(extras, session)
            default: break
            }
        default: break
        }
        session.version += 1
        return true
    }

    private mutating func begin(_ extras: JSONView?, _ session: ModelSession) {
        guard let turn = extras?["turnId"]?.string, let answer = extras?["messageId"]?.string else {
            return wrong("'stored' without its IDs")
        }
        acknowledged.insert(turn)
        if let other = session.running {
            wrong("\(session.name): turn \(turn) begins while \(other) runs")
        }
        let promptID = extras?["promptId"]?.string
        var parent = session.head, request = session.pathChange, whole: String?
        if let promptID {
            guard let echo = session.echo, echo.id == promptID, echo.turn == turn else {
                return wrong("\(session.name): the prompt of turn \(turn) was not shown")
            }
            request = requests[echo.text]
            if request?.kind == .edit { parent = prompt(for: request?.target).flatMap { nodes[$0]?.parent } }
            let before = prompt(for: parent).flatMap { nodes[$0]?.text }
            whole = SessionModel.echo(of: echo.text, path(parent).count + 1, before)
            if let wanted = request?.expectedHead, !queued.contains(turn), wanted != parent {
                wrong("turn \(turn) expected another head: \(request?.description ?? "")")
            }
            add(promptID, ModelNode(parent: parent, isUser: true, text: echo.text, status: "complete"))
            parent = promptID
        } else if request?.kind == .retry {
            parent = prompt(for: request?.target)
            let before = prompt(for: parent.flatMap { nodes[$0]?.parent }).flatMap { nodes[$0]?.text }
            if let parent, let words = nodes[parent]?.text {
                whole = SessionModel.echo(of: words, path(parent).count, before)
            }
        }
        guard let parent else { return wrong("\(session.name): turn \(turn) begins nowhere") }
        let before = session.head
        session.head = parent
        session.running = turn
        turns[turn] = ModelTurn(
            session: session.name, promptID: promptID, answerID: answer, parent: parent, before: before,
            whole: whole, cancels: request?.cancels ?? -1)
    }

    private mutating func append(_ update: JSONView, _ extras: JSONView?, _ session: ModelSession) {
        guard let turn = session.running, turn == extras?["turnId"]?.string,
            turns[turn]?.answerID == update["messageId"]?.string
        else { return wrong("\(session.name): a chunk of a turn that does not run") }
        if turns[turn]?.said.utf8.count != extras?["offset"]?.int {
            wrong(
                "\(session.name): the watcher lacks a chunk before \(String(describing: extras?["offset"]?.int))"
            )
        }
        turns[turn]?.said += update["content"]?["text"]?.string ?? ""
    }

    private mutating func end(_ extras: JSONView?, _ session: ModelSession) {
        if let id = extras?["turnId"]?.string, turns[id] == nil, queued.remove(id) != nil {
            counts["ended in the queue", default: 0] += 1
            if extras?["messageId"] != nil { wrong("turn \(id) waited and ends with a message") }
            return
        }
        guard let id = extras?["turnId"]?.string, id == session.running, var turn = turns[id] else {
            return wrong("\(session.name): a turn ends that does not run")
        }
        session.running = nil
        session.answered.remove(id)
        turn.isEnded = true
        turns[id] = turn
        let stop = extras?["stopReason"]?.string, kind = extras?["error"]?["kind"]?.string
        counts[stop ?? kind ?? "?", default: 0] += 1
        let status = stop == "cancelled" ? "cancelled" : stop == nil ? "interrupted" : "complete"
        if let message = extras?["messageId"]?.string {
            if message != turn.answerID { wrong("turn \(id) ends with another message") }
            add(message, ModelNode(parent: turn.parent, isUser: false, text: turn.said, status: status))
            session.head = message
        } else if !turn.said.isEmpty {
            wrong("turn \(id) ends without its message")
        } else if stop == "cancelled" {
            // Before any text: what it began is beside the path.
            session.head = turn.before
            session.version += 1
            counts["withdrawn", default: 0] += 1
        }
        if let whole = turn.whole {
            let isRight = stop == "end_turn" ? turn.said == whole : whole.hasPrefix(turn.said)
            if !isRight { wrong("\(session.name): turn \(id) said '\(turn.said)', not '\(whole)'") }
        }
        if stop == "cancelled", session.cancels == turn.cancels {
            wrong("\(session.name): turn \(id) was cancelled by nobody")
        }
        if stop == nil, !(isStopping && kind == "interrupted") {
            wrong("\(session.name): turn \(id) failed with '\(kind ?? "")'")
        }
        if let change = session.pathChange, change.kind != .set, change.kind != .switchBranch,
            change.turnID == id
                || change.answer == nil && (turn.promptID == nil || byText[change.text] == turn.promptID)
        {
            session.pathChange = nil
        }
    }

    /// Follows a switch or an edit; false until its answer is there.
    private mutating func changePath(_ session: ModelSession) -> Bool {
        guard let change = session.pathChange, change.kind == .set || change.kind == .switchBranch else {
            wrong("\(session.name): the path changed by nobody")
            return true
        }
        guard change.answer != nil else { return false }
        session.pathChange = nil
        session.version += 1
        guard let head = change.result?["headId"]?.string else {
            wrong("the path changed, and its request failed: \(change.description)")
            return true
        }
        if change.kind == .set, let target = change.target, let old = nodes[target] {
            add(
                head,
                ModelNode(parent: old.parent, isUser: old.isUser, text: change.text, status: "complete"))
        }
        session.head = head
        if nodes[head] == nil || path(head).count != change.result?["messageCount"]?.int {
            wrong("another path than known: \(change.description), \(path(head).count) messages")
        }
        return true
    }

    /// What the echo says to a prompt that is the `number`th message.
    static func echo(of words: String, _ number: Int, _ before: String?) -> String {
        if words.hasPrefix("count to "), let last = Int(words.split(separator: " ")[2]) {
            return (1...last).map(String.init).joined(separator: " ")
        }
        let more = before.map { "\nBefore that: “\($0)”" } ?? ""
        return "Message \(number) of this session; you said: \(words)\(more)"
    }
}
