internal import Archive
internal import ContextWindow
internal import Conversation
internal import Protocol
internal import Store

extension Handlers {
    static let summarizing: [Handler] = [
        .on(Method.SessionCompact.self) { $0.compact },
        .on(Method.SessionTitle.self) { $0.nameSession },
        .on(Method.SummaryDelete.self) { $0.deleteSummary },
        .on(Method.SummaryGet.self) { $0.getSummary },
        .on(Method.SummaryList.self) { $0.listSummaries },
        .on(Method.SummarySet.self) { $0.setSummary },
    ]

    private func compact(_ request: Request<Method.SessionCompact>) throws(WireError) {
        withSession(request.call, request.parameters.id) { [self] record in
            let call = request.call
            let parameters = request.parameters
            let cancel = summaries.compact(record, parameters.instructions, isDryRun: parameters.isDryRun) {
                result in
                if call.isAnswered { return }
                switch result {
                case .success(let summary): request.reply(Wire.Summary(summary))
                case .failure(let error): request.fail(error)
                }
            }
            if !call.isAnswered { call.onCancel = cancel }
        }
    }

    private func nameSession(_ request: Request<Method.SessionTitle>) throws(WireError) {
        let call = request.call
        withSession(call, request.parameters.id) { [self] record in
            let cancel = summaries.titles.name(record) { [self] result in
                if call.isAnswered { return }
                switch result {
                case .success(let named):
                    publishTitle(named, request.client)
                    request.reply(whole(named))
                case .failure(let error): request.fail(error)
                }
            }
            if !call.isAnswered { call.onCancel = cancel }
        }
    }

    private func listSummaries(_ request: Request<Method.SummaryList>) throws(WireError) {
        let before = try PageCursor.number("s", request.parameters.cursor)
        withSession(request.call, request.parameters.id) { [self] record in
            let list = Archive.SummaryList(record, before: before, limit: request.parameters.limit)
            look(request.call, list, of: record.row) { found in
                request.reply(
                    .init(
                        summaries: found.summaries.map { Wire.Summary($0) },
                        nextCursor: found.next.map { PageCursor.text("s", $0) }))
            }
        }
    }

    private func getSummary(_ request: Request<Method.SummaryGet>) throws(WireError) {
        let id = request.parameters.summaryID
        withSession(request.call, request.parameters.id) { [self] record in
            look(request.call, SummaryByID(id, of: record.row), of: record.row) {
                [self] (found) throws(WireError) in
                guard let found else { throw noSummary(id, record) }
                request.reply(
                    .init(
                        summary: Wire.Summary(found.summary),
                        attempts: found.attempts.map { Wire.Attempt($0) }))
            }
        }
    }

    private func setSummary(_ request: Request<Method.SummarySet>) throws(WireError) {
        let id = request.parameters.summaryID
        withSession(request.call, request.parameters.id) { [self] record in
            look(request.call, SummaryByID(id, of: record.row), of: record.row) {
                [self] (found) throws(WireError) in
                guard let found else { throw noSummary(id, record) }
                // Whether it goes hangs on who is asked now; who cannot be asked has no window.
                request.call.beginLook()
                routes.resolve(record.session, TurnOptions()) { [self] candidates in
                    defer { request.call.endLook() }
                    if request.call.isAnswered { return }
                    do throws(WireError) {
                        if let candidate = (try? candidates.get())?.first {
                            try checkRoom(found.summary, request.parameters.text, record, candidate)
                        }
                        edit(request, record)
                    } catch { request.fail(error) }
                }
            }
        }
    }

    /// A summary that goes into no window would be shown as one that does.
    private func checkRoom(
        _ summary: Summary, _ text: String, _ record: SessionRecord, _ candidate: Candidate
    ) throws(WireError) {
        var edited = summary
        edited.text = text
        let room = try routes.windows.summaryRoom(
            of: record, for: candidate, isRequested: summary.isRequested)
        let needed = room.weights.tokens(TokenEstimate.size(of: [.text(edited.told ?? text)]))
        if needed <= room.tokens { return }
        throw WireError(
            .contextOverflow,
            "the summary would need \(needed) tokens, and may have \(room.tokens) in this session's window; say it shorter, or raise 'window.maxTokens'",
            details: [
                "needed": Array(String(needed).utf8), "budget": Array(String(room.tokens).utf8),
            ])
    }

    private func edit(_ request: Request<Method.SummarySet>, _ record: SessionRecord) {
        let id = request.parameters.summaryID
        let edit = EditSummary(id, of: record.row, text: request.parameters.text)
        // What is being made is told the words that it had.
        summaries.changed(record.row)
        archives.write(edit, of: record.row) { [self] result in
            switch result {
            case .success(let changed?):
                channels.tell(
                    Wire.CompactionUpdate(changed, .completed), of: record.session.id, on: record.row)
                request.reply(Wire.Summary(changed))
            case .success(nil): request.fail(noSummary(id, record))
            case .failure(let error): request.fail(WireError(error))
            }
        }
    }

    private func deleteSummary(_ request: Request<Method.SummaryDelete>) throws(WireError) {
        let id = request.parameters.summaryID
        withSession(request.call, request.parameters.id) { [self] record in
            look(request.call, SummaryByID(id, of: record.row), of: record.row) {
                [self] (found) throws(WireError) in
                guard found != nil else { throw noSummary(id, record) }
                summaries.changed(record.row)  // as above
                archives.write(RemoveSummary(id, of: record.row), of: record.row) { [self] result in
                    switch result {
                    case .success(true): request.reply(Done())
                    case .success(false): request.fail(noSummary(id, record))
                    case .failure(let error): request.fail(WireError(error))
                    }
                }
            }
        }
    }

    private func noSummary(_ id: SummaryID, _ record: SessionRecord) -> WireError {
        WireError(
            .notFound,
            "session '\(record.session.id.text)' has no summary '\(id)'; '_convod/summary/list' shows those it has"
        )
    }
}

extension Wire.Summary {
    /// A summary with what it costs in a window.
    init(_ summary: Summary) {
        self.init(summary, tokens: summary.told.map { TokenEstimate.message([.text($0)]) })
    }
}
