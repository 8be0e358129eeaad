internal import Archive
internal import Protocol
internal import Store

extension Handlers {
    static let checking: [Handler] = [.on(Method.StoreCheck.self) { $0.check }]

    private func check(_ request: Request<Method.StoreCheck>) throws(WireError) {
        // Only the writer sees whether the file is still the one at its path: a check says what a prompt would be told.
        archives.write(
            Sync(turnRow: TurnRow(0)), isEphemeral: false,
            then: looking(request.call) { [self] (_: Void) in
                look(
                    CheckStore(isQuick: request.parameters.isQuick, limit: Method.StoreCheck.most), [],
                    request)
            })
    }

    private func look(
        _ look: CheckStore, _ before: [DamageFound], _ request: Request<Method.StoreCheck>
    ) {
        archives.readAway(
            look, isShort: false,
            then: looking(request.call) { [self] output in
                let found = before + output.found
                if let next = output.next { return self.look(next, found, request) }
                guard request.parameters.repairs, found.contains(where: \.kind.isRepairable) else {
                    return request.reply(.init(found, repaired: 0))
                }
                archives.write(RepairStore(found), isEphemeral: false) { result in
                    switch result {
                    case .success(let count): request.reply(.init(found, repaired: count))
                    case .failure(let error): request.fail(WireError(error))
                    }
                }
            })
    }
}

extension Method.StoreCheck.Result {
    fileprivate init(_ found: [DamageFound], repaired: Int) {
        self.init(
            findings: found.map {
                Method.StoreCheck.Finding(
                    kind: $0.kind.rawValue, about: $0.words, problem: $0.kind.problem, repair: $0.kind.repair)
            }, repaired: repaired)
    }
}

extension Damage {
    /// What is wrong, for a person.
    fileprivate var problem: String {
        switch self {
        case .file: "the file is damaged"
        case .index: "the search index does not hold what it should"
        case .settings: "its settings, tags, metadata or servers cannot be read"
        case .activeBranch: "its active branch is not there"
        case .head: "its newest message, or the estimate of its tokens, is not what it says"
        case .parent: "it leaves a branch, or a message of one, that is not there"
        case .gap: "some of its messages are missing"
        case .strayMessage: "it is on no branch, and nobody sees it"
        case .content: "its content cannot be read"
        case .messageRecord: "its metadata, or what its thoughts are bound to, cannot be read"
        case .turnRecord: "what it was asked for, or what came of it, cannot be read"
        case .arrival: "no search finds it"
        case .total: "the estimate of the tokens up to it is not the sum"
        case .messageTurn: "its turn is not there"
        case .strayTurn, .strayBranch: "its session is not there"
        case .attempt: "the turn is not there"
        case .anchor: "the branch is not there"
        case .summary: "its session, or the last message that it covers, is not there"
        case .summaryAttempt: "the summary is not there"
        case .importedSession: "what was read in of it is not there"
        case .importedMessage: "it waits for its turn, and is not there"
        case .piece: "pieces of its answer were left though it has ended"
        case .mark: "it is of a message or a session that is not there"
        }
    }

    /// What mends it, for a person; nil where nothing does.
    fileprivate var repair: String? {
        switch self {
        case .file, .gap: nil
        case .index: "the index is made again, in the background"
        case .settings: "those that cannot be read are emptied"
        case .activeBranch: "its newest branch becomes the active one"
        case .head: "both are taken from its newest message"
        case .parent: "it goes on without what came before"
        case .strayMessage: "it is removed"
        case .content: "bytes that are no text become U+FFFD, and what is no content then its text"
        case .messageRecord: "what cannot be read of it is emptied"
        case .turnRecord:
            "what cannot be read of it is emptied; where that is what it waits to ask, it has failed"
        case .arrival: "it is indexed as the newest"
        case .total: "its branch is summed up again"
        case .messageTurn: "it counts as appended"
        case .strayTurn: "the turn is removed, its messages stay"
        case .strayBranch:
            "the branch becomes that of a session that goes on from it; where there is none it is removed with its messages"
        case .attempt, .anchor, .summaryAttempt: "they are removed"
        case .summary: "it is removed, the messages stay"
        case .importedSession, .importedMessage: "the note of it is removed"
        case .piece: "they are removed, the answer stays"
        case .mark: "the mark is removed"
        }
    }
}
