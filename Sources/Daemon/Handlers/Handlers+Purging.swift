internal import Archive
internal import Conversation
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    static let purging: [Handler] = [.on(Method.SessionPurge.self) { $0.purgeSession }]

    private func purgeSession(_ request: Request<Method.SessionPurge>) throws(WireError) {
        let id = request.parameters.id
        withSession(request.call, id, orTrashed: true) { [self] (record) throws(WireError) in
            guard engine.running(on: record.row) == nil, !(engine.line(on: record.row)?.isTaken ?? false)
            else {
                throw WireError(
                    .busy, "a turn is running on session '\(id.text)'; wait for its end, or cancel it")
            }
            purges.purge([record.row], archives) { result in
                switch result {
                case .success(let sums) where sums.isEmpty: request.fail(.noSession(id))
                case .success(let sums):
                    let sum = sums.values.reduce(PurgeSum(), +)
                    request.reply(
                        .init(messages: sum.messages, bytes: sum.bytes, sharedMessages: sum.shared))
                case .failure(let error): request.fail(WireError(error))
                }
            }
        }
    }
}

/// Sessions that are on their way out, and who waits until they are gone.
final class Purges {
    private struct Waiting {
        var rows: Set<SessionRow>
        var sums: [SessionRow: PurgeSum] = [:]
        let then: (Result<[SessionRow: PurgeSum], ArchiveError>) -> Void
    }

    private var waiting: [Waiting] = []

    /// Sessions are gone from every file.
    func purged(_ sums: [SessionRow: PurgeSum]) {
        for index in waiting.indices {
            for (row, sum) in sums where waiting[index].rows.remove(row) != nil {
                waiting[index].sums[row] = sum
            }
        }
        let done = waiting.filter(\.rows.isEmpty)
        waiting.removeAll(where: \.rows.isEmpty)
        for one in done { one.then(.success(one.sums)) }
    }

    /// Purges sessions; `then` gets what went with those that were there, once they are gone from every file.
    func purge(
        _ rows: [SessionRow], onlyTrashed: Bool = false, _ archives: Archives,
        then: @escaping (Result<[SessionRow: PurgeSum], ArchiveError>) -> Void
    ) {
        if rows.isEmpty { return then(.success([:])) }
        var left = rows.count, there: Set<SessionRow> = [], failure: ArchiveError?
        func answered() {
            left -= 1
            if left > 0 { return }
            if let failure { return then(.failure(failure)) }
            if there.isEmpty { return then(.success([:])) }
            waiting.append(Waiting(rows: there, then: then))
        }
        for row in rows {
            archives.write(PurgeSession(row, onlyTrashed: onlyTrashed), of: row) { result in
                switch result {
                case .success(true): there.insert(row)
                case .success(false): break
                case .failure(let error): failure = error
                }
                answered()
            }
        }
    }
}
