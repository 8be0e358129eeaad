internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

/// What one client measured, in microseconds.
struct BenchResult: Sendable {
    var samples: [BenchKind: [Int]] = [:]
    /// From a prompt to its first chunk.
    var first: [Int] = []
    var errors = 0
    /// What the first error said.
    var problem: String?
}

/// A thread that is waited for.
final class BenchThread {
    private var thread: Thread?

    init(_ body: @escaping @Sendable () -> Void) throws(PosixError) {
        thread = try Thread(named: "bench", body)
    }

    func join() { thread.take()?.join() }
}

/// One client, on a thread of its own.
final class BenchClient {
    private static let words =
        "The quick brown fox jumps over the lazy dog, and nobody knows why; 敏捷的棕色狐狸跳过了懒狗。 "

    private let socket: String
    private let session: String
    private let plan: BenchPlan
    /// Which of the clients it is, from 0.
    private let number: Int
    private var dice: UInt64
    private var result = BenchResult()

    init(_ socket: String, _ session: String, _ plan: BenchPlan, _ number: Int) {
        self.socket = socket
        self.session = session
        self.plan = plan
        self.number = number
        dice = UInt64(number + 1) &* 0x9E37_79B9_7F4A_7C15
    }

    func run(from start: UInt64, until isOver: Locked<Bool>) -> BenchResult {
        do throws(ClientError) {
            let client = try Client(connectingTo: socket)
            try begin(client)
            // All of them at once would be a burst, and more than was asked for.
            var next = start + (plan.pause.map { $0 / UInt64(plan.clients) * UInt64(number) } ?? 0)
            while next < start + plan.end, !isOver.withLock({ $0 }) {
                let now = Machine.monotonic()
                // What is left of a millisecond goes by at once.
                if now < next {
                    // A pause of an hour is looked up from now and then.
                    let pause = min((next - now) / 1_000_000, 100)
                    _ = try? System.wait(readable: [], milliseconds: Int32(pause))
                    if pause == 100 { continue }
                    while Machine.monotonic() < next {}
                }
                // A request that begins late is late for who wanted it.
                let began = plan.pause == nil ? Machine.monotonic() : next
                if Machine.monotonic() >= start + plan.end { break }
                try ask(client, began)
                next = plan.pause.map { next + $0 } ?? Machine.monotonic()
            }
        } catch {
            result.errors += 1
            result.problem = result.problem ?? error.description
        }
        return result
    }

    /// Makes the session, with something in it to read.
    private func begin(_ client: Client) throws(ClientError) {
        for _ in 0..<10 { try append(client) }
    }

    private func ask(_ client: Client, _ began: UInt64) throws(ClientError) {
        dice ^= dice << 13
        dice ^= dice >> 7
        dice ^= dice << 17
        let kind = plan.kind(dice)
        var first: UInt64?
        do throws(ClientError) {
            switch kind {
            case .append: try append(client)
            case .last:
                _ = try client.call(
                    named: Method.messageList.rawValue,
                    JSONWriter.object {
                        $0.member("sessionId", session); $0.member("last", 20)
                    })
            case .list:
                _ = try client.call(
                    named: Method.sessionFind.rawValue, JSONWriter.object { $0.member("limit", 50) })
            case .search:
                _ = try client.call(
                    named: Method.search.rawValue,
                    JSONWriter.object {
                        $0.member("query", "fox"); $0.member("limit", 20)
                    })
            case .prompt:
                let params = JSONWriter.object {
                    $0.member("sessionId", session)
                    $0.key("prompt")
                    $0.array {
                        $0.object {
                            $0.member("type", "text"); $0.member("text", "hello")
                        }
                    }
                }
                _ = try client.call(named: Method.sessionPrompt.rawValue, params) { event in
                    guard case .notification(_, let params?) = event,
                        params["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
                    else { return }
                    first = first ?? Machine.monotonic()
                }
            }
        } catch {
            guard case .remote = error.code else { throw error }
            result.errors += 1
            result.problem = result.problem ?? error.description
            return
        }
        func microseconds(_ end: UInt64) -> Int { Int((end - began) / 1_000) }
        result.samples[kind, default: []].append(microseconds(Machine.monotonic()))
        if let first { result.first.append(microseconds(first)) }
    }

    private func append(_ client: Client) throws(ClientError) {
        let params = JSONWriter.object {
            $0.member("sessionId", session)
            $0.member("ifMissing", "create")
            $0.key("messages")
            $0.array { messages in
                for role in ["user", "assistant"] {
                    messages.object {
                        $0.member("role", role)
                        $0.key("content")
                        $0.array {
                            $0.object {
                                $0.member("type", "text"); $0.member("text", BenchClient.words)
                            }
                        }
                    }
                }
            }
        }
        _ = try client.call(named: Method.messageAppend.rawValue, params)
    }
}
