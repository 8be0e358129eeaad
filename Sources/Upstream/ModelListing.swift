internal import JSON

/// A question to a server that somebody waits for.
package protocol UpstreamQuestion: AnyObject {
    /// Whoever asked does not wait any more; the server is left alone when nobody does.
    func cancel()
}

/// A question that needs no server.
package final class AnsweredQuestion: UpstreamQuestion {
    private(set) var isCancelled = false
    package init() {}
    package func cancel() { isCancelled = true }
}

/// The list of a server's models, page by page: one look at a time, whose answer all get who asked meanwhile.
///
/// Belongs to the loop's thread.
final class ModelListing {
    typealias Answer = Result<[ModelDescription], UpstreamFailure>
    /// Asks for a page by its token; what comes back breaks the exchange off.
    typealias Ask = (String?, @escaping (Result<[UInt8], UpstreamFailure>) -> Void) -> any UpstreamQuestion

    /// Pages and bytes of a list at most, whatever a server says of a next page.
    private static let mostPages = 100, mostBytes = 10 << 20
    private static let mostModels = 10_000

    private final class Asker: UpstreamQuestion {
        let number: Int
        weak var listing: ModelListing?
        init(_ number: Int, _ listing: ModelListing) {
            self.number = number
            self.listing = listing
        }
        func cancel() { listing?.leave(number) }
    }

    private let dialect: any Dialect
    private let ask: Ask
    private var waiting: [Int: (Answer) -> Void] = [:]
    private var next = 0
    private var exchange: (any UpstreamQuestion)?
    private var models: [ModelDescription] = []
    private var pages = 0, bytes = 0

    init(_ dialect: any Dialect, ask: @escaping Ask) {
        self.dialect = dialect
        self.ask = ask
    }

    /// Waits for the list, which is asked for unless it is already.
    func join(_ receive: @escaping (Answer) -> Void) -> any UpstreamQuestion {
        next += 1
        waiting[next] = receive
        if waiting.count == 1 {
            (models, pages, bytes) = ([], 0, 0)
            page(nil)
        }
        return Asker(next, self)
    }

    private func leave(_ number: Int) {
        guard waiting.removeValue(forKey: number) != nil, waiting.isEmpty else { return }
        exchange?.cancel()
        exchange = nil
    }

    private func page(_ token: String?) {
        exchange = ask(token) { [weak self] result in self?.take(result, token) }
    }

    private func take(_ result: Result<[UInt8], UpstreamFailure>, _ token: String?) {
        if waiting.isEmpty { return }
        switch result {
        case .failure(let failure): end(.failure(failure))
        case .success(let body):
            let (found, following) = dialect.models(in: body)
            models += found
            pages += 1
            bytes += body.count
            guard let following, following != token, models.count < ModelListing.mostModels else {
                return end(.success(models))
            }
            guard pages < ModelListing.mostPages, bytes < ModelListing.mostBytes else {
                // What was found is of use; a list without end and without models is none.
                if !models.isEmpty { return end(.success(models)) }
                let words =
                    "the upstream's list of models does not end: \(pages) pages of \(bytes) bytes name no model and a next page"
                return end(.failure(UpstreamFailure(.protocolError, words, isRetryable: false)))
            }
            page(following)
        }
    }

    private func end(_ answer: Answer) {
        exchange = nil
        let askers = waiting.sorted { $0.key < $1.key }
        waiting = [:]
        for (_, receive) in askers { receive(answer) }
    }
}
