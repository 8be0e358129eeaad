internal import Conversation
package import JSON

/// What a server said when it failed, taken out of whatever shape it has: OpenAI's, Google's, Anthropic's, FastAPI's,
/// plain text, HTML or nothing (wire.md A6, C3, C6, E5).
package struct FailureReport: Sendable {
    /// HTTP status; nil for an error inside a stream.
    package var status: Int?
    /// Machine words: `code`, `type`, `status`, reasons and error codes of details.
    package var codes: Set<String> = []
    /// What it says to people, nested texts included.
    package var text = ""
    /// Google's names of the quotas that were hit.
    package var quotas: [String] = []
    /// The wait that it asks for, in milliseconds, from whichever place.
    package var retryAfter: Int?
    /// `x-should-retry`.
    package var shouldRetry: Bool?
    /// The parameter of the request that it complains of.
    package var parameter: String?
    /// Tokens of the request as the server counted them; nil where it named none.
    package var promptTokens: Int?
    /// Tokens that the model holds; nil where the server named none.
    package var contextLimit: Int?
    /// When the server takes requests again; milliseconds since 1970, nil where it named no wait that is worth a word.
    package private(set) var until: Int64?
    /// Whether there was no body at all.
    package var isEmpty = false
    /// Whether it came inside a stream, and does not call itself an error.
    package private(set) var isBare = false

    /// A failed HTTP answer.
    ///
    /// `now` is in milliseconds since 1970, for dates in `Retry-After`.
    package init(status: Int?, headers: [String: String] = [:], body: [UInt8], now: Int64 = 0) {
        self.status = status
        isEmpty = body.allSatisfy { $0 <= 0x20 }
        if let root = JSONDocument.repaired(body)?.root {
            read(root)
            // Chunks of an answer are no words about a failure.
            if text.isEmpty, !FailureReport.isAnswer(root) {
                text = String(decoding: body.prefix(2_000), as: UTF8.self)
            }
        } else if !isEmpty {
            readText(body)
        }
        shouldRetry = headers["x-should-retry"].flatMap(Bool.init)
        retryAfter = RetryAfter.milliseconds(headers, now: now) ?? retryAfter ?? Durations.pause(in: text)
        if let wait = retryAfter, wait >= FailureReport.longWait, now > 0 { until = now + Int64(wait) }
    }

    /// Whether a value is a piece of an answer in one of the dialects, alone or in an array.
    private static func isAnswer(_ view: JSONView) -> Bool {
        if view.kind == .array { return view.elements.contains { isAnswer($0) } }
        return ["candidates", "choices", "content", "content_block", "delta"].contains { view[$0] != nil }
            || view["message"]?.kind == .object
    }

    /// Milliseconds from which a wait is told with its end.
    private static let longWait = 60_000

    /// What is no JSON: words, a page, a stream, or JSON that was cut, of which nothing is quoted, since it may hold what
    /// somebody said.
    private mutating func readText(_ body: [UInt8]) {
        let body = body.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(body[3...]) : body
        let start = String(decoding: body.prefix(2_000), as: UTF8.self), lower = start.lowercased()
        if lower.contains("<html") || lower.contains("<!doctype") {
            text = "it sent an HTML page"
        } else if ["data:", "event:", "error:", "id:", ":"].contains(where: lower.hasPrefix) {
            var parser = EventStreamParser()
            for case .event(_, let data) in parser.feed(body) + parser.finish() {
                guard let view = JSONDocument.repaired(data)?.root else { continue }
                if FailureReport.isError(view) { return read(view) }
            }
            text = "it sent a stream that tells of no error"
        } else if body.first(where: { $0 > 0x20 }).map({ $0 == 0x7B || $0 == 0x5B }) ?? false {
            text = "it sent JSON that is cut or broken"
        } else {
            text = start
        }
    }

    /// An error inside a stream that began well.
    package init(inStream view: JSONView) {
        isBare = view["error"] == nil && view["type"]?.string != "error"
        read(view)
        retryAfter = retryAfter ?? Durations.pause(in: text)
    }

    /// Whether a JSON value tells of an error at all.
    package static func isError(_ view: JSONView) -> Bool {
        if view.kind == .array { return view.elements.contains { isError($0) } }
        if let error = view["error"], isTold(error) { return true }
        if ["error", "response.failed"].contains(view["type"]?.string) || view["object"]?.string == "error" {
            return true
        }
        // MiniMax counts beside it.
        let isEmpty = view["choices"].map { $0.count == 0 } ?? true
        if isEmpty, let status = view["base_resp"]?["status_code"]?.int, status != 0 { return true }
        return view.kind == .object && !hasAnswer(view) && isBare(view)
    }

    /// Whether a value has a part of an answer, or is an event of one.
    private static func hasAnswer(_ view: JSONView) -> Bool {
        ["candidates", "choices", "content", "content_block", "delta", "usage", "usageMetadata"].contains {
            view[$0].map { $0.count > 0 } ?? false
        } || view["message"]?.kind == .object
    }

    /// Whether a value that has no part of an answer says what failed without calling it an error: DashScope and Google a code
    /// and a message, Baidu a number of its own, FastAPI a detail, MiniMax a status, Cloudflare a list (wire.md C3, C5, E5).
    private static func isBare(_ view: JSONView) -> Bool {
        func isTold(_ name: String) -> Bool { view[name].map { FailureReport.isTold($0) } ?? false }
        if isTold("errors") || isTold("error_code") || isTold("error_msg") || isTold("detail") { return true }
        let code = view["code"]?.string?.lowercased() ?? view["code"]?.int.map(String.init) ?? ""
        if ["", "0", "200", "ok", "success"].contains(code) { return false }
        return isTold("message") || isTold("status")
    }

    /// Whether the value of `error` is one: empty ones ride along with answers (wire.md C2).
    private static func isTold(_ error: JSONView) -> Bool {
        switch error.kind {
        case .null: false
        case .bool: error.bool == true
        case .number: error.double != 0
        case .string: error.string?.isEmpty == false
        case .array, .object: error.count > 0
        }
    }

    private mutating func read(_ root: JSONView) {
        if root.kind == .array {  // Google wraps it (wire.md A3)
            if let first = root.elements.first(where: { $0.kind == .object }) { read(first) }
            return
        }
        if let plain = root.string { return add(text: plain) }
        if let error = root["error"], error.kind == .string || error.kind == .object {
            add(code: error.kind == .string ? nil : root["type"])
            if let plain = error.string {
                add(text: plain)
                add(text: root["error_description"]?.string ?? root["message"]?.string)
            } else {
                readError(error)
            }
            return
        }
        if let error = root["response"]?["error"], error.kind == .object { return readError(error) }
        if let first = root["errors"]?.elements.first(where: { $0.kind == .object }) { readError(first) }
        if let status = root["base_resp"] {  // MiniMax
            add(code: status["status_code"])
            add(text: status["status_msg"]?.string)
        }
        add(text: root["error_msg"]?.string)  // Baidu
        readError(root)
    }

    private mutating func readError(_ error: JSONView) {
        for key in ["code", "type", "status", "error_code"] { add(code: error[key]) }
        for key in ["innererror", "details"] {
            add(code: error[key]?["code"])
            add(code: error[key]?["error_code"])
        }
        parameter = error["param"]?.string ?? parameter
        promptTokens = error["n_prompt_tokens"]?.tokens ?? promptTokens
        contextLimit = error["n_ctx"]?.tokens ?? contextLimit
        add(text: error["message"]?.string)
        add(text: error["detail"].map { $0.string ?? String(decoding: $0.raw.prefix(2_000), as: UTF8.self) })
        for detail in error["details"]?.elements ?? JSONElements.none { readDetail(detail) }
        guard let metadata = error["metadata"] else { return }
        if metadata["flagged_input"] != nil { codes.insert("flagged_input") }  // OpenRouter (wire.md C6)
        guard let raw = metadata["raw"] else { return }  // it passes the provider's own text on
        if raw.kind == .object { return read(raw) }
        add(text: raw.string)
        if let nested = try? JSONDocument(raw.utf8 ?? []).root, nested.kind == .object { read(nested) }
    }

    /// One of Google's details (wire.md A6).
    private mutating func readDetail(_ detail: JSONView) {
        add(code: detail["reason"])
        if let delay = detail["retryDelay"]?.string {
            retryAfter = Durations.leading(delay[...]) ?? retryAfter
        }
        for violation in detail["violations"]?.elements ?? JSONElements.none {
            if let id = violation["quotaId"]?.string { quotas.append(id) }
        }
        for member in detail["metadata"]?.members ?? JSONMembers.none where member.key.hasPrefix("quota") {
            if let value = member.value.string { quotas.append(value) }
        }
    }

    private mutating func add(code view: JSONView?) {
        guard let view, !view.isNull, view.kind == .string || view.kind == .number else { return }
        codes.insert(view.string ?? String(decoding: view.raw, as: UTF8.self))
    }

    private mutating func add(text more: String?) {
        guard let more, !more.isEmpty, text.utf8.count < FailureReport.longest else { return }
        let words = String(more.prefix(FailureReport.longest))
        if !text.contains(words) { text += text.isEmpty ? words : " \(words)" }
    }

    /// Bytes of what is said that are looked at, more or less: enough to know what is meant.
    private static let longest = 4_000
    /// Characters of what is said that are shown.
    private static let shown = 200

    /// What was said, on one line, cut to 200 characters, with anything that looks like a key taken out.
    package static func clean(_ text: String) -> String {
        // Neither control characters nor those that turn the direction of what follows.
        let words = text.unicodeScalars.split {
            $0.properties.isWhitespace || $0.properties.generalCategory == .control
                || $0.properties.generalCategory == .format && $0 != "\u{200D}"
        }.map {
            String(String.UnicodeScalarView($0))
        }
        var out: [String] = [], isBehindScheme = false
        for word in words {
            let isSecret =
                isBehindScheme || secretMarks.contains { word.contains($0) } || looksLikeKey(word)
            out.append(isSecret ? "…" : word)
            isBehindScheme = word == "Bearer" || word.hasSuffix("\"Bearer")
        }
        let line = out.joined(separator: " ")
        return line.count <= shown ? line : line.prefix(shown - 1) + "…"
    }

    /// Characters of one run from which a mixture of letters and digits counts as a key.
    private static let suspicious = 20

    /// Whether a word holds a run that no name and no number looks like: long, of letters and digits mixed, without the
    /// dashes, dots and slashes that part the words of models and addresses.
    private static func looksLikeKey(_ word: String) -> Bool {
        var letters = 0, digits = 0, changes = 0, wasDigit: Bool?
        for byte in word.utf8 {
            let isDigit = (0x30...0x39).contains(byte)
            guard
                isDigit || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2B
                    || byte == 0x3D || byte == 0x5F
            else {
                (letters, digits, changes, wasDigit) = (0, 0, 0, nil)
                continue
            }
            if isDigit { digits += 1 } else { letters += 1 }
            if let wasDigit, wasDigit != isDigit { changes += 1 }
            wasDigit = isDigit
            if letters + digits >= suspicious && letters > 0 && changes >= 3 { return true }
        }
        return false
    }

    /// What keys begin with, or stand behind.
    private static let secretMarks = [
        "AIza", "Bearer", "GOCSPX-", "Token=", "api_key=", "eyJ", "gsk_", "key=", "sk-", "sk_", "token=",
        "xai-",
        "ya29.",
    ]
}

extension JSONElements {
    /// No elements.
    static var none: JSONElements { JSONDocument.empty.root.elements }
}

extension JSONMembers {
    /// No members.
    static var none: JSONMembers { JSONDocument.empty.root.members }
}

extension JSONDocument {
    /// An empty array.
    fileprivate static let empty: JSONDocument = {
        guard let document = try? JSONDocument(Array("[]".utf8)) else { preconditionFailure("[] is JSON") }
        return document
    }()
}
