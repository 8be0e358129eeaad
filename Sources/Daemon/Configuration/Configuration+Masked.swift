internal import ContextWindow
internal import JSON
internal import Protocol
internal import Upstream

extension Configuration {
    /// The configuration in force as JSON.
    ///
    /// Keys show where they come from, never what they are.
    package func masked(socket: String, database: String) -> [UInt8] {
        JSONWriter.object {
            $0.member("socket") {
                $0.member("path", socket)
                $0.member("mode", "0" + String(access.mode, radix: 8))
            }
            $0.member("database") {
                $0.member("path", database)
                $0.member("durability", isDurabilityFull ? "full" : "normal")
                $0.member("index", isIndexing)
            }
            $0.member("limits") {
                $0.member("line", "\(limits.line)B")
                $0.member("depth", limits.depth)
                $0.member("connections", limits.connections)
                $0.member("outbox", "\(limits.outbox)B")
                $0.member("buffers", "\(limits.buffers)B")
                $0.member("userBuffers", "\(limits.userBuffers)B")
                $0.member("queue", limits.queue)
                $0.member("queued", "\(limits.queued)B")
                $0.member("requests", limits.requests)
                $0.member("unstored", "\(limits.unstoredAll)B")
                $0.member("ephemeral", "\(limits.ephemeral)B")
            }
            $0.member("window") {
                $0.member("strategy", window.strategy.rawValue)
                for (name, value) in [
                    ("maxTokens", window.maxTokens), ("maxTurns", window.maxTurns),
                    ("maxMessages", window.maxMessages), ("pinTokens", window.pinTokens),
                ] {
                    $0.key(name)
                    if let value { $0.int(value) } else { $0.null() }
                }
                $0.member("reserveTokens", window.reserveTokens)
                $0.key("lowMark")
                if let mark = window.lowMark { $0.double(mark) } else { $0.null() }
            }
            $0.member("upstreams") { for upstream in upstreams { write(upstream, to: &$0) } }
            $0.member("routes") {
                for (name, names) in routes.sorted(by: { $0.key < $1.key }) {
                    $0.key(name)
                    $0.array { for name in names { $0.string(name) } }
                }
            }
            $0.member("retry") {
                $0.member("attempts", retry.attempts)
                $0.member("total", "\(retry.total)ms")
                $0.member("base", "\(retry.base)ms")
                $0.member("cap", "\(retry.cap)ms")
                $0.member("patience", "\(retry.patience)ms")
                $0.member("cutStream", retry.cutStream.rawValue)
            }
            writeLimits(to: &$0)
            $0.member("retention") {
                $0.member("trash", "\(retention.trash)ms")
                $0.optional("age", retention.age.map { "\($0)ms" })
                $0.optional("size", retention.size.map { "\($0)B" })
                $0.optional("tag", retention.tag)
            }
            $0.member("drain", "\(drain)ms")
        }
    }

    private func writeLimits(to writer: inout JSONWriter) {
        writer.member("throttle") {
            $0.nullable("promptsPerMinute", userThrottle.requestsPerMinute)
            $0.nullable("tokensPerMinute", userThrottle.tokensPerMinute)
            $0.member("wait", "\(throttleWait)ms")
        }
        writer.member("quotas") {
            $0.member("user") {
                $0.nullable("tokensPerDay", quotas.user.tokens)
                $0.dollars("costPerDay", quotas.user.cost)
            }
            $0.member("session") {
                $0.nullable("tokens", quotas.session.tokens)
                $0.dollars("cost", quotas.session.cost)
            }
        }
        writer.member("summarizer") {
            $0.optional("upstream", summarizer.upstream)
            $0.optional("model", summarizer.model)
            $0.member("maxTokens", summarizer.maxTokens)
            $0.member("timeout", "\(summarizer.timeout)ms")
        }
        writer.member("cache") {
            $0.member("enabled", cache.isOn)
            $0.member("age", "\(cache.age)ms")
            $0.member("entries", cache.entries)
        }
    }

    private func write(_ upstream: UpstreamSettings, to writer: inout JSONWriter) {
        writer.member(upstream.name) {
            $0.member("kind", upstream.kind.name)
            $0.optional("model", upstream.model)
            $0.optional("window", raw: upstream.window)
            if upstream.kind.isLocal { return writeOptions(upstream, isWhole: true, to: &$0) }
            $0.member("baseURL", upstream.baseURL)
            $0.optional("contextLength", upstream.contextLength)
            if let google = upstream.google {
                write(google, to: &$0)
            } else {
                $0.key("keys")
                $0.array { for key in upstream.keys { write(key, to: &$0) } }
            }
            $0.member("timeouts") {
                $0.member("connect", "\(upstream.timeouts.connect)ms")
                $0.member("firstToken", "\(upstream.timeouts.firstToken)ms")
                $0.member("gap", "\(upstream.timeouts.gap)ms")
            }
            writeMore(upstream, to: &$0)
        }
    }

    /// What only its kind knows; with `isWhole` also what is as it is without a word.
    private func writeOptions(_ upstream: UpstreamSettings, isWhole: Bool, to writer: inout JSONWriter) {
        for option in upstream.kind.options {
            let value = upstream.options[option.name] ?? option.value
            guard isWhole || value != option.value else { continue }
            switch value {
            case .flag(let flag): writer.member(option.name, flag)
            case .word(let word): writer.optional(option.name, word)
            case .promptCache(.none): writer.member(option.name, false)
            case .promptCache(let cache): writer.member(option.name, cache.rawValue)
            case .milliseconds(let time): writer.member(option.name, "\(time)ms")
            }
        }
    }

    private func writeMore(_ upstream: UpstreamSettings, to writer: inout JSONWriter) {
        if upstream.throttle != .init() {
            writer.member("throttle") {
                $0.nullable("requestsPerMinute", upstream.throttle.requestsPerMinute)
                $0.nullable("tokensPerMinute", upstream.throttle.tokensPerMinute)
            }
        }
        writer.member("breaker") {
            $0.member("failures", upstream.breaker.failures)
            $0.member("cooldown", "\(upstream.breaker.cooldown)ms")
            $0.member("longest", "\(upstream.breaker.longest)ms")
        }
        if let price = upstream.price {
            writer.member("price") {
                $0.key("input"); $0.double(price.input)
                $0.key("output"); $0.double(price.output)
                for (name, value) in [
                    ("cachedInput", price.cachedInput), ("cacheWrite5m", price.cacheWrite5m),
                    ("cacheWrite1h", price.cacheWrite1h),
                ] {
                    if let value { $0.key(name); $0.double(value) }
                }
            }
        }
        if !upstream.headers.isEmpty {
            writer.member("headers") { for name in upstream.headers.keys.sorted() { $0.member(name, "…") } }
        }
        writer.optional("caFile", upstream.caFile)
        writeOptions(upstream, isWhole: false, to: &writer)
        if let signing = upstream.signing {
            writer.member("signing") {
                $0.key("secret")
                write(signing.secret, to: &$0)
                $0.optional("keyId", signing.keyID)
                $0.member("header", signing.header)
            }
        }
    }

    private func write(_ key: KeySource, to writer: inout JSONWriter) {
        writer.object {
            switch key {
            case .environment(let name): $0.member("env", name)
            case .file(let path): $0.member("file", path)
            case .credential(let name): $0.member("credential", name)
            case .command(let words):
                // Its arguments may hold a secret.
                $0.key("command")
                $0.array {
                    $0.string(words.first ?? ""); if words.count > 1 { $0.string("…") }
                }
            }
        }
    }

    private func write(_ google: GoogleSettings, to writer: inout JSONWriter) {
        writer.member("credentials") {
            switch google.source {
            case .serviceAccount(let path): $0.member("serviceAccount", path)
            case .authorizedUser(let path): $0.member("authorizedUser", path)
            case .metadataServer: $0.member("metadataServer", true)
            case .applicationDefault: $0.member("applicationDefault", true)
            }
            $0.key("scopes")
            $0.array { for scope in google.scopes { $0.string(scope) } }
            $0.optional("quotaProject", google.quotaProject)
            $0.optional("tokenURL", google.tokenURL)
            $0.optional("audience", google.audience)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func nullable(_ name: String, _ value: Int?) {
        key(name)
        if let value { int(value) } else { null() }
    }

    /// Millionths of a dollar as dollars.
    fileprivate mutating func dollars(_ name: String, _ value: Int?) {
        key(name)
        if let value { double(Double(value) / 1_000_000) } else { null() }
    }
}
