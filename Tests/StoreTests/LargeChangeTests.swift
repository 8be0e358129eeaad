internal import Archive
internal import Conversation
internal import EventLoop
internal import Store
internal import TestSupport
internal import Testing

@Suite struct `Changes that bring much` {
    /// Sends appends at once, each to a session of its own, and gives their names in the order of their answers.
    private func order(of changes: [(name: String, owner: UserID, bytes: Int)]) throws -> [String] {
        let bench = try Bench()
        for change in changes { try bench.session(change.name, owner: change.owner) }
        var answered: [String] = []
        for change in changes {
            let words = String(repeating: "w", count: change.bytes)
            bench.store.asker = change.owner
            bench.store.write(
                AppendMessages(
                    sessionID(change.name), owner: change.owner, [bench.message(words)], ifMissing: nil)
            ) { result in
                if case .success(.appended) = result { answered.append(change.name) }
            }
        }
        while answered.count < changes.count { try bench.loop.turn(waiting: true) }
        return answered
    }

    @Test func `let small ones go before all but the first`() throws {
        let large = (0..<6).map { ("large\($0)", UserID(1), 1 << 20) }
        let order = try order(of: large + [("small", 1, 10)])
        #expect(order.prefix(2).contains("small"), "\(order)")
        #expect(order.filter { $0 != "small" } == large.map(\.0), "those of one user come in their order")
    }

    @Test func `of one user wait for one of each other user's`() throws {
        let many = (0..<6).map { ("many\($0)", UserID(1), 1 << 20) }
        let order = try order(of: many + [("one", 2, 1 << 20)])
        // Behind the one that is being made and one that waits longer.
        #expect(order.prefix(3).contains("one"), "\(order)")
    }

    @Test func `and are many go together where they are no more than one large one`() throws {
        let some = (0..<8).map { ("some\($0)", UserID(1), 20 << 10) }
        #expect(try order(of: some) == some.map(\.0))
    }

    @Test func `are stored when the store is closed behind them`() throws {
        let bench = try Bench()
        for number in 0..<4 {
            try bench.session("s\(number)")
            bench.store.write(
                AppendMessages(
                    sessionID("s\(number)"), owner: 0,
                    [bench.message(String(repeating: "w", count: 1 << 20))],
                    ifMissing: nil)
            ) { _ in }
        }
        bench.store.close()
        let again = try Bench(bench.directory)
        for number in 0..<4 {
            let session = try #require(try again.read(SessionByName(sessionID("s\(number)"), owner: 0)))
            #expect(session.session.messageCount == 1)
        }
    }
}
