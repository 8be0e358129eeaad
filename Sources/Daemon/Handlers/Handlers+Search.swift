internal import Archive
internal import Conversation
internal import Protocol
internal import Search
internal import Store

extension Handlers {
    static let searching: [Handler] = [.on(Method.Search.self) { $0.search }]

    private func search(_ request: Request<Method.Search>) throws(WireError) {
        let parameters = request.parameters
        let query: SearchQuery
        do { query = try SearchQuery(parameters.query) } catch {
            throw .invalid("'query' cannot be searched for: \(error.reason)")
        }
        if parameters.field == .titles { return try searchTitles(request, query) }
        if let id = parameters.sessionID {
            return withSession(request.call, id, orTrashed: true) {
                [archives, searches] (session) throws(WireError) in
                var filter = MessageFilter(parameters, owner: nil)
                filter.session = session
                try SearchRun(archives, searches, request, query, filter).start()
            }
        }
        let filter = MessageFilter(parameters, owner: request.client.user)
        try SearchRun(archives, searches, request, query, filter).start()
    }

    private func searchTitles(_ request: Request<Method.Search>, _ query: SearchQuery) throws(WireError) {
        let parameters = request.parameters
        var search = FindSessions(owner: .user(request.client.user), limit: parameters.limit)
        search.title = query
        search.tag = parameters.tag
        search.upstream = parameters.upstream
        search.model = parameters.model
        search.isArchived = parameters.isArchived
        search.isTrashed = parameters.isTrashed
        search.since = parameters.from
        search.until = parameters.to
        try pageOfTitles(search, cursor: parameters.cursor, request.call) { sessions, next in
            let hits = sessions.map { session in
                let title = Array((session.title ?? "").utf8)
                var hit = Method.Search.Hit(
                    sessionId: session.id, createdAt: Wire.Time(session.updatedAt),
                    snippet: .init(Snippet(of: title, form: NormalForm(title), for: query)))
                hit.title = session.title
                return hit
            }
            request.reply(.init(hits: hits, nextCursor: next))
        }
    }
}

/// Whose slices of searches are read: one of a user at a time, in the order in which they were asked for, so that nobody's many
/// searches come before another's one.
final class SearchSlices {
    private var waiting: [UserID: Fifo<(@escaping () -> Void) -> Void>] = [:]

    /// Does a slice when it is a user's turn; it calls what it is given when it is done.
    func take(_ user: UserID, _ slice: @escaping (_ leave: @escaping () -> Void) -> Void) {
        let isFirst = waiting[user] == nil
        waiting[user, default: Fifo()].append(slice)
        if isFirst { next(user) }
    }

    /// Begins what waits until one of it takes its time.
    private func next(_ user: UserID) {
        while let slice = waiting[user]?.popFirst() {
            var isNow = true, isDone = false
            slice { [self] in
                isDone = true
                if !isNow { next(user) }
            }
            isNow = false
            if !isDone { return }
        }
        waiting[user] = nil
    }
}

/// A search on its way: slices on the reader's thread, on disk and then in memory, until a page is full.
private final class SearchRun {
    /// Where hits are kept.
    private enum Place: Hashable { case disk, memory }

    private let archives: Archives
    private let searches: SearchSlices
    private let request: Request<Method.Search>
    private let query: SearchQuery
    private let filter: MessageFilter
    private let limit: Int
    private var isCancelled = false
    private var hits: [(place: Place, hit: SearchHit)] = []

    init(
        _ archives: Archives, _ searches: SearchSlices, _ request: Request<Method.Search>,
        _ query: SearchQuery, _ filter: MessageFilter
    ) {
        self.archives = archives
        self.searches = searches
        self.request = request
        self.query = query
        self.filter = filter
        limit = request.parameters.limit
    }

    func start() throws(WireError) {
        let cursor = request.parameters.cursor
        switch request.parameters.order {
        case .newest:
            let isMemory = cursor?.hasPrefix("q.") ?? false
            let edge =
                isMemory
                ? try PageCursor.number(".", cursor.map { String($0.dropFirst()) })
                : try PageCursor.number("q", cursor)
            watchCancelling()
            find(
                in: isMemory || filter.session?.row.isEphemeral == true ? .memory : .disk, below: edge ?? .max
            )
        case .rank:
            let offset = try PageCursor.number("r", cursor) ?? 0
            guard (0...Int64(Method.Search.mostRanked)).contains(offset) else {
                throw .invalid("'cursor' is not one that this list gave; start again without it")
            }
            watchCancelling()
            weigh(from: Int(offset))
        }
    }

    private func watchCancelling() {
        request.call.onCancel = { [self] in
            isCancelled = true
            request.fail(WireError(.cancelled, "the request was cancelled"))
        }
    }

    private func look(limit: Int) -> SearchMessages {
        var look = SearchMessages(query, filter, limit: limit)
        look.around = request.parameters.around
        return look
    }

    /// One slice; nil where nothing is kept there.
    private func slice(
        _ look: SearchMessages, in place: Place, _ then: @escaping (SearchMessages.Output?) -> Void
    ) {
        searches.take(request.client.user) { [self] leave in
            // Nobody waits for it any more.
            if isCancelled || request.call.isAnswered || !request.client.isOpen { return leave() }
            func take(_ result: Result<SearchMessages.Output?, ArchiveError>) {
                leave()
                if isCancelled || request.call.isAnswered { return }
                switch result {
                case .success(let output): then(output)
                case .failure(let error): request.fail(WireError(error))
                }
            }
            switch place {
            case .disk: archives.readAway(look, isShort: false) { take($0.map { $0 }) }
            case .memory: archives.readMemory(look, isShort: false, then: take)
            }
        }
    }

    /// Slices until `look.limit` hits are there, or nothing is left to look at.
    private func all(
        _ look: SearchMessages, in place: Place, _ before: SearchMessages.Output = .init(),
        _ then: @escaping (SearchMessages.Output) -> Void
    ) {
        slice(look, in: place) { [self] output in
            guard let output else { return then(before) }
            var sum = before
            sum.hits += output.hits
            sum.weights += output.weights
            sum.next = output.next
            let found = output.hits.count + output.weights.count
            guard let next = output.next, found < look.limit else { return then(sum) }
            var rest = look
            rest.limit -= found
            rest.place = next
            all(rest, in: place, sum, then)
        }
    }

    // MARK: The newest

    private func find(in place: Place, below edge: Int64) {
        // One more than the page shows whether a next page exists.
        var look = look(limit: limit + 1 - hits.count)
        look.below = edge
        all(look, in: place) { [self] output in
            hits += output.hits.map { (place, $0) }
            if hits.count <= limit, place == .disk, filter.session == nil {
                return find(in: .memory, below: .max)
            }
            let shown = hits.prefix(limit)
            let next = hits.count > limit ? shown.last.map { cursor(behind: $0.hit, in: $0.place) } : nil
            request.reply(.init(hits: shown.map { .init($0.hit) }, nextCursor: next))
        }
    }

    private func cursor(behind hit: SearchHit, in place: Place) -> String {
        place == .disk ? PageCursor.text("q", hit.arrival) : "q" + PageCursor.text(".", hit.arrival)
    }

    // MARK: Those that fit best

    private func weigh(from offset: Int) {
        typealias Weighed = (place: Place, score: Double, arrival: Int64)
        var look = look(limit: Method.Search.mostRanked)
        look.isWeighing = true
        let places: [Place] =
            filter.session.map { $0.row.isEphemeral ? [.memory] : [.disk] } ?? [.disk, .memory]
        var weighed: [Weighed] = [], isCut = false
        func next(_ rest: ArraySlice<Place>) {
            guard let place = rest.first else {
                weighed.sort { ($0.score, $0.arrival) > ($1.score, $1.arrival) }
                let page = weighed.dropFirst(offset).prefix(limit).map {
                    (place: $0.place, arrival: $0.arrival)
                }
                let end = offset + page.count
                let cursor: String? = end < weighed.count ? PageCursor.text("r", Int64(end)) : nil
                return tell(page, cursor: cursor, isCut: isCut)
            }
            all(look, in: place) { output in
                weighed += output.weights.map { (place, $0.score, $0.arrival) }
                isCut = isCut || output.next != nil
                next(rest.dropFirst())
            }
        }
        next(places[...])
    }

    /// Reads the hits of a page, in its order.
    private func tell(_ page: [(place: Place, arrival: Int64)], cursor: String?, isCut: Bool) {
        func next(_ rest: ArraySlice<Place>) {
            guard let place = rest.first else {
                let ordered = page.compactMap { wanted in
                    hits.first { $0.place == wanted.place && $0.hit.arrival == wanted.arrival }?.hit
                }
                var answer = Method.Search.Result(
                    hits: ordered.map { Method.Search.Hit($0) }, nextCursor: cursor)
                if isCut { answer.approximate = true }
                return request.reply(answer)
            }
            let arrivals = page.filter { $0.place == place }.map(\.arrival)
            var look = look(limit: max(1, arrivals.count))
            look.place = .only(arrivals)
            all(look, in: place) { [self] output in
                hits += output.hits.map { (place, $0) }
                next(rest.dropFirst())
            }
        }
        next(Array(Set(page.map(\.place)))[...])
    }
}

extension MessageFilter {
    /// What a client asks for, of an owner's sessions.
    fileprivate init(_ parameters: Method.Search.Parameters, owner: UserID?) {
        self.init(owner: owner)
        role = parameters.role
        from = parameters.from
        to = parameters.to
        tag = parameters.tag
        upstream = parameters.upstream
        model = parameters.model
        isArchived = parameters.isArchived
        isTrashed = parameters.isTrashed
        includesAllBranches = parameters.branches == .all
    }
}

extension Method.Search.Hit {
    /// A hit as the archive gave it.
    fileprivate init(_ hit: SearchHit) {
        self.init(
            sessionId: hit.session, createdAt: Wire.Time(hit.createdAt), snippet: .init(hit.snippet))
        messageId = hit.message
        seq = hit.seq
        role = hit.role
        branch = Int(hit.branch.number)
        active = hit.isActive
        title = hit.title
        before = hit.before.isEmpty ? nil : hit.before.map { .init($0) }
        after = hit.behind.isEmpty ? nil : hit.behind.map { .init($0) }
    }
}

extension [Method.Search.Piece] {
    fileprivate init(_ snippet: Snippet) {
        self = snippet.pieces.map { Method.Search.Piece(text: $0.text, hit: $0.isHit) }
    }
}

extension Method.Search.Neighbour {
    fileprivate init(_ neighbour: SearchHit.Neighbour) {
        self.init(messageId: neighbour.id, role: neighbour.role, text: neighbour.text)
    }
}
