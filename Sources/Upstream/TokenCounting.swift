internal import JSON

/// One way to ask a server how many tokens a request has.
package struct TokenCounting: Sendable {
    /// What an answer gives.
    package enum Found: Sendable {
        /// The count; nil where the answer has none.
        case tokens(Int?)
        /// What is to be asked with it.
        indirect case ask(TokenCounting)
    }

    package let url: String
    package let body: [UInt8]
    package let read: @Sendable ([UInt8]) -> Found

    package init(_ url: String, _ body: [UInt8], _ read: @escaping @Sendable ([UInt8]) -> Found) {
        self.url = url
        self.body = body
        self.read = read
    }

    /// A way whose answer has the count under a name.
    static func naming(_ name: String, _ url: String, _ body: [UInt8]) -> TokenCounting {
        TokenCounting(url, body) { .tokens(((try? JSONDocument($0).root[name]) ?? nil)?.tokens) }
    }

    /// Asks one way after the other, until one tells; nil where none can, as compatible servers often lack it (wire.md E7).
    static func ask(
        _ ways: [TokenCounting],
        by exchange: @escaping (TokenCounting, @escaping (Result<[UInt8], UpstreamFailure>) -> Void) -> Void,
        _ receive: @escaping (Result<Int?, UpstreamFailure>) -> Void
    ) {
        guard let first = ways.first else { return receive(.success(nil)) }
        let rest = Array(ways.dropFirst())
        exchange(first) { result in
            switch result {
            case .failure(let failure) where [404, 405, 501].contains(failure.status):
                ask(rest, by: exchange, receive)
            case .failure(let failure): receive(.failure(failure))
            case .success(let body):
                switch first.read(body) {
                case .tokens(let count?): receive(.success(count))
                // Some servers say with 200 that there is nothing at this address.
                case .tokens(nil): ask(rest, by: exchange, receive)
                case .ask(let next): ask([next] + rest, by: exchange, receive)
                }
            }
        }
    }
}

/// The way in which a server of one's own counts tokens, told by whom it says its models are owned by.
package enum TokenCounter: String, Sendable {
    case llamaCpp = "llamacpp"
    case vLLM = "vllm"
}
