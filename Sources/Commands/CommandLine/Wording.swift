internal import Protocol

/// The daemon's sentences in the words of the command line: it speaks to programs, of parameters and methods.
enum Wording {
    /// What stands for what, in this order.
    private static let words: [(wire: String, here: String)] = [
        ("give 'ifExists': \"resume\" to go on with it", "'-s' in place of '--new' goes on with it"),
        ("'_convod/session/restore' or 'convo restore ", "'convo restore "),
        ("'_convod/session/restore'", "'convo restore ID'"),
        ("'session/list' or 'convo ls' shows", "'convo ls' shows"),
        (", and the path may not change under it; wait", "; wait"),
        ("'_convod/branch/list'", "'convo branches'"),
        ("list its branches for those it has", "'convo branches' shows those it has"),
        ("'_convod/branch/switch'", "'convo branches switch'"),
        ("'_convod/turn/retry'", "'convo edit'"),
        ("; '_convod/turn/list' shows those of a session", ""),
        ("raise 'quota' by '_convod/session/set'", "raise its quota"),
        ("; name one with 'model'", "; name one with '-m'"),
        ("raise 'window.maxTokens'", "make the window larger with 'convo window --max-tokens'"),
        ("make 'window.maxTokens' smaller", "make the window smaller with 'convo window --max-tokens'"),
        ("'everywhere': true", "'--everywhere'"),
        ("raise 'window.pinTokens'", "raise that with 'convo window --pin-tokens'"),
        ("of its upstream or 'window.maxTokens'", "of its upstream, or use 'convo window --max-tokens'"),
        ("reserve less with 'window.reserveTokens'", "reserve less with 'convo window --reserve-tokens'"),
        ("leave 'params.schema' away", "leave '--schema' away"), ("'params.schema'", "'--schema'"),
        ("'params.", "'-o "), ("'path': cannot ", "cannot "),
        ("'_meta.convod.model'", "the model's name"), ("'_meta.convod.upstream'", "the upstream's name"),
        (" of 1 or more, or null", " of 1 or more, or 'none'"),
        (" of 0 or more, or null", " of 0 or more, or 'none'"),
        (" to 0.95, or null", " to 0.95, or 'none'"),
    ]

    /// Parameters, where a sentence is about one: a name that a person gave may be the same word.
    private static let parameters: [(wire: String, here: String)] = [
        ("around", "-C"), ("branch", "the branch"), ("cwd", "the directory"),
        ("messageId", "the message's ID"),
        ("model", "the model's name"), ("newSessionId", "the new session's ID"), ("prompt", "the prompt"),
        ("query", "what is searched for"), ("tags", "a session's tags"),
        ("order", "--rank"), ("requestId", "the request ID"), ("sessionId", "the session's ID"),
        ("system", "the system prompt"),
        ("title", "the title"), ("turnId", "the turn's ID"), ("upstream", "the upstream's name"),
        ("window.lowMark", "--low-mark"), ("window.maxMessages", "--max-messages"),
        ("window.maxTokens", "--max-tokens"), ("window.pinTokens", "--pin-tokens"),
        ("window.maxTurns", "--max-turns"),
        ("window.reserveTokens", "--reserve-tokens"), ("window.strategy", "--strategy"),
    ]

    /// What was done with a method, as the command line calls it; one of another version by its own name.
    static func deed(_ method: String) -> String {
        switch Method(rawValue: method) {
        case .branchDelete: "delete a branch"
        case .branchRewind: "undo"
        case .branchSwitch: "switch"
        case .importRecords: "import"
        case .messageAppend: "append a message"
        case .messageDelete: "redact"
        case .messageSet: "pin or exclude"
        case .serverReload: "reload"
        case .sessionCompact: "compact"
        case .sessionDelete: "delete"
        case .sessionFork, .sessionForkOwn: "fork"
        case .sessionNew: "new session"
        case .sessionPrompt, .turnStart: "prompt"
        case .sessionPurge: "purge"
        case .sessionRestore: "restore"
        case .sessionSet, .sessionSetConfigOption: "set"
        case .sessionTitle: "title"
        case .storeBackup: "backup"
        case .storeCheck: "check"
        case .storeCompact: "compact the file"
        case .storePrune: "prune"
        case .summaryDelete: "delete a summary"
        case .summarySet: "edit a summary"
        case .turnCancel: "cancel"
        case .turnContinue: "continue"
        case .turnRetry: "retry or edit"
        case .turnSet: "edit a waiting prompt"
        default: method.replacing("_convod/", with: "")
        }
    }

    /// A sentence of the daemon's as a person should read it.
    static func forPeople(_ sentence: String) -> String {
        var text = sentence
        for (wire, here) in words where text.contains(wire) { text = text.replacing(wire, with: here) }
        for (wire, here) in parameters where text.hasPrefix("'\(wire)' ") {
            text = here + text.dropFirst(wire.count + 2)
            break
        }
        return sized(text)
    }

    /// Numbers of bytes as people say them, where they are whole.
    private static func sized(_ text: String) -> String {
        let pieces = text.split(separator: " ", omittingEmptySubsequences: false)
        var out: [String] = []
        for (index, piece) in pieces.enumerated() {
            let isBytes = index + 1 < pieces.count && pieces[index + 1].hasPrefix("bytes")
            if isBytes, let size = Int(piece), let said = human(size) {
                out.append(said)
            } else if piece.hasPrefix("bytes"), index > 0, Int(pieces[index - 1]).flatMap(human) != nil {
                if piece.count > 5 { out[out.count - 1] += piece.dropFirst(5) }
            } else {
                out.append(String(piece))
            }
        }
        return out.joined(separator: " ")
    }

    private static func human(_ bytes: Int) -> String? {
        if bytes >= 1 << 20, bytes % (1 << 20) == 0 { return "\(bytes >> 20) MiB" }
        return bytes >= 1 << 13 && bytes % 1024 == 0 ? "\(bytes >> 10) KiB" : nil
    }
}
