internal import JSON
internal import TestSupport

extension SessionModel {
    /// Notes a request that is about to go out.
    mutating func sending(_ request: ModelRequest) {
        request.restarts = restarts
        note(request.session, "sent: \(request.method) \(request.params)")
        counts["\(request.kind)", default: 0] += 1
        guard let session = sessions[request.session] else { return }
        request.wasQuiet = session.isQuiet
        request.isRepeat = request.requestID != nil && request.kind == .prompt && byText[request.text] != nil
        session.sends += 1
        session.pending += 1
        request.sends = session.sends
        request.cancels = session.cancelsDone
        request.version = session.version
        if request.isPathChange { session.pathChange = request }
        if !request.text.isEmpty, requests[request.text] == nil { requests[request.text] = request }
        if let key = request.requestID { keyed["\(request.session) \(key)", default: []].append(request) }
        if request.kind == .deleteSession {
            session.isDeleted = true
            session.cancels += 1
        }
    }

    /// Holds an answer against what it may be.
    mutating func answered(_ request: ModelRequest) {
        let session = sessions[request.session]
        session?.pending -= 1
        session?.cancelsDone += request.endsCancel ? 1 : 0
        note(request.session, "answered: \(request.description)")
        if let kind = request.error {
            counts["error \(kind)", default: 0] += 1
            if !isAllowed(kind, request) { wrong("not to be refused: \(request.description)") }
        } else if request.result == nil {
            wrong("neither result nor error: \(request.description)")
        }
        checkKey(request)
        if let session, request === session.pathChange { settle(request, session) }
        if let turn = request.turnID, request.extras?["repeated"] == nil, isTurn(request),
            turns[turn]?.isEnded != true, request.error != "shutting_down"
        {
            session?.answered.insert(turn)
        }
        guard request.result != nil else { return }
        switch request.kind {
        case .prompt, .retry, .edit, .goOn:
            answered.append(request)
            // A repeat may join a turn of an earlier sending that is being cancelled.
            let cancels = request.turnID.flatMap { turns[$0]?.cancels } ?? request.cancels
            if request.result?["stopReason"]?.string == "cancelled", session?.cancels == cancels,
                request.extras?["repeated"]?.bool != true
            {
                wrong("cancelled by nobody: \(request.description)")
            }
        case .branches:
            session?.branches = request.result?["branches"]?.elements.compactMap { $0["branch"]?.int } ?? []
        case .deleteBranch:
            isDeleting = true
            deletedMessages += request.result?["deletedMessages"]?.int ?? 0
        default: break
        }
    }

    /// A request for another path that came to nothing changes none.
    private mutating func settle(_ request: ModelRequest, _ session: ModelSession) {
        let hasTurn = request.turnID.map { turns[$0]?.isEnded != true } ?? false
        let waits = request.kind == .set || request.kind == .switchBranch
        if request.result == nil && !hasTurn || !waits && !hasTurn { session.pathChange = nil }
        flush(session)
    }

    /// One request ID is one turn.
    private mutating func checkKey(_ request: ModelRequest) {
        // One that was cancelled before it was stored has no turn.
        guard let key = request.requestID, request.result != nil, request.turnID != nil else { return }
        for other in keyed["\(request.session) \(key)"] ?? []
        where other.result != nil && other.turnID != nil {
            if other.text != request.text || other.turnID != request.turnID {
                wrong("one request ID, two turns: \(request.description); \(other.description)")
            }
        }
    }

    private func isAllowed(_ kind: String, _ request: ModelRequest) -> Bool {
        let session = sessions[request.session]
        let isAlone = request.wasQuiet && session?.sends == request.sends
        switch kind {
        case "shutting_down": return isStopping
        case "not_found":
            if session?.isDeleted ?? true { return true }
            return request.kind == .deleteBranch || request.kind == .switchBranch
        case "interrupted": return isTurn(request) && (isStopping || restarts > firstUse(request))
        // A request that waits behind others of its client can be cancelled before it begins.
        case "cancelled": return session?.cancels != request.cancels
        case "busy" where request.isRepeat: return false
        case "busy":
            return !isAlone && (request.isPathChange || request.rejectsBusy || request.kind == .deleteBranch)
        case "conflict":
            switch request.kind {
            case .prompt:
                let hasOther = request.requestID.map { key in
                    keyed["\(request.session) \(key)"]?.contains { $0.text != request.text } ?? false
                }
                if hasOther ?? false { return true }
                guard let wanted = request.expectedHead else { return false }
                let said = request.answer?["error"]?["message"]?.string ?? ""
                // There is none where all that was said has left the path.
                let isTold = said.contains("it is '") || said.contains("there is none now")
                return isTold && !said.contains(wanted)
            case .goOn:
                let status = session?.head.flatMap { nodes[$0]?.status }
                return !isAlone || status != "cancelled" && status != "interrupted"
            case .deleteBranch: return true
            // What was sent of a path cannot be taken back; on SQLite's own loop so short a one is read at one moment.
            case .load: return !isAlone && !TestDaemon.lateReads.isEmpty
            case .retry, .edit, .set, .resume:
                return !isAlone || !path(session?.head).contains(request.target ?? "")
            default: return false
            }
        default: return false
        }
    }

    private func isTurn(_ request: ModelRequest) -> Bool {
        switch request.kind {
        case .prompt, .retry, .edit, .goOn: true
        default: false
        }
    }

    private func firstUse(_ request: ModelRequest) -> Int {
        guard let key = request.requestID else { return request.restarts }
        return keyed["\(request.session) \(key)"]?.map(\.restarts).min() ?? request.restarts
    }
}
