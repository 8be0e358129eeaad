package import Archive
internal import Conversation
internal import Posix
internal import Search

extension SearchMessages: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var output = Output()
        let deadline = Machine.monotonic() &+ UInt64(slice) * 1_000
        var sight = SearchSight(reader, filter)
        var place: SearchPlace
        if let given = self.place { place = given } else { place = try sight.start(below) }
        while true {
            if place.waiting.isEmpty {
                guard place.below > Int64.min else { return output }
                try reader.fill(&place, query.expression)
                if place.waiting.isEmpty { return output }
            }
            var looked = 0
            for arrival in place.waiting {
                looked += 1
                try look(at: arrival, &sight, reader, &output)
                let isFull = max(output.hits.count, output.weights.count) >= limit
                // One at least, so that each slice goes on.
                if isFull || looked % 8 == 1 && Machine.monotonic() >= deadline {
                    place.waiting.removeFirst(looked)
                    output.next = place
                    return output
                }
            }
            place.waiting = []
        }
    }

    private func look(
        at arrival: Int64, _ sight: inout SearchSight, _ reader: Reader, _ output: inout Output
    ) throws(ArchiveError) {
        try reader.database.rows(
            "SELECT key, id, role, created_at, turn, content FROM message INDEXED BY message_arrival WHERE arrival = ?",
            [.int(arrival)], doing: "read a message that may be found"
        ) { (row) throws(ArchiveError) in
            guard let role = Message.Role(rawValue: Int(row.int(2))), let id = MessageID(bytes: row.bytes(1)),
                filter.role == nil || filter.role == role
            else { return false }
            let time = row.int(3), key = row.int(0)
            if let from = filter.from, time < from { return false }
            if let to = filter.to, time >= to { return false }
            guard try reader.isAnswered(row.optionalInt(4), by: filter),
                let session = try sight.session(thatSees: key)
            else { return false }
            let text = SearchedText.of(row.bytes(5)), form = NormalForm(text)
            guard query.matches(form.bytes) else { return false }
            if isWeighing {
                output.weights.append((query.score(form.bytes), arrival))
                return false
            }
            var hit = SearchHit(
                session: session.session.id, title: session.session.title, message: id,
                seq: MessageKey.seq(key), role: role, createdAt: time,
                snippet: Snippet(of: text, form: form, for: query), branch: MessageKey.branch(key),
                isActive: try sight.isActive(key, in: session), arrival: arrival)
            if around > 0 {
                let path =
                    hit.isActive
                    ? try sight.activePath(of: session)
                    : try reader.path(branch: hit.branch, head: Int(UInt32.max))
                (hit.before, hit.behind) = try reader.neighbours(of: key, on: path, around)
            }
            output.hits.append(hit)
            return false
        }
    }
}

extension Reader {
    /// Arrivals that are asked for at once.
    private static let page = 1_024

    /// Looks for messages below a place that may hold what is looked for: those that are not indexed yet, then by the index.
    fileprivate func fill(_ place: inout SearchPlace, _ expression: String?) throws(ArchiveError) {
        let mark = try database.searchMark()
        func take(_ sql: SQL, _ values: [Bound], _ body: (Int64) -> Void) throws(ArchiveError) {
            try database.rows(sql, values + [Bound(Reader.page)], doing: "search messages") { row in
                body(row.int(0))
                return true
            }
        }
        var found: [Int64] = []
        if place.below > mark + 1 || expression == nil {
            let least = expression == nil ? Int64.min : mark
            try take(
                """
                SELECT arrival FROM message INDEXED BY message_arrival WHERE arrival > ? AND arrival < ?
                 ORDER BY arrival DESC LIMIT ?
                """, [.int(least), .int(place.below)]
            ) { found.append($0) }
            if found.count == Reader.page { index?.demand() }
            if found.count < Reader.page { place.below = expression == nil ? Int64.min : mark + 1 }
        }
        if found.isEmpty, let expression, place.below > Int64.min {
            var long: [Int64] = []
            try take(
                "SELECT rowid FROM search WHERE search MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?",
                [.text(expression), .int(place.below)]
            ) { found.append($0) }
            let isMore = found.count == Reader.page
            try take(
                "SELECT arrival FROM search_whole WHERE arrival < ? AND arrival > ? ORDER BY arrival DESC LIMIT ?",
                [.int(place.below), .int(isMore ? found[found.count - 1] : Int64.min)]
            ) { long.append($0) }
            if !long.isEmpty {
                found = (found + long).sorted(by: >)
                // Beyond the last of a full page of long ones nothing is known of others like it.
                if long.count == Reader.page { found.removeAll { $0 < long[long.count - 1] } }
            }
            if !isMore && long.count < Reader.page { place.below = Int64.min }
        }
        if place.below > Int64.min, let last = found.last, last < place.below { place.below = last }
        place.waiting = found
    }

    /// Whether a message's turn was answered as a filter asks.
    fileprivate func isAnswered(_ turn: Int64?, by filter: MessageFilter) throws(ArchiveError) -> Bool {
        if filter.upstream == nil && filter.model == nil { return true }
        guard let turn else { return false }
        let found = try database.first(
            "SELECT upstream, model FROM turn WHERE id = ?", [.int(turn)], doing: "read a message's turn"
        ) { (upstream: $0.optionalText(0), model: $0.optionalText(1)) }
        guard let found else { return false }
        return (filter.upstream == nil || filter.upstream == found.upstream)
            && (filter.model == nil || filter.model == found.model)
    }

    /// The messages before and behind one, on the path that it is seen on.
    fileprivate func neighbours(of key: Int64, on path: [Segment], _ count: Int)
        throws(ArchiveError) -> (before: [SearchHit.Neighbour], behind: [SearchHit.Neighbour])
    {
        let seq = MessageKey.seq(key)
        func some(_ seqs: ClosedRange<Int>) throws(ArchiveError) -> [SearchHit.Neighbour] {
            var found: [SearchHit.Neighbour] = []
            for segment in path where segment.from <= seqs.upperBound && segment.to >= seqs.lowerBound {
                try database.rows(
                    "SELECT id, role, content FROM message WHERE key BETWEEN ? AND ? ORDER BY key",
                    [
                        .int(MessageKey(branch: segment.branch, seq: max(segment.from, seqs.lowerBound)).raw),
                        .int(MessageKey(branch: segment.branch, seq: min(segment.to, seqs.upperBound)).raw),
                    ], doing: "read messages beside one"
                ) { row in
                    guard let id = MessageID(bytes: row.bytes(0)),
                        let role = Message.Role(rawValue: Int(row.int(1)))
                    else { return true }
                    let text = String(decoding: SearchedText.of(row.bytes(2)).prefix(2_000), as: UTF8.self)
                    let few = String(text.prefix(Reader.fewCharacters))
                    found.append(
                        SearchHit.Neighbour(id: id, role: role, text: few == text ? few : few + "…"))
                    return true
                }
            }
            return found
        }
        return (
            seq > 1 ? try some(max(1, seq - count)...(seq - 1)) : [],
            try some((seq + 1)...(seq + count))
        )
    }

    /// Characters of a message that stands beside a hit.
    private static let fewCharacters = 200
}

/// Which session shows a message, looked up once for each session and branch.
private struct SearchSight {
    private let reader: Reader
    private let filter: MessageFilter
    private var sessions: [SessionRow: SessionRecord?] = [:]
    private var branches: [BranchRow: (session: SessionRow, isThere: Bool)?] = [:]
    /// What each session shows, and its active path where that is less.
    private var paths: [SessionRow: [Reader.Segment]] = [:]
    private var activePaths: [SessionRow: [Reader.Segment]] = [:]

    /// Messages of a session that are all looked at, rather than what the index has of everything.
    private static let few = 4_000
    /// Branches that are followed to find one that shows a message.
    private static let mostBranches = 1_000

    init(_ reader: Reader, _ filter: MessageFilter) {
        self.reader = reader
        self.filter = filter
    }

    /// Where the search begins: a short session is looked at as it is.
    mutating func start(_ below: Int64) throws(ArchiveError) -> SearchPlace {
        let all = SearchPlace(below: below)
        guard let session = filter.session else { return all }
        var found: [Int64] = []
        for segment in try path(of: session) {
            try reader.database.rows(
                "SELECT arrival FROM message WHERE key BETWEEN ? AND ? AND arrival IS NOT NULL LIMIT ?",
                [
                    .int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                    .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
                    Bound(SearchSight.few - found.count + 1),
                ], doing: "read a session's messages"
            ) { row in
                found.append(row.int(0))
                return true
            }
            if found.count > SearchSight.few { return all }
        }
        return .only(Set(found).filter { $0 < below }.sorted(by: >))
    }

    /// The session that a message is found in; nil where none shows it that the filter lets pass.
    mutating func session(thatSees key: Int64) throws(ArchiveError) -> SessionRecord? {
        let branch = MessageKey.branch(key), seq = MessageKey.seq(key)
        if let session = filter.session {
            guard filter.passes(session.session) else { return nil }
            return try path(of: session).contains { $0.contains(key) } ? session : nil
        }
        var next = [branch], count = 0
        while let one = next.popLast(), count < SearchSight.mostBranches {
            count += 1
            guard let found = try self.branch(one) else { continue }
            if found.isThere, let session = try session(found.session), filter.passes(session.session) {
                if filter.includesAllBranches { return session }
                if try path(of: session).contains(where: { $0.contains(key) }) { return session }
            }
            // A fork that shares it may show it though its own session does not.
            try reader.database.rows(
                "SELECT id FROM branch INDEXED BY branch_parent WHERE parent = ? AND fork_seq >= ? ORDER BY id",
                [.int(one), Bound(seq)], doing: "find branches that share a message"
            ) { row in
                next.append(BranchRow(row.int(0)))
                return next.count < SearchSight.mostBranches
            }
        }
        return nil
    }

    /// Whether a message that a session shows is on its active path.
    mutating func isActive(_ key: Int64, in session: SessionRecord) throws(ArchiveError) -> Bool {
        // Without branches nothing else is shown.
        if !filter.includesAllBranches { return true }
        return try activePath(of: session).contains { $0.contains(key) }
    }

    mutating func activePath(of session: SessionRecord) throws(ArchiveError) -> [Reader.Segment] {
        if !filter.includesAllBranches { return try path(of: session) }
        if let known = activePaths[session.row] { return known }
        let found = try reader.path(branch: session.branch, head: session.session.messageCount)
        activePaths[session.row] = found
        return found
    }

    /// What of the database a session shows: its active path, or all its branches.
    private mutating func path(of session: SessionRecord) throws(ArchiveError) -> [Reader.Segment] {
        if let known = paths[session.row] { return known }
        var found: [Reader.Segment] = []
        if filter.includesAllBranches {
            var own: [BranchRow] = []
            try reader.database.rows(
                "SELECT id FROM branch INDEXED BY branch_session WHERE session = ? AND deleted_at IS NULL",
                [.int(session.row)], doing: "read a session's branches"
            ) { row in
                own.append(BranchRow(row.int(0)))
                return true
            }
            for branch in own { found += try reader.path(branch: branch, head: Int(UInt32.max)) }
        } else {
            found = try reader.path(branch: session.branch, head: session.session.messageCount)
        }
        paths[session.row] = found
        return found
    }

    private mutating func session(_ row: SessionRow) throws(ArchiveError) -> SessionRecord? {
        if let known = sessions[row] { return known }
        let found = try reader.database.first(
            // One that is being purged, or read in, is nobody's.
            .listedSessions("WHERE id = ? AND owner >= 0"), [.int(row)], doing: "read a session",
            SessionRecord.init)
        sessions[row] = .some(found)
        return found
    }

    private mutating func branch(_ row: BranchRow) throws(ArchiveError) -> (
        session: SessionRow, isThere: Bool
    )? {
        if let known = branches[row] { return known }
        let found = try reader.database.first(
            "SELECT session, deleted_at IS NULL FROM branch WHERE id = ?", [.int(row)],
            doing: "read a branch"
        ) { (session: SessionRow($0.int(0)), isThere: $0.bool(1)) }
        branches[row] = .some(found)
        return found
    }
}
