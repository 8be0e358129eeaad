internal import JSON
internal import Posix
internal import TestSupport

/// What a step does, drawn before anything is known of how the run stands.
struct ModelStep {
    let dice: Int
    let a: Int, b: Int, c: Int, d: Int

    init(_ random: inout SeededRandom) {
        dice = random.int(0...999)
        (a, b) = (random.int(0...1 << 20), random.int(0...1 << 20))
        (c, d) = (random.int(0...1 << 20), random.int(0...1 << 20))
    }
}

extension ModelRun {
    /// Most requests under way at once, on all sessions and on one.
    private static let most = 24, mostOnOne = 6

    /// Keeps enough sessions in use, and none of them too long.
    func tend(_ number: Int) throws {
        for session in live where !session.isDeleted && model.path(session.head).count > 150 {
            delete(session, clients[number % clients.count])
        }
        func isGone(_ session: ModelSession) -> Bool {
            session.isDeleted && session.pending == 0 && session.running == nil
        }
        gone += live.filter(isGone)
        live.removeAll(where: isGone)
        let coming = clients.flatMap(\.pending.values).count { $0.kind == .newSession || $0.kind == .fork }
        guard live.count(where: { !$0.isDeleted }) + coming < 8 else { return }
        let name = "s\(number)"
        let client = clients[number % clients.count]
        client.joined[name] = .init(mayStartInside: false)
        send(
            ModelRequest(
                .newSession, "session/new",
                #"{"cwd":"/tmp","mcpServers":[],"_meta":{"convod":{"sessionId":"\#(name)"}}}"#), by: client)
        try pump(until: { live.contains { !$0.isDeleted } }, "the first session")
    }

    func step(_ number: Int, _ step: ModelStep) throws {
        try tend(number)
        try pump()
        if clients.reduce(0, { $0 + $1.pending.count }) >= ModelRun.most {
            try pump(
                until: { clients.reduce(0) { $0 + $1.pending.count } < ModelRun.most }, "some answer")
        }
        let isRoom = { (session: ModelSession) in !session.isDeleted && session.pending < ModelRun.mostOnOne }
        try pump(until: { live.contains(where: isRoom) }, "room on some session")
        let usable = live.filter(isRoom)
        guard !usable.isEmpty else { return }
        let session = usable[step.a % usable.count], index = step.b % clients.count
        switch step.dice {
        case 0..<3: try restart(Signals.kill)
        case 3..<5: try restart(Signals.terminate)
        case 5..<8: try sync()
        case 8..<90: cancel(session, clients[index], step)
        case 90..<200: try reconnectAndResume(index, step)
        case 200..<230: try load(session, index)
        case 230..<236: delete(session, clients[index])
        default:
            if step.dice < 480 {
                choosePath(session, clients[index], step, number)
            } else {
                prompt(session, clients[index], step, number)
            }
        }
    }

    // MARK: Prompts

    private func words(_ step: ModelStep, _ number: Int) -> String {
        switch step.c % 16 {
        case 0: "count to 25 #\(number)"
        case 1...6: "count to \(2 + step.d % 5) #\(number)"
        default: "é 你好 🌍 #\(number) \(String(repeating: "汉 ", count: step.d % 4))."
        }
    }

    private func join(_ session: ModelSession, _ client: ModelClient) {
        if client.joined[session.name] == nil { client.joined[session.name] = .init(mayStartInside: true) }
    }

    private func prompt(_ session: ModelSession, _ client: ModelClient, _ step: ModelStep, _ number: Int) {
        join(session, client)
        var words = words(step, number), key = step.d.isMultiple(of: 2) ? "r\(number)" : nil
        var extras: [String] = [], head: String?, policy = step.a / 64 % 8
        let known = session.keys
        if step.b / 64 % 5 == 0,
            let old = known.isEmpty ? nil : known[known.count - 1 - step.c % min(12, known.count)]
        {
            key = old.requestID
            if step.d % 3 > 0 { words = old.text }
        } else if step.b / 64 % 5 == 1, let now = session.head {
            head = step.d % 3 > 0 ? now : model.path(now)[step.c % model.path(now).count]
        } else if let key {
            let note = ModelRequest(.prompt, "", "", session.name)
            (note.requestID, note.text) = (key, words)
            session.keys.append(note)
        }
        if let key { extras.append(#""requestId":"\#(key)""#) }
        if let head { extras.append(#""expectedHead":"\#(head)""#) }
        if step.b / 512 % 8 == 0 { extras.append(#""onDisconnect":"cancel""#) }
        if policy > 2 { policy = 0 }
        if policy > 0 { extras.append(#""ifBusy":"\#(policy == 1 ? "reject" : "interrupt")""#) }
        let request = ModelRequest(
            .prompt, "session/prompt",
            #"{"sessionId":"\#(session.name)","prompt":[{"type":"text","text":"\#(words)"}],"_meta":{"convod":{\#(extras.joined(separator: ","))}}}"#,
            session.name)
        (request.text, request.requestID, request.expectedHead) = (words, key, head)
        request.rejectsBusy = policy == 1
        request.endsCancel = policy == 2
        send(request, by: client)
        session.cancels += request.endsCancel ? 1 : 0
    }

    private func cancel(_ session: ModelSession, _ client: ModelClient, _ step: ModelStep) {
        model.note(session.name, "cancel \(step.c % 3)")
        switch step.c % 3 {
        case 0:
            session.cancels += 1
            client.notify("session/cancel", #"{"sessionId":"\#(session.name)"}"#)
            confirmCancel(session.name, client)
        case 1:
            let pending = client.pending.values.filter {
                ![.newSession, .fork, .deleteSession].contains($0.kind)
            }
            .sorted { $0.id < $1.id }
            guard !pending.isEmpty else { return }
            let chosen = pending[step.d % pending.count]
            model.sessions[chosen.session]?.cancels += 1
            client.notify("$/cancel_request", #"{"requestId":\#(chosen.id)}"#)
            confirmCancel(chosen.session, client)
        default:
            guard let turn = session.running else { return }
            session.cancels += 1
            let request = ModelRequest(
                .cancelTurn, "_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#, session.name)
            request.endsCancel = true
            send(request, by: client)
        }
    }

    /// A notification has no answer; that of a request behind it says that it was read.
    private func confirmCancel(_ session: String, _ client: ModelClient) {
        let request = ModelRequest(.look, "_convod/server/info", "{}", session)
        request.endsCancel = true
        send(request, by: client)
    }

    // MARK: Connections

    private func reconnectAndResume(_ index: Int, _ step: ModelStep) throws {
        let held = clients[index].seen.sorted { $0.key > $1.key }
        guard try reconnect(index), let (id, seen) = held.isEmpty ? nil : held[step.c % min(6, held.count)],
            let session = model.sessions[seen.session], !session.isDeleted
        else { return }
        resume(session, id, seen.start + step.d % (seen.bytes.count + 1), clients[index])
    }

    private func load(_ session: ModelSession, _ index: Int) throws {
        guard try reconnect(index) else { return }
        clients[index].joined[session.name] = .init(mayStartInside: false)
        send(
            ModelRequest(
                .load, "session/load", #"{"sessionId":"\#(session.name)","cwd":"/","mcpServers":[]}"#,
                session.name), by: clients[index])
    }

    private func delete(_ session: ModelSession, _ client: ModelClient) {
        send(
            ModelRequest(
                .deleteSession, "session/delete", #"{"sessionId":"\#(session.name)"}"#, session.name),
            by: client)
    }

    // MARK: Paths

    private func choosePath(
        _ session: ModelSession, _ client: ModelClient, _ step: ModelStep, _ number: Int
    ) {
        let path = model.path(session.head), isFree = session.pathChange == nil
        guard var target = path.isEmpty ? nil : path[path.count - 1 - step.c % min(8, path.count)] else {
            return
        }
        // Other words take the place of a prompt alone.
        let isEdit = isFree && (4...5).contains(step.d % 16)
        if isEdit, let prompt = model.prompt(for: target) { target = prompt }
        let name = session.name
        let about = #""sessionId":"\#(name)","messageId":"\#(target)""#
        let said = "edited #\(number) 🌍"
        let content = #"[{"type":"text","text":"\#(said)"}]"#
        let branch = session.branches.isEmpty ? 0 : session.branches[step.c % session.branches.count]
        let request: ModelRequest
        switch step.d % 16 {
        case 0...3 where isFree:
            request = ModelRequest(.retry, "_convod/turn/retry", "{\(about)}", name)
        case 4...5 where isEdit && model.nodes[target]?.isUser ?? false:
            request = ModelRequest(.edit, "_convod/turn/retry", "{\(about),\"prompt\":\(content)}", name)
            request.text = said
        case 6...7 where isFree:
            request = ModelRequest(.goOn, "_convod/turn/continue", #"{"sessionId":"\#(name)"}"#, name)
        case 8...9 where isFree:
            request = ModelRequest(.set, "_convod/message/set", "{\(about),\"content\":\(content)}", name)
            request.text = said
        case 10...11 where isFree && branch > 0:
            request = ModelRequest(
                .switchBranch, "_convod/branch/switch", #"{"sessionId":"\#(name)","branch":\#(branch)}"#, name
            )
        case 12 where branch > 0:
            request = ModelRequest(
                .deleteBranch, "_convod/branch/delete", #"{"sessionId":"\#(name)","branch":\#(branch)}"#, name
            )
        case 13 where step.a.isMultiple(of: 4):
            request = ModelRequest(.fork, "_convod/session/fork", "{\(about)}", name)
        default:
            request = ModelRequest(.branches, "_convod/branch/list", #"{"sessionId":"\#(name)"}"#, name)
        }
        request.target = target
        if request.kind == .retry || request.kind == .edit || request.kind == .goOn { join(session, client) }
        send(request, by: client)
    }
}
