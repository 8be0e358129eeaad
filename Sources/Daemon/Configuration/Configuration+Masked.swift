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
            }
            $0.member("limits") {
                $0.member("line", "\(limits.line)B")
                $0.member("depth", limits.depth)
                $0.member("connections", limits.connections)
                $0.member("outbox", "\(limits.outbox)B")
                $0.member("queue", limits.queue)
            }
            $0.member("window") {
                $0.member("strategy", window.strategy.rawValue)
                for (name, value) in [
                    ("maxTokens", window.maxTokens), ("maxTurns", window.maxTurns),
                    ("maxMessages", window.maxMessages),
                ] {
                    $0.key(name)
                    if let value { $0.int(value) } else { $0.null() }
                }
                $0.member("reserveTokens", window.reserveTokens)
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
            }
            $0.member("drain", "\(drain)ms")
        }
    }

    private func write(_ upstream: UpstreamSettings, to writer: inout JSONWriter) {
        writer.member(upstream.name) {
            $0.member("kind", upstream.kind.rawValue)
            $0.optional("model", upstream.model)
            guard upstream.kind != .echo else { return $0.member("delay", "\(upstream.delay)ms") }
            $0.member("baseURL", upstream.baseURL)
            $0.optional("contextLength", upstream.contextLength)
            $0.key("keys")
            $0.array {
                for key in upstream.keys {
                    $0.object {
                        switch key {
                        case .environment(let name): $0.member("env", name)
                        case .file(let path): $0.member("file", path)
                        case .credential(let name): $0.member("credential", name)
                        }
                    }
                }
            }
            $0.member("timeouts") {
                $0.member("connect", "\(upstream.timeouts.connect)ms")
                $0.member("firstToken", "\(upstream.timeouts.firstToken)ms")
                $0.member("gap", "\(upstream.timeouts.gap)ms")
            }
        }
    }
}
