package import Archive
package import Conversation

extension SessionByName: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> SessionRecord? {
        try reader.session(id, owner: owner)
    }
}

extension SessionsNamed: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> [SessionRecord] {
        try reader.sessions(named: id)
    }
}

extension SessionByRow: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> SessionRecord? {
        try reader.session(row: row)
    }
}

extension SessionsByPrefix: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> FindSessions.Output {
        try reader.sessions(
            owner: owner, prefix: prefix, limit: search.limit, bytes: search.bytes, where: search.matches)
    }
}

extension Changes: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        guard let after else {
            return Output(records: [], cursor: try reader.newestActivity(owner: owner), isMore: false)
        }
        let (found, isMore) = try reader.changed(owner: owner, after: after, limit: limit, bytes: bytes)
        return Output(
            records: found, cursor: found.last?.session.activity ?? after, isMore: isMore)
    }
}

extension Opening: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        let turn = try reader.lastEnded(record)?.turn
        return Output(
            headID: try reader.headID(of: record),
            last: try turn.map { (turn) throws(ArchiveError) in
                (turn, try reader.seq(of: turn.answerID, in: record) != nil)
            })
    }
}

extension TurnByID: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> TurnFound? {
        guard let whose = try reader.owner(ofTurn: id), owner == nil || owner == whose,
            let stored = try reader.turn(id), let session = try reader.session(row: stored.sessionRow)
        else { return nil }
        return TurnFound(stored, session)
    }
}

extension OpenTurns: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        let page = try reader.openTurns(state, after: after, limit: limit)
        var output = Output()
        output.damaged = page.damaged
        output.next = page.next
        for stored in page.turns {
            do throws(ArchiveError) {
                if let session = try reader.session(row: stored.sessionRow) {
                    output.turns.append(TurnFound(stored, session))
                }
            } catch {
                guard error.code == .corrupt else { throw error }
                output.damaged.append(error.description)
            }
        }
        return output
    }
}

extension AnswerSoFar: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Answer {
        try reader.answer(of: turn, issuer: issuer)
    }
}

extension TurnList: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        if case .request(let id) = choice {
            let known = try reader.turn(requestID: id, in: session)
            return Output(turns: [known].compactMap(\.self), isMore: false)
        }
        let (found, isMore) = try reader.turns(
            session, openOnly: choice == .open, before: before, limit: limit, bytes: bytes)
        return Output(turns: found, isMore: isMore)
    }
}

extension AttemptList: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> [Attempt] { try reader.attempts(turn) }
}

extension PromptLook: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var output = Output()
        if let record { output.record = try reader.session(row: record) }
        if let (session, id) = request { output.known = try reader.turn(requestID: id, in: session) }
        if let (owner, day) = user { output.userUsage = try reader.usage(owner: owner, day: day) }
        if let usage { output.sessionUsage = try reader.usage(session: usage) }
        return output
    }
}

extension ReadMessages: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> MessagePage {
        try reader.messages(session, head: head, start, limit: limit, bytes: bytes)
    }
}

extension TakeMessages: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var taker = taker
        let next = try reader.take(session, from: start, limit: limit, bytes: bytes, &taker)
        return (taker, next)
    }
}

extension PlacesOnPath: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> [MessageID: Int] {
        var found: [MessageID: Int] = [:]
        for id in ids { found[id] = try reader.seq(of: id, in: session) }
        return found
    }
}

extension Owners: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> [UserID] { try reader.database.owners() }
}

extension SessionOnBranch: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> SessionRecord? {
        guard let found = try reader.branch(branch, of: session) else { return nil }
        return session.at(PathPlace(branch: found.id, head: found.head, tokens: found.tokens))
    }
}

extension BranchOfMessage: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> BranchRow? {
        try reader.database.place(of: message, inSession: session)?.branch
    }
}

extension PromptBase: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        if message == nil, let unanswered = try reader.unansweredPrompt(session) {
            return .unanswered(unanswered)
        }
        var seq = session.session.messageCount, named: Int?
        if let message {
            guard let found = try reader.seq(of: message, in: session) else { return .offPath }
            (seq, named) = (found, found)
        }
        guard let prompt = try reader.prompt(at: seq, in: session, farthest: farthest) else { return .none }
        func place(_ seq: Int) throws(ArchiveError) -> PathPlace {
            PathPlace(
                branch: session.branch, head: seq, tokens: try reader.tokens(of: session, upTo: seq))
        }
        return .prompt(
            prompt, named: named == prompt.seq ? nil : named, at: try place(prompt.seq),
            before: try place(prompt.seq - 1))
    }
}

extension WindowRead: LocalRead {
    // A long one must not keep others from seeing new commits; what it reads of a path does not change.
    package var isSeveral: Bool { bound != nil }

    package func run(on reader: Reader) throws(ArchiveError) -> StoredHistory? {
        guard var history = try reader.history(session, need, within: bound) else { return nil }
        history.summaries = try reader.summaries(session, limit: WindowRead.summaries)
        if let asker {
            history.anchor = try reader.database.anchor(of: session.branch, asker)
        }
        return history
    }
}

extension BranchList: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> [Branch] {
        try reader.branches(of: session, after: after, limit: limit)
    }
}

extension BranchPair: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var found: [Branch] = []
        for id in branches {
            guard let branch = try reader.branch(id, of: session) else { return .missing(id) }
            found.append(branch)
        }
        let common = try reader.commonSeq(found[0], found[1])
        let pages = try found.map { (branch) throws(ArchiveError) in
            try reader.messages(session.at(branch.end), .from(common + 1), limit: limit, bytes: bytes)
        }
        return .pair(common: common, pages)
    }
}

extension KeptAnswer: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> KeptResponse? { try reader.response(key) }
}

extension SecretByName: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> [UInt8]? { try reader.secret(name) }
}

extension AllCalibrations: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> [Learned] {
        try reader.allLearned(limit: limit)
    }
}
