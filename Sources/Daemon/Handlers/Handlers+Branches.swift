internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    func forkSession(_ call: Call, isOwn: Bool) throws(WireError) {
        let asked = try ForkSessionParameters(call.params, isOwn: isOwn)
        withSession(call, asked.id) { [self] (source) throws(WireError) in
            let fork = fork(of: source, as: asked, call)
            let isEphemeral = source.session.isEphemeral
            claim(call, fork.id, owner: fork.owner, isEphemeral: isEphemeral) {
                [self] (found, release) throws(WireError) in
                if let found {
                    release()
                    throw found.session.trashedAt == nil ? exists(fork.id) : inTrash(fork.id)
                }
                let write = ForkSession(source.row, at: asked.messageID, as: fork)
                services.archives.write(write, of: source.row) { [self] result in
                    release()
                    switch result {
                    case .success(.forked(let record)): opened(record, isNew: true, call)
                    case .success(.existed): call.fail(exists(fork.id))
                    case .success(.missing): call.fail(.noSession(asked.id))
                    case .success(.notHere):
                        let id = asked.messageID?.description ?? ""
                        call.fail(WireError(.notFound, "session '\(asked.id.text)' has no message '\(id)'"))
                    case .failure(let error): call.fail(WireError(error))
                    }
                }
            }
        }
    }

    private func exists(_ id: SessionID) -> WireError {
        WireError(.conflict, "session '\(id.text)' exists already; choose another ID")
    }

    private func fork(of source: SessionRecord, as asked: ForkSessionParameters, _ call: Call) -> Session {
        var fork = Session(
            id: asked.newID ?? SessionID(services.newID() as ID<SessionID>), owner: call.connection.user,
            cwd: asked.cwd ?? source.session.cwd, createdAt: services.clock())
        fork.mcpServers = asked.mcpServers ?? source.session.mcpServers
        fork.title = asked.title ?? source.session.title
        fork.system = source.session.system
        fork.settings = source.session.settings
        fork.settings.quota = nil
        fork.tags = source.session.tags
        fork.metadata = source.session.metadata
        return fork
    }

    func listBranches(_ call: Call) throws(WireError) {
        let asked = try ListBranchesParameters(call.params, limits: services.configuration.limits)
        let after = BranchRow(try PageCursor.number("b", asked.cursor) ?? 0)
        withSession(call, asked.id) { [self] record in
            let limit = asked.limit
            lookForList(call, of: record.row, limit: limit) { rows, _ in
                BranchList(record.row, after: after, limit: rows == limit ? rows + 1 : rows)
            } isWhole: { found in
                limit <= Handlers.short.rows || found.count < Handlers.short.rows
            } map: { branches in
                JSONWriter.object {
                    $0.key("branches")
                    $0.array {
                        for branch in branches.prefix(limit) {
                            Handlers.write(branch, of: record, to: &$0)
                        }
                    }
                    if branches.count > limit {
                        $0.member("nextCursor", PageCursor.text("b", branches[limit - 1].id.number))
                    }
                }
            } _: { page in
                call.reply(.success(page))
            }
        }
    }

    private static func write(_ branch: Branch, of record: SessionRecord, to writer: inout JSONWriter) {
        writer.object {
            $0.member("branch", Int(branch.id.number))
            $0.optional("parent", branch.parent.map { Int($0.number) })
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
        guard engine.line(on: record.row)?.isTaken ?? false else { return }
        throw SessionLine.pathIsTaken(record.session.id)
    }

    private func noBranch(_ branch: Int, _ id: SessionID) -> WireError {
        WireError(
            .notFound,
            "session '\(id.text)' has no branch \(branch); list its branches for those it has")
    }

    func switchBranch(_ call: Call) throws(WireError) {
        let asked = try BranchParameters(call.params)
        withSession(call, asked.id) { [self] (record) throws(WireError) in
            try checkIdle(record)
            let change = SwitchBranch(record.row, to: BranchRow(Int64(asked.branch)))
            changePath(of: record, by: change, call) { [self] in noBranch(asked.branch, asked.id) }
        }
    }

    /// Changes a session's path; no turn begins meanwhile.
    ///
    /// `missing` is told when there is nothing to change it to.
    private func changePath<Write: LocalWrite>(
        of record: SessionRecord, by change: Write, _ call: Call, missing: @escaping () -> WireError
    ) where Write.Output == PathChange? {
        engine.beginPathChange(on: record)
        services.archives.write(change, of: record.row) { [self] result in
            defer { engine.endPathChange(on: record.row) }
            switch result {
            case .success(let changed?):
                publish(path: changed.record, call)
                reply(call, onPath: changed)
            case .success(nil): call.fail(missing())
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    /// Tells other clients that another path is active: they read the session again.
    private func publish(path record: SessionRecord, _ call: Call) {
        let update = JSONWriter.object {
            $0.member("sessionUpdate", "session_info_update")
            $0.member("updatedAt", Timestamp.text(record.session.updatedAt))
            $0.member("_meta") { $0.member("convod") { $0.member("branch", Int(record.branch.number)) } }
        }
        services.channels.publish(
            update: update, of: record.session.id, on: record.row, except: call.connection)
    }

    private func reply(_ call: Call, onPath changed: PathChange) {
        let record = changed.record
        call.reply {
            $0.member("sessionId", record.session.id.text)
            $0.member("branch", Int(record.branch.number))
            $0.member("messageCount", record.session.messageCount)
            $0.optional("headId", changed.headID?.description)
        }
    }

    func deleteBranch(_ call: Call) throws(WireError) {
        let asked = try BranchParameters(call.params)
        withSession(call, asked.id) { [self] (record) throws(WireError) in
            try checkIdle(record)
            let delete = DeleteBranch(record.row, BranchRow(Int64(asked.branch)))
            services.archives.write(delete, of: record.row) { [self] result in
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
    }

    func compareBranches(_ call: Call) throws(WireError) {
        let asked = try CompareBranchesParameters(call.params)
        withSession(call, asked.id) { [self] record in
            let first = BranchRow(Int64(asked.branch))
            let second = asked.with.map { BranchRow(Int64($0)) } ?? record.branch
            let pair = BranchPair(
                record, first, second, limit: 100, bytes: services.configuration.limits.pageBytes / 2)
            look(call, pair, of: record.row) { [self] (found) throws(WireError) in
                guard case .pair(let common, let pages) = found else {
                    guard case .missing(let branch) = found else { return }
                    throw noBranch(Int(branch.number), asked.id)
                }
                call.reply {
                    $0.member("commonMessages", common)
                    $0.key("sides")
                    $0.array {
                        for (branch, page) in zip([first, second], pages) {
                            $0.object {
                                $0.member("branch", Int(branch.number))
                                $0.key("messages")
                                $0.array { for message in page.messages { Wire.write(message, to: &$0) } }
                                $0.member("more", page.next != nil)
                            }
                        }
                    }
                }
            }
        }
    }

    func setMessage(_ call: Call) throws(WireError) {
        let asked = try SetMessageParameters(call.params)
        withSession(call, asked.id) { [self] (record) throws(WireError) in
            try checkIdle(record)
            withMessage(call, asked.messageID, on: record) { [self] (old) throws(WireError) in
                let edited = try edited(old, asked)
                // Another client's prompt may have come meanwhile.
                try checkIdle(record)
                changePath(of: record, by: EditMessage(record.row, asked.messageID, edited), call) {
                    [self] in offPath(asked.messageID)
                }
            }
        }
    }

    private func edited(_ old: Message, _ asked: SetMessageParameters) throws(WireError) -> NewMessage {
        guard let content = try? JSONDocument(asked.content).root else {
            throw .invalid("'content' cannot be read")
        }
        let parts = try checkedContent(content, path: "content", role: old.role)
        guard !parts.isEmpty else { throw .invalid("'content' must hold at least one part") }
        return NewMessage(
            id: services.newID(), role: old.role, content: asked.content,
            tokens: TokenEstimate.message(parts), metadata: old.metadata, isPinned: old.isPinned)
    }

    // MARK: Turns on other paths

    private func offPath(_ id: MessageID) -> WireError {
        WireError(
            .conflict,
            "message '\(id)' is not on the session's active path; switch to its branch with '_convod/branch/switch'"
        )
    }

    /// Finds a message of the active path.
    private func withMessage(
        _ call: Call, _ id: MessageID, on record: SessionRecord,
        _ body: @escaping (Message) throws(WireError) -> Void
    ) {
        look(call, PlacesOnPath([id], in: record), of: record.row) { [self] (places) throws(WireError) in
            guard let seq = places[id] else { throw offPath(id) }
            look(call, ReadMessages(record, .from(seq), limit: 1, bytes: 1), of: record.row) {
                [self] (page) throws(WireError) in
                guard let message = page.messages.first else { throw offPath(id) }
                try body(message)
            }
        }
    }

    /// Messages between an answer and its prompt at most; looking further back would hold up everybody.
    private static let farthestPrompt = 1_000

    /// Answers a prompt anew, or another one in its place; the old answer stays on its branch.
    func retryTurn(_ call: Call) throws(WireError) {
        let asked = try RetryTurnParameters(call.params)
        withSession(call, asked.id) { [self] record in
            let base = PromptBase(record, asked.messageID, farthest: Handlers.farthestPrompt)
            look(call, base, of: record.row) { [self] (found) throws(WireError) in
                try retry(asked, record, from: found, call)
            }
        }
    }

    private func retry(
        _ asked: RetryTurnParameters, _ record: SessionRecord, from found: PromptBase.Output, _ call: Call
    ) throws(WireError) {
        switch found {
        case .offPath:
            guard let id = asked.messageID else { return }
            throw offPath(id)
        case .none:
            throw WireError(.conflict, "there is no prompt to answer anew; send one")
        case .unanswered(let content):
            // Nothing of it is on the path, so nothing is left for a branch.
            submit(
                call, record, content: asked.prompt ?? content, parts: asked.parts ?? Part.decode(content),
                asked.turn)
        case .prompt(let old, let named, let place, let before):
            if asked.prompt != nil, let id = asked.messageID, let named {
                throw WireError(
                    .conflict,
                    "message '\(id)' (number \(named)) is not a prompt: other words can only take the place of what the user said; name that message"
                )
            }
            var content = asked.prompt, parts = asked.parts
            // A refused or failed prompt stays out of every window: it goes as a new one.
            if content == nil && !old.status.isSent { (content, parts) = (old.content, old.parts) }
            let base = content == nil ? place : before
            submit(
                call, record.at(base), content: content, parts: parts, asked.turn, base: base.head,
                about: asked.messageID)
        }
    }

    /// Goes on with an answer that was cut.
    func continueTurn(_ call: Call) throws(WireError) {
        let asked = try StartTurnParameters(call.params)
        withSession(call, asked.id) { [self] record in
            let newest = ReadMessages(record, .backFrom(record.session.messageCount), limit: 1, bytes: 1)
            look(call, newest, of: record.row) { [self] (page) throws(WireError) in
                let last = page.messages.first
                // A refused or failed answer stays out of every window, so there is nothing to go on from.
                let isCut = last?.status == .cancelled || last?.status == .interrupted
                guard last?.role == .assistant, !isCut, let turn = last?.turnID else {
                    return try goOn(call, record, asked, isCut: isCut && last?.role == .assistant, last?.id)
                }
                look(call, TurnByID(turn, owner: nil), of: record.row) { [self] (found) throws(WireError) in
                    try goOn(
                        call, record, asked, isCut: found?.stored.turn.stopReason == .maxTokens, last?.id)
                }
            }
        }
    }

    /// Goes on from the last message, as long as that is the newest one.
    private func goOn(
        _ call: Call, _ record: SessionRecord, _ asked: StartTurnParameters, isCut: Bool, _ last: MessageID?
    ) throws(WireError) {
        guard isCut else {
            throw WireError(.conflict, "the last message is no cut answer; there is nothing to continue")
        }
        var turn = asked.turn
        turn.expectedHead = turn.expectedHead ?? last
        submit(call, record, content: nil, parts: nil, turn)
    }

    /// Gives a prompt that waits in the queue other words.
    func setTurn(_ call: Call) throws(WireError) {
        let asked = try SetTurnParameters(call.params)
        withTurn(call, asked.id) { [self] (stored, record) throws(WireError) in
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
}
