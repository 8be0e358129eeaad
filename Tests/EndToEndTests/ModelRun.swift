internal import JSON
internal import Posix
internal import TestSupport

/// A daemon, its clients, one that watches everything, and the model that they are held against.
final class ModelRun {
    let daemon: RealDaemon
    var random: SeededRandom
    var model = SessionModel()
    var clients: [ModelClient] = []
    /// The sessions in use.
    var live: [ModelSession] = []
    /// Deleted ones that were in use since the last look at the store.
    var gone: [ModelSession] = []
    private(set) var watcher: ModelClient
    private var tree = StoredTree()
    /// Connections that were closed since the last look at the store.
    private var closed: [ModelClient] = []
    private var lateResumes: [ModelRequest] = []
    private(set) var syncs = 0

    init(_ random: SeededRandom, clients count: Int) throws {
        daemon = try RealDaemon()
        self.random = random
        watcher = try ModelClient(daemon.socket)
        for _ in 0..<count { clients.append(try ModelClient(daemon.socket)) }
    }

    // MARK: Lines

    func send(_ request: ModelRequest, by client: ModelClient) {
        model.sending(request)
        client.send(request)
    }

    /// Takes what has come, or waits for something for so many milliseconds.
    func pump(_ milliseconds: Int32 = 0) throws {
        let open = clients.filter(\.isOpen)
        let fds = (open + [watcher]).filter(\.isOpen).map(\.fd)
        let ready = Set(try System.wait(readable: fds, milliseconds: milliseconds))
        for client in open where ready.contains(client.fd) {
            try client.read {
                answered($0, client)
            } updated: { _, _ in
            }
            for problem in client.takeProblems() { model.wrong(problem) }
        }
        // Behind the others, so that the model knows what led to their answers.
        guard watcher.isOpen, try !System.wait(readable: [watcher.fd], milliseconds: 0).isEmpty else {
            return
        }
        try watcher.read {
            watched($0)
        } updated: {
            model.take($0, $1)
        }
    }

    func pump(until holds: () -> Bool, _ what: String) throws {
        let deadline = Machine.monotonic() + 20_000_000_000
        while !holds() {
            guard Machine.monotonic() < deadline else { throw Late(description: what) }
            try pump(20)
        }
    }

    private func answered(_ request: ModelRequest, _ client: ModelClient) {
        model.answered(request)
        if request.kind == .resume, request.error == "conflict",
            model.sessions[request.session]?.isLost ?? false
        {
            lateResumes.append(request)
        }
        guard request.kind == .newSession || request.kind == .fork,
            let name = request.result?["sessionId"]?.string
        else { return }
        client.joined[name] = .init(mayStartInside: false)
        watch(name, head: request.target)
    }

    /// Watches a session from now on; it is used once that is so.
    private func watch(_ name: String, head: String? = nil) {
        let request = ModelRequest(.look, "session/resume", #"{"sessionId":"\#(name)","cwd":"/"}"#)
        request.target = head
        request.text = name
        watcher.joined[name] = .init(mayStartInside: true)
        watcher.send(request)
    }

    private func watched(_ request: ModelRequest) {
        guard request.method == "session/resume", model.sessions[request.text] == nil else { return }
        let head = request.extras?["headId"]?.string
        if request.result == nil || head != request.target {
            model.wrong("a new session is not as asked for: \(request.description)")
        }
        let session = ModelSession(request.text, head: head)
        model.sessions[request.text] = session
        live.append(session)
    }

    /// Asks as the watcher and waits for the answer.
    func ask(_ method: String, _ params: String = "{}") throws -> ModelRequest {
        let request = ModelRequest(.look, method, params)
        watcher.send(request)
        try pump(until: { request.answer != nil || !watcher.isOpen }, "an answer to \(method)")
        return request
    }

    // MARK: Connections

    /// Gives a client another connection; false when its answers are needed.
    func reconnect(_ index: Int) throws -> Bool {
        let old = clients[index]
        let isNeeded = old.pending.values.contains {
            $0.kind == .set || $0.kind == .switchBranch || $0.kind == .newSession || $0.kind == .fork
        }
        if isNeeded { return false }
        leave(old)
        clients[index] = try ModelClient(daemon.socket)
        return true
    }

    private func leave(_ client: ModelClient) {
        client.close()
        closed.append(client)
        for request in client.pending.values {
            if request.kind == .deleteBranch { (model.isDeleting, model.isDeleteUnsure) = (true, true) }
            guard let session = model.sessions[request.session] else { continue }
            session.pending -= 1
            session.isUnsure = true
            model.note(session.name, "left: \(request.method) \(request.params)")
            // Whoever waits for a turn ends it by leaving as the last one, where its first request said so.
            let same = request.requestID.flatMap { model.keyed["\(request.session) \($0)"] } ?? [request]
            if same.contains(where: { $0.params.contains(#""onDisconnect":"cancel""#) }) {
                session.cancels += 1
            }
        }
    }

    // MARK: The end of the daemon

    /// Ends the daemon, starts it again, and looks whether everything is as it was.
    func restart(_ signal: Int32) throws {
        model.isStopping = true
        try daemon.signal(signal)
        try pump(
            until: { !watcher.isOpen && clients.allSatisfy { !$0.isOpen } }, "the end of all connections")
        _ = try daemon.ended()
        for session in live {
            let running = session.running.flatMap { model.turns[$0] }
            // Cancelled before it said anything, it left the path, and nobody was told.
            let isWithdrawn = running.map { $0.said.isEmpty && $0.cancels != session.cancels } ?? false
            session.mayHaveMoved =
                session.pathChange != nil || !session.deferred.isEmpty || isWithdrawn
            (session.isUnsure, session.isLost) = (true, true)
            session.pathChange = nil
            session.deferred = []
            session.running = nil
        }
        try daemon.start()
        model.isStopping = false
        model.restarts += 1
        watcher = try ModelClient(daemon.socket)
        for session in live where !session.isDeleted { watch(session.name) }
        for index in clients.indices { try comeBack(index) }
        try sync(isCut: true)
    }

    /// Goes on where the connection broke: the rest of an answer, and the prompts that were not answered.
    private func comeBack(_ index: Int) throws {
        let old = clients[index]
        leave(old)
        let new = try ModelClient(daemon.socket)
        clients[index] = new
        let cut = old.seen.filter { !old.ended.contains($0.key) && new.joined[$0.value.session] == nil }
        for (id, seen) in cut.sorted(by: { $0.key < $1.key }) {
            guard let session = model.sessions[seen.session], !session.isDeleted,
                new.joined[session.name] == nil
            else { continue }
            resume(session, id, random.int(seen.start...(seen.start + seen.bytes.count)), new)
        }
        for lost in old.pending.values.sorted(by: { $0.id < $1.id }) {
            guard let key = lost.requestID, lost.kind == .prompt, lost.expectedHead == nil,
                let session = model.sessions[lost.session], !session.isDeleted
            else { continue }
            let again = ModelRequest(.prompt, lost.method, lost.params, lost.session)
            (again.requestID, again.text, again.rejectsBusy) = (key, lost.text, lost.rejectsBusy)
            if new.joined[session.name] == nil { new.joined[session.name] = .init(mayStartInside: true) }
            again.endsCancel = lost.endsCancel
            send(again, by: new)
            session.cancels += again.endsCancel ? 1 : 0
        }
    }

    func resume(_ session: ModelSession, _ id: String, _ offset: Int, _ client: ModelClient) {
        let request = ModelRequest(
            .resume, "session/resume",
            #"{"sessionId":"\#(session.name)","cwd":"/","_meta":{"convod":{"after":{"messageId":"\#(id)","offset":\#(offset)}}}}"#,
            session.name)
        (request.target, request.offset) = (id, offset)
        client.joined[session.name] = .init(mayStartInside: false)
        send(request, by: client)
    }

    /// Prints what led to the first problem, on the session that it names, itself or by a turn.
    func printTrail() {
        guard let first = model.problems.first else { return }
        let names = model.trail.keys.filter { !$0.isEmpty && first.contains($0) }
        let turn = first.split(separator: " ").first { $0.count == 36 }.map(String.init) ?? "none"
        let byTurn = model.trail.filter { $0.value.contains { $0.contains(turn) } }.keys
        guard let name = names.max(by: { $0.count < $1.count }) ?? byTurn.first else { return }
        for line in model.trail[name]?.suffix(60) ?? [] { print(name, line) }
    }

    // MARK: Looks at the store

    /// Waits until nothing is under way, then holds clients and store against the model.
    func sync(isCut: Bool = false) throws {
        syncs += 1
        try pump(
            until: { clients.allSatisfy(\.pending.isEmpty) && watcher.pending.isEmpty },
            "answers to \((clients + [watcher]).flatMap { $0.pending.values.map(\.description) })")
        // Requests of a client that left are done, or gone with it, once the daemon has seen that it left.
        let open = clients.filter(\.isOpen).count + 1
        try pump(
            until: { (try? ask("_convod/server/info"))?.result?["connections"]?.int ?? open == open },
            "the end of the connections of those who left")
        // Also of one that is called deleted: the request may have been lost with its client.
        for session in live + gone {
            let params = #"{"sessionId":"\#(session.name)","open":true}"#
            try pump(
                until: {
                    (try? ask("_convod/turn/list", params))?.result?["turns"]?.count ?? 0 == 0
                }, "the end of the turns of \(session.name)")
        }
        gone = []
        _ = try ask("_convod/server/info")
        for problem in watcher.takeProblems() { model.wrong("the watcher: \(problem)") }
        if isCut { try tree.check(daemon, &model, isCut: true) }
        for session in live where !session.isDeleted { try checkPath(session, isCut: isCut) }
        for client in clients + closed { client.check(&model) }
        closed = []
        checkAnswered()
        if !isCut { try tree.check(daemon, &model, isCut: false) }
        model.isDeleting = false
        for session in live {
            (session.isUnsure, session.mayHaveMoved, session.pathChange) = (false, false, nil)
            (session.answered, session.isLost, session.cancelsDone) = ([], false, session.cancels)
        }
    }

    private func checkPath(_ session: ModelSession, isCut: Bool) throws {
        let list = try ask("_convod/message/list", #"{"sessionId":"\#(session.name)","limit":1000}"#)
        let messages = list.result?["messages"].map { Array($0.elements) } ?? []
        let ids = messages.compactMap { $0["id"]?.string }
        if messages.compactMap({ $0["seq"]?.int }) != Array(1..<(messages.count + 1)) {
            model.wrong("\(session.name) has gaps")
        }
        if let running = session.running, !isCut { model.wrong("turn \(running) never ended") }
        if let first = session.deferred.first { model.wrong("\(session.name): unexplained: \(first.raw)") }
        if isCut {
            if let head = session.head, !ids.contains(head), !session.mayHaveMoved {
                model.wrong("\(session.name): the path lost its head \(head)")
            }
            session.head = ids.last
            session.running = nil
        }
        if model.path(session.head) != ids {
            model.wrong("\(session.name): the path is \(ids), not \(model.path(session.head))")
        }
        for late in lateResumes where late.session == session.name && isCut {
            // What it was sent behind the message may have left the path.
            let isElsewhere = late.description.contains("went on on another branch")
            if ids.contains(late.target ?? ""), !session.mayHaveMoved, !isElsewhere {
                model.wrong("refused, and the message is on the path: \(late.description)")
            }
        }
        lateResumes.removeAll { $0.session == session.name }
    }

    /// What was answered is there, and is what was asked for.
    private func checkAnswered() {
        let isDeleting = model.isDeleting
        for request in model.answered where !isDeleting && !model.deletedTexts.contains(request.text) {
            if !request.text.isEmpty, model.byText[request.text] == nil,
                request.result?["stopReason"]?.string != "cancelled"
            {
                model.wrong("answered and not there: \(request.description)")
            }
            guard let id = request.extras?["messageId"]?.string else { continue }
            let parent = model.nodes[id]?.parent
            let wanted =
                request.kind == .retry ? model.prompt(for: request.target) : model.byText[request.text]
            if model.nodes[id] == nil || request.kind != .goOn && parent != wanted {
                model.wrong("the answer stands elsewhere: \(request.description)")
            }
        }
        model.answered = []
    }
}

extension ModelClient {
    /// Holds what came on this connection against the messages, which have all ended.
    func check(_ model: inout SessionModel) {
        let isDeleting = model.isDeleting
        for (id, seen) in seen {
            guard let node = model.nodes[id] else {
                if !isDeleting { model.wrong("message \(id) was sent and is not there") }
                continue
            }
            let whole = Array(node.text.utf8), end = seen.start + seen.bytes.count
            guard end <= whole.count, Array(whole[seen.start..<end]) == seen.bytes else {
                model.wrong("\(id): sent at \(seen.start): \(seen.bytes), stored \(node)")
                continue
            }
            if let wanted = resumed[id], wanted < whole.count {
                let isInside = { (at: Int) in whole[at] & 0xC0 == 0x80 }
                var right = wanted
                while right > 0, isInside(right) { right -= 1 }
                if right != seen.start { model.wrong("\(id): resumed at \(wanted), not from \(right)") }
            }
            if ended.contains(id), end != whole.count {
                model.wrong("\(id): ended after \(end) of \(whole.count) bytes")
            }
        }
        // The running answer stands behind the newest message that the store had.
        for span in spans where !isDeleting && model.nodes[span.request.target ?? ""]?.parent != span.head {
            var next: String? = span.head
            while let id = next, let node = model.nodes[id] {
                let isCursor = id == span.request.target
                let held = seen[id].map { $0.start + $0.bytes.count } ?? (isCursor ? span.request.offset : 0)
                if held < node.text.utf8.count || !isCursor && seen[id]?.start != 0 {
                    model.wrong("a replay lacks \(id), \(held) of \(node): \(span.request.description)")
                }
                if isCursor { break }
                next = node.parent
            }
        }
        forgetChecked()
    }
}
