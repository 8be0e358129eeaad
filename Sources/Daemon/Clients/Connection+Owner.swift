extension Connection {
    /// Who a connection belongs to.
    protocol Owner: AnyObject {
        func received(_ line: [UInt8], _ connection: Connection)
        func closed(_ connection: Connection)
        func wantsFlush(_ connection: Connection)
        /// Runs one request that had to wait for others of its client and need not any more; false when there is none.
        func takesWaiting(_ connection: Connection) -> Bool
        /// Whether requests of the client wait for others and need not any more.
        func hasWaiting(_ connection: Connection) -> Bool
        /// Whether the client has requests without an answer.
        func isAwaited(_ connection: Connection) -> Bool
        /// Whether the client may be served at once; else it is called when its turn has come.
        func isNext(_ connection: Connection, isPutOff: Bool) -> Bool
        /// The client has more to do and lets others go before; `isPutOff` tells that it is no part of a conversation.
        func hasMore(_ connection: Connection, isPutOff: Bool)
        /// Whether some clients wait for their turn.
        var isCrowded: Bool { get }
        /// Whether the client must wait, since it holds too much.
        func isOverBudget(_ connection: Connection) -> Bool
        func costChanged(_ connection: Connection, by bytes: Int)
        /// Whether the requests of all clients that are not done are as many bytes as there may be.
        var isHoldingMuch: Bool { get }
        /// Whether a line of so many bytes may be taken at once; else `admit` is called when it may.
        func mayTake(_ bytes: Int, of connection: Connection) -> Bool
        /// What a long line asked for is stored or answered.
        func largeEnded()
        func heldChanged(by bytes: Int)
    }
}
