internal import Protocol

/// Somebody who waits for the end of a turn: the request that began it, or a repeat of it.
struct Waiter {
    /// Who asked; nil when the client has gone.
    weak var connection: Connection?
    /// Tells this request from others, so that it can be cancelled by itself.
    var token: ObjectIdentifier?
    /// Answers the request, once.
    let reply: (Result<[UInt8], WireError>) -> Void
}
