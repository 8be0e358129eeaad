internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    static let branches: [Handler] = [
        .on(Method.BranchCompare.self) { $0.compareBranches },
        .on(Method.BranchDelete.self) { $0.deleteBranch },
        .on(Method.BranchList.self) { $0.listBranches },
        .on(Method.BranchRewind.self) { $0.rewind },
        .on(Method.BranchSwitch.self) { $0.switchBranch },
        .on(Method.SessionForkOwn.self) { $0.forkAsOwn },
        .on(Method.SessionFork.self) { $0.forkSession },
    ]

    private func forkSession(_ request: Request<Method.SessionFork>) throws(WireError) {
        fork(request.parameters.fork, request.call, reply: request.reply)
    }

    private func forkAsOwn(_ request: Request<Method.SessionForkOwn>) throws(WireError) {
        fork(request.parameters.fork, request.call, reply: request.reply)
    }

    private func fork(
        _ parameters: ForkQuestion, _ call: Client.Call, reply: @escaping (Wire.NewSession) -> Void
    ) {
        withSession(call, parameters.id) { [self] (source) throws(WireError) in
            let fork = session(forkedFrom: source, as: parameters, call.client)
            claim(call, fork.id, owner: fork.owner, isEphemeral: source.session.isEphemeral) {
                [self] (found, release) throws(WireError) in
                if let found {
                    release()
                    throw found.session.trashedAt == nil
                        ? exists(fork.id, "choose another ID") : inTrash(fork.id)
                }
                let write = ForkSession(source.row, at: parameters.messageID, as: fork)
                archives.write(write, of: source.row) { [self] result in
                    release()
                    switch result {
                    case .success(.forked(let record)): reply(opened(record, isNew: true, call.client))
                    case .success(.existed): call.fail(exists(fork.id, "choose another ID"))
                    case .success(.missing): call.fail(.noSession(parameters.id))
                    case .success(.notHere):
                        let id = parameters.messageID?.description ?? ""
                        call.fail(
                            WireError(.notFound, "session '\(parameters.id.text)' has no message '\(id)'"))
                    case .failure(let error): call.fail(WireError(error))
                    }
                }
            }
        }
    }

    private func session(forkedFrom source: SessionRecord, as parameters: ForkQuestion, _ client: Client)
        -> Session
    {
        var fork = Session(
            id: parameters.newID ?? SessionID(ids.newID() as ID<SessionID>), owner: client.user,
            cwd: parameters.cwd ?? source.session.cwd, createdAt: clocks.now())
        fork.mcpServers = parameters.mcpServers ?? source.session.mcpServers
        fork.title = parameters.title ?? source.session.title
        fork.system = source.session.system
        fork.appendedSystem = source.session.appendedSystem
        fork.settings = source.session.settings
        fork.settings.quota = nil
        fork.tags = source.session.tags
        fork.metadata = source.session.metadata
        return fork
    }

    private func listBranches(_ request: Request<Method.BranchList>) throws(WireError) {
        let parameters = request.parameters
        let after = BranchRow(try PageCursor.number("b", parameters.cursor) ?? 0)
        withSession(request.call, parameters.id) { [self] record in
            let limit = parameters.limit
            lookForList(request.call, of: record.row, limit: limit) { rows, _ in
                Archive.BranchList(record.row, after: after, limit: rows == limit ? rows + 1 : rows)
            } isWhole: { found in
                limit <= Handlers.short.rows || found.count < Handlers.short.rows
            } map: { branches in
                JSONWriter.bytes(
                    of: Method.BranchList.Result(
                        branches: branches.prefix(limit).map { .init($0, of: record) },
                        nextCursor: branches.count > limit
                            ? PageCursor.text("b", branches[limit - 1].id.number) : nil))
            } _: { page in
                request.reply(written: page)
            }
        }
    }

    /// The path of a session may not change under a turn.
    func checkIdle(_ record: SessionRecord) throws(WireError) {
        guard engine.line(on: record.row)?.isTaken ?? false else { return }
        throw SessionLine.pathIsTaken(record.session.id)
    }

    func noBranch(_ branch: Int, _ id: SessionID) -> WireError {
        WireError(
            .notFound,
            "session '\(id.text)' has no branch \(branch); list its branches for those it has")
    }

    private func switchBranch(_ request: Request<Method.BranchSwitch>) throws(WireError) {
        let parameters = request.parameters
        withSession(request.call, parameters.id) { [self] (record) throws(WireError) in
            try checkIdle(record)
            let change = SwitchBranch(record.row, to: BranchRow(Int64(parameters.branch)))
            changePath(of: record, by: change, request.call, reply: request.reply) { [self] in
                noBranch(parameters.branch, parameters.id)
            }
        }
    }

    private func rewind(_ request: Request<Method.BranchRewind>) throws(WireError) {
        let parameters = request.parameters
        withSession(request.call, parameters.id) { [self] (record) throws(WireError) in
            try checkIdle(record)
            let change = RewindPath(record.row, before: parameters.before)
            changePath(of: record, by: change, request.call, reply: request.reply) {
                WireError(
                    .notFound,
                    "the path of session '\(parameters.id.text)' has no message '\(parameters.before)'; list its messages for those it has"
                )
            }
        }
    }

    /// Changes a session's path; no turn begins meanwhile.
    ///
    /// `missing` is told when there is nothing to change it to.
    func changePath<Write: LocalWrite>(
        of record: SessionRecord, by change: Write, _ call: Client.Call,
        reply: @escaping (Wire.ActivePath) -> Void, missing: @escaping () -> WireError
    ) where Write.Output == PathChange? {
        engine.beginPathChange(on: record)
        archives.write(change, of: record.row) { [self] result in
            defer { engine.endPathChange(on: record.row) }
            switch result {
            case .success(let changed?):
                let record = changed.record
                publish(path: record, except: call.client)
                reply(Wire.ActivePath(changed))
            case .success(nil): call.fail(missing())
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    /// Tells other clients that another path is active: they read the session again.
    private func publish(path record: SessionRecord, except client: Client) {
        var news = Wire.SessionInfoUpdate.News()
        news.branch = Int(record.branch.number)
        channels.publish(
            Wire.SessionInfoUpdate(updatedAt: Wire.Time(record.session.updatedAt), news),
            of: record.session.id, on: record.row, except: client.number)
    }

    private func deleteBranch(_ request: Request<Method.BranchDelete>) throws(WireError) {
        let parameters = request.parameters
        withSession(request.call, parameters.id) { [self] (record) throws(WireError) in
            try checkIdle(record)
            let delete = DeleteBranch(record.row, BranchRow(Int64(parameters.branch)))
            archives.write(delete, of: record.row) { [self] result in
                switch result {
                case .success(.deleted(let count)): request.reply(.init(deletedMessages: count))
                case .success(.missing): request.fail(noBranch(parameters.branch, parameters.id))
                case .success(.active):
                    request.fail(
                        WireError(
                            .conflict,
                            "branch \(parameters.branch) is the active one; switch to another with '_convod/branch/switch' first"
                        ))
                case .success(.needed(let count)):
                    request.fail(
                        WireError(
                            .conflict,
                            count == 1
                                ? "a branch or session begins in this branch; delete that one first"
                                : "\(count) branches or sessions begin in this branch; delete those first"))
                case .failure(let error): request.fail(WireError(error))
                }
            }
        }
    }

    private func compareBranches(_ request: Request<Method.BranchCompare>) throws(WireError) {
        let parameters = request.parameters
        withSession(request.call, parameters.id) { [self] record in
            let first = BranchRow(Int64(parameters.branch))
            let second = parameters.with.map { BranchRow(Int64($0)) } ?? record.branch
            let pair = BranchPair(
                record, first, second, limit: 100, bytes: configuration.limits.pageBytes / 2)
            look(request.call, pair, of: record.row) { [self] (found) throws(WireError) in
                guard case .pair(let common, let pages) = found else {
                    guard case .missing(let branch) = found else { return }
                    throw noBranch(Int(branch.number), parameters.id)
                }
                request.reply(
                    .init(
                        commonMessages: common,
                        sides: zip([first, second], pages).map { branch, page in
                            .init(
                                branch: Int(branch.number), messages: page.messages.map { Wire.Message($0) },
                                more: page.next != nil)
                        }))
            }
        }
    }
}

extension Wire.ActivePath {
    /// A session's path as the store tells it.
    init(_ change: PathChange) {
        self.init(
            sessionId: change.record.session.id, branch: Int(change.record.branch.number),
            messageCount: change.record.session.messageCount, headId: change.headID)
    }
}

extension Method.BranchList.Result.Branch {
    /// A branch of a session as lists show it.
    fileprivate init(_ branch: Branch, of record: SessionRecord) {
        self.init(
            branch: Int(branch.id.number), parent: branch.parent.map { Int($0.number) },
            forkSeq: branch.forkSeq, headSeq: branch.head, headId: branch.headID,
            ownMessages: branch.ownCount, tokens: branch.tokens, createdAt: Wire.Time(branch.createdAt),
            active: branch.id == record.branch,
            first: branch.first.map {
                .init(
                    messageId: $0.id, role: $0.role, status: $0.status,
                    text: suggestedTitle(for: [.text($0.text)]) ?? "")
            })
    }
}
