internal import ContextWindow
internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Store

extension Handlers {
    func forkSession(_ call: Call, isOwn: Bool) throws(WireError) {
        let asked = try ForkSessionParameters(call.params, isOwn: isOwn)
        let source = try session(asked.id, call)
        var fork = Session(
            id: asked.newID ?? SessionID(services.newID() as ID<SessionID>), owner: call.connection.peer.uid,
            cwd: asked.cwd ?? source.session.cwd, createdAt: services.clock())
        fork.mcpServers = asked.mcpServers ?? source.session.mcpServers
        fork.title = asked.title ?? source.session.title
        fork.system = source.session.system
        fork.settings = source.session.settings
        fork.settings.quota = nil
        fork.tags = source.session.tags
        fork.metadata = source.session.metadata
        let isEphemeral = source.session.isEphemeral
        guard try elsewhere(fork.id, owner: fork.owner, isEphemeral: isEphemeral) == nil else {
            throw WireError(.conflict, "session '\(fork.id.text)' exists already; choose another ID")
        }
        let release = try claim(fork.id, owner: fork.owner, isEphemeral: isEphemeral)
        services.store(of: source.row).write(ForkSession(source.row, at: asked.messageID, as: fork)) {
            [self] result in
            release()
            switch result {
            case .success(.forked(let record)): opened(record, isNew: true, call)
            case .success(.existed):
                call.fail(
                    WireError(.conflict, "session '\(fork.id.text)' exists already; choose another ID"))
            case .success(.missing): call.fail(.noSession(asked.id))
            case .success(.notHere):
                let id = asked.messageID?.description ?? ""
                call.fail(WireError(.notFound, "session '\(asked.id.text)' has no message '\(id)'"))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    func listBranches(_ call: Call) throws(WireError) {
        let asked = try ListBranchesParameters(call.params, limits: services.configuration.limits)
        let record = try session(asked.id, call)
        let after = try PageCursor.number("b", asked.cursor) ?? 0
        let branches = try read(record) { (reader) throws(StoreError) in
            try reader.branches(of: record, after: after, limit: asked.limit + 1)
        }
        call.reply {
            $0.key("branches")
            $0.array { for branch in branches.prefix(asked.limit) { write(branch, of: record, to: &$0) } }
            if branches.count > asked.limit {
                $0.member("nextCursor", PageCursor.text("b", branches[asked.limit - 1].id))
            }
        }
    }

    private func write(_ branch: Branch, of record: SessionRecord, to writer: inout JSONWriter) {
        writer.object {
            $0.member("branch", Int(branch.id))
            $0.optional("parent", branch.parent.map { Int($0) })
            $0.member("forkSeq", branch.forkSeq)
            $0.member("headSeq", branch.head)
            $0.optional("headId", branch.headID?.description)
            $0.member("ownMessages", branch.ownCount)
            $0.member("tokens", branch.tokens)
            $0.member("createdAt", Timestamp.text(branch.createdAt))
            $0.member("active", branch.id == record.branch)
            guard let first = branch.first else { return }
            $0.member("first") {
                $0.member("messageId", first.id.description)
                $0.member("role", first.role.name)
                $0.member("status", first.status.name)
                $0.member("text", suggestedTitle(for: [.text(first.text)]) ?? "")
            }
        }
    }

    /// The path of a session may not change under a turn.
    private func checkIdle(_ record: SessionRecord) throws(WireError) {
        guard engine.lines[record.row]?.isBusy ?? false else { return }
        throw TurnEngine.pathIsTaken(record)
    }

    private func noBranch(_ branch: Int, _ id: SessionID) -> WireError {
        WireError(
            .notFound,
            "session '\(id.text)' has no branch \(branch); list its branches for those it has")
    }

    func switchBranch(_ call: Call) throws(WireError) {
        let asked = try BranchParameters(call.params)
        let record = try session(asked.id, call)
        try checkIdle(record)
        engine.beginPathChange(on: record.row)
        services.store(of: record.row).write(SwitchBranch(record.row, to: Int64(asked.branch))) {
            [self] result in
            defer { engine.endPathChange(on: record.row) }
            switch result {
            case .success(let changed?):
                publish(path: changed, call)
                reply(call, onPath: changed)
            case .success(nil): call.fail(noBranch(asked.branch, asked.id))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    /// Tells other clients that another path is active: they read the session again.
    private func publish(path record: SessionRecord, _ call: Call) {
        let update = JSONWriter.object {
            $0.member("sessionUpdate", "session_info_update")
            $0.member("updatedAt", Timestamp.text(record.session.updatedAt))
            $0.member("_meta") { $0.member("convod") { $0.member("branch", Int(record.branch)) } }
        }
        services.channels.publish(
            update: update, of: record.session.id, on: record.row, except: call.connection)
    }

    private func reply(_ call: Call, onPath record: SessionRecord) {
        // Not the branch's newest message: another client's prompt may stand behind it by now.
        let head: MessageID?
        do throws(StoreError) {
            head = try services.store(of: record.row).reader.headID(of: record)
        } catch { return call.fail(WireError(error)) }
        call.reply {
            $0.member("sessionId", record.session.id.text)
            $0.member("branch", Int(record.branch))
            $0.member("messageCount", record.session.messageCount)
            $0.optional("headId", head?.description)
        }
    }

    func deleteBranch(_ call: Call) throws(WireError) {
        let asked = try BranchParameters(call.params)
        let record = try session(asked.id, call)
        try checkIdle(record)
        services.store(of: record.row).write(DeleteBranch(record.row, Int64(asked.branch))) { [self] result in
            switch result {
            case .success(.deleted(let count)): call.reply { $0.member("deletedMessages", count) }
            case .success(.missing): call.fail(noBranch(asked.branch, asked.id))
            case .success(.active):
                call.fail(
                    WireError(
                        .conflict,
                        "branch \(asked.branch) is the active one; switch to another with '_convod/branch/switch' first"
                    ))
            case .success(.needed(let count)):
                call.fail(
                    WireError(
                        .conflict,
                        count == 1
                            ? "a branch or session begins in this branch; delete that one first"
                            : "\(count) branches or sessions begin in this branch; delete those first"))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    func compareBranches(_ call: Call) throws(WireError) {
        let asked = try CompareBranchesParameters(call.params)
        let record = try session(asked.id, call)
        let other = asked.with ?? Int(record.branch)
        let limits = services.configuration.limits
        let found = try read(record) { (reader) throws(StoreError) in
            (
                try reader.branch(Int64(asked.branch), of: record),
                try reader.branch(Int64(other), of: record)
            )
        }
        guard let first = found.0 else { throw noBranch(asked.branch, asked.id) }
        guard let second = found.1 else { throw noBranch(other, asked.id) }
        let common = try read(record) { (reader) throws(StoreError) in try reader.commonSeq(first, second) }
        let pages = try read(record) { (reader) throws(StoreError) in
            try [first, second].map { (branch) throws(StoreError) in
                let path = record.at(branch: branch.id, head: branch.head, tokens: branch.tokens)
                return try reader.messages(path, .from(common + 1), limit: 100, bytes: limits.pageBytes / 2)
            }
        }
        call.reply {
            $0.member("commonMessages", common)
            $0.key("sides")
            $0.array {
                for (branch, page) in zip([first, second], pages) {
                    $0.object {
                        $0.member("branch", Int(branch.id))
                        $0.key("messages")
                        $0.array { for message in page.messages { Wire.write(message, to: &$0) } }
                        $0.member("more", page.next != nil)
                    }
                }
            }
        }
    }

    func setMessage(_ call: Call) throws(WireError) {
        let asked = try SetMessageParameters(call.params)
        let record = try session(asked.id, call)
        try checkIdle(record)
        let old = try message(asked.messageID, on: record)
        guard let content = try? JSONDocument(asked.content).root else {
            throw .invalid("'content' cannot be read")
        }
        let parts = try checkedContent(content, path: "content", role: old.role)
        guard !parts.isEmpty else { throw .invalid("'content' must hold at least one part") }
        let edited = NewMessage(
            id: services.newID(), role: old.role, content: asked.content,
            tokens: TokenEstimate.message(parts), metadata: old.metadata, isPinned: old.isPinned)
        engine.beginPathChange(on: record.row)
        services.store(of: record.row).write(EditMessage(record.row, asked.messageID, edited)) {
            [self] result in
            defer { engine.endPathChange(on: record.row) }
            switch result {
            case .success(let changed?):
                publish(path: changed, call)
                reply(call, onPath: changed)
            case .success(nil): call.fail(offPath(asked.messageID))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    // MARK: Turns on other paths

    private func offPath(_ id: MessageID) -> WireError {
        WireError(
            .conflict,
            "message '\(id)' is not on the session's active path; switch to its branch with '_convod/branch/switch'"
        )
    }

    /// A message of the active path.
    private func message(_ id: MessageID, on record: SessionRecord) throws(WireError) -> Message {
        let found = try read(record) { (reader) throws(StoreError) -> Message? in
            guard let seq = try reader.seq(of: id, in: record) else { return nil }
            return try reader.messages(record, .from(seq), limit: 1, bytes: 1).messages.first
        }
        guard let found else { throw offPath(id) }
        return found
    }

    /// Messages between an answer and its prompt at most; looking further back would hold up everybody.
    private static let farthestPrompt = 1_000

    /// The prompt that a message is, or answers: the nearest message of the user, looking back from it.
    private func prompt(for id: MessageID?, on record: SessionRecord) throws(WireError) -> Message {
        var seq = record.session.messageCount
        if let id { seq = try message(id, on: record).seq }
        let found = try read(record) { (reader) throws(StoreError) in
            try reader.prompt(at: seq, in: record, farthest: Handlers.farthestPrompt)
        }
        guard let found else {
            throw WireError(.conflict, "there is no prompt to answer anew; send one")
        }
        return found
    }

    /// Answers a prompt anew, or another one in its place; the old answer stays on its branch.
    func retryTurn(_ call: Call) throws(WireError) {
        let asked = try RetryTurnParameters(call.params)
        let record = try session(asked.id, call)
        if asked.prompt != nil, let id = asked.messageID {
            let named = try message(id, on: record)
            guard named.role == .user else {
                throw WireError(
                    .conflict,
                    "message '\(id)' (number \(named.seq)) is not a prompt: other words can only take the place of what the user said; name that message"
                )
            }
        }
        let unanswered = try read(record) { (reader) throws(StoreError) in
            asked.messageID == nil ? try reader.unansweredPrompt(record) : nil
        }
        if let unanswered {
            // Nothing of it is on the path, so nothing is left for a branch.
            return submit(
                call, record, content: asked.prompt ?? unanswered,
                parts: asked.parts ?? Part.decode(unanswered), asked.turn)
        }
        let old = try prompt(for: asked.messageID, on: record)
        var content = asked.prompt, parts = asked.parts
        // A refused or failed prompt stays out of every window: it goes as a new one.
        if content == nil && !old.status.isSent { (content, parts) = (old.content, old.parts) }
        let base = content == nil ? old.seq : old.seq - 1
        let tokens = try read(record) { (reader) throws(StoreError) in
            try reader.tokens(of: record, upTo: base)
        }
        let before = record.at(branch: record.branch, head: base, tokens: tokens)
        submit(call, before, content: content, parts: parts, asked.turn, base: base, about: asked.messageID)
    }

    /// Goes on with an answer that was cut.
    func continueTurn(_ call: Call) throws(WireError) {
        let asked = try StartTurnParameters(call.params)
        let record = try session(asked.id, call)
        let last = try read(record) { (reader) throws(StoreError) in
            try reader.messages(record, .backFrom(record.session.messageCount), limit: 1, bytes: 1).messages
                .first
        }
        // A refused or failed answer stays out of every window, so there is nothing to go on from.
        var isCut =
            last?.role == .assistant && (last?.status == .cancelled || last?.status == .interrupted)
        if let turn = last?.turnID, last?.role == .assistant, !isCut {
            let stored = try read(record) { (reader) throws(StoreError) in try reader.turn(turn) }
            isCut = stored?.turn.stopReason == .maxTokens
        }
        guard isCut else {
            throw WireError(.conflict, "the last message is no cut answer; there is nothing to continue")
        }
        submit(call, record, content: nil, parts: nil, asked.turn)
    }

    /// Gives a prompt that waits in the queue other words.
    func setTurn(_ call: Call) throws(WireError) {
        let asked = try SetTurnParameters(call.params)
        let (stored, record) = try turn(asked.id, call)
        guard stored.turn.promptID != nil else {
            throw WireError(.conflict, "turn '\(asked.id)' has no prompt of its own to edit")
        }
        engine.edit(asked.id, on: record.row, asked.prompt, asked.parts) { result in
            switch result {
            case .success: call.reply { $0.member("turnId", asked.id.description) }
            case .failure(let error): call.fail(error)
            }
        }
    }
}
