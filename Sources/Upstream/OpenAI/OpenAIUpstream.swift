package import ContextWindow
internal import Conversation
package import EventLoop
internal import JSON

/// A server that speaks Chat Completions: OpenAI, Ollama, llama.cpp, vLLM, LM Studio, OpenRouter and many more.
package final class OpenAIUpstream: Upstream {
    package let name: String
    package let kind = "openai"
    package private(set) var model: String?
    package let rules = DialectRules.openAI

    private let settings: UpstreamSettings
    private let keys: KeyRing
    private let client: HTTPClient
    private let loop: EventLoop
    private let clock: () -> Int64

    /// `clock` gives milliseconds since 1970, for dates in `Retry-After`.
    package init(
        _ settings: UpstreamSettings, environment: [String: String], client: HTTPClient, loop: EventLoop,
        clock: @escaping () -> Int64
    ) {
        name = settings.name
        model = settings.model
        self.settings = settings
        keys = KeyRing(settings.keys, environment: environment)
        self.client = client
        self.loop = loop
        self.clock = clock
    }

    package var hasKey: Bool { (try? keys.key()) != nil }
    package var url: String? { settings.baseURL + "/chat/completions" }

    package func contextLength(of model: String) -> Int? {
        settings.contextLength ?? OpenAIUpstream.knownLength(model)
    }

    package func body(for request: ModelRequest) -> [UInt8] {
        OpenAIRequest.body(request, maxTokensField: isOpenAI ? .maxCompletionTokens : .maxTokens)
    }

    package func start(_ request: ModelRequest, _ receive: @escaping (UpstreamEvent) -> Void)
        -> any UpstreamCall
    {
        let call = OpenAICall(settings.timeouts, loop: loop, clock: clock, receive)
        do {
            let http = HTTPRequest(
                url: settings.baseURL + "/chat/completions",
                headers: try headers() + ["Content-Type: application/json", "Accept: text/event-stream"],
                body: body(for: request),
                connectTimeout: settings.timeouts.connect)
            call.begin(client, http)
        } catch {
            call.fail(error)
        }
        return call
    }

    package func listModels(_ receive: @escaping (Result<[ModelDescription], UpstreamFailure>) -> Void) {
        let url = settings.baseURL + "/models"
        do {
            let request = HTTPRequest(
                url: url, headers: try headers(), body: nil, connectTimeout: 3_000, totalTimeout: 10_000)
            fetch(request, client, clock) { result in
                receive(
                    result.map { body in
                        let list = (try? JSONDocument(body).root["data"]) ?? nil
                        return list?.elements.compactMap { entry in
                            entry["id"]?.string.map {
                                ModelDescription(
                                    id: $0,
                                    contextLength: (entry["max_model_len"] ?? entry["context_length"])?.int)
                            }
                        } ?? []
                    })
            }
        } catch {
            let failure = error
            loop.after(milliseconds: 0) { receive(.failure(failure)) }
        }
    }

    private var isOpenAI: Bool {
        settings.baseURL.contains("://api.openai.com") || settings.baseURL.contains(".openai.azure.com")
    }

    private func headers() throws(UpstreamFailure) -> [String] {
        let agent = "User-Agent: convod"
        guard let key = try keys.key() else { return [agent] }
        return [agent, "Authorization: Bearer \(key)"]
    }

    /// Context lengths that the vendor publishes, by the model's family.
    private static func knownLength(_ model: String) -> Int? {
        let families = [
            ("gpt-4.1", 1_047_576), ("gpt-4o", 128_000), ("gpt-4-turbo", 128_000), ("gpt-5", 400_000),
            ("gpt-3.5-turbo", 16_385),
            ("o1", 200_000), ("o3", 200_000), ("o4", 200_000),
        ]
        return families.first { model.hasPrefix($0.0) }?.1
    }
}

/// Gets a small JSON document; the answer comes on the loop.
package func fetch(
    _ request: HTTPRequest, _ client: HTTPClient, _ clock: @escaping () -> Int64,
    _ receive: @escaping (Result<[UInt8], UpstreamFailure>) -> Void
) {
    var status = 0, body: [UInt8] = [], wait: Int?
    _ = client.start(request) { event in
        switch event {
        case .head(let code, let headers):
            status = code
            wait = RetryAfter.milliseconds(headers, now: clock())
        case .body(let bytes): body += bytes.prefix(max(0, (8 << 20) - body.count))
        case .end:
            let isGood = (200...299).contains(status)
            receive(
                isGood
                    ? .success(body)
                    : .failure(OpenAIError.failure(status: status, anyBody: body, retryAfter: wait)))
        case .failed(let failure): receive(.failure(UpstreamFailure(transport: failure, hasContent: false)))
        }
    }
}

extension UpstreamFailure {
    /// The failure that a broken exchange is.
    init(transport failure: TransportFailure, hasContent: Bool) {
        if hasContent {
            self.init(
                .interrupted,
                "the upstream's stream was cut before the answer was whole: \(failure.message.lowercased())",
                isRetryable: true)
        } else if failure.isTimeout {
            self.init(.timeout, "the upstream could not be reached in time", isRetryable: true)
        } else {
            self.init(
                .unavailable, "the upstream cannot be reached: \(failure.message.lowercased())",
                isRetryable: failure.isRetryable)
        }
    }
}
