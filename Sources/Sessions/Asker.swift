/// Who waits for a turn: one request of one client.
package struct Asker: Sendable, Equatable {
    /// What it waits for.
    package enum Wish: Sendable, Equatable {
        /// The turn's answer; it began the turn, or repeats the request that did.
        case answer
        /// Where the turn ended; it cancelled the turn, and keeps nothing alive.
        case state
    }

    /// The number of the client's connection.
    package let client: Int
    /// Tells requests apart, over all clients.
    package let request: UInt64
    /// What it is answered with.
    package let wish: Wish
    /// Whether its client has left: nobody reads the answer.
    package internal(set) var isGone = false

    package init(client: Int, request: UInt64, wish: Wish = .answer, isGone: Bool = false) {
        self.client = client
        self.request = request
        self.wish = wish
        self.isGone = isGone
    }

    var waitsForAnswer: Bool { wish == .answer && !isGone }
}
