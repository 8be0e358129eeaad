internal import Protocol
internal import Sessions

/// Those who wait for turns, and how each of them is answered.
final class Askers {
    private var replies: [UInt64: (Result<[UInt8], WireError>) -> Void] = [:]
    private var last: UInt64 = 0

    /// Somebody who waits; `reply` is called once.
    func add(
        _ client: Client, wish: Asker.Wish = .answer,
        _ reply: @escaping (Result<[UInt8], WireError>) -> Void
    ) -> Asker {
        last += 1
        replies[last] = reply
        return Asker(client: client.number, request: last, wish: wish, isGone: !client.isOpen)
    }

    func answer(_ asker: Asker, _ answer: Result<[UInt8], WireError>) {
        replies.removeValue(forKey: asker.request)?(answer)
    }
}
