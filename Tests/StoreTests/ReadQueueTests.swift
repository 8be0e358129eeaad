internal import Archive
internal import Conversation
internal import Testing

@testable internal import Store

@Suite struct `Looks of several users` {
    private func job(_ token: UInt64, _ user: UserID?, isShort: Bool = true) -> ReadJob {
        ReadJob(token: token, asker: user, isShort: isShort, isCancelled: { false }) { _ in 0 }
    }

    @Test func `are taken one of each at a time, and each one's in their order`() {
        let queue = ReadQueue()
        for token in 0..<5 { queue.add(job(UInt64(token), 1)) }
        queue.add(job(10, 2))
        queue.add(job(20, nil))
        queue.add(job(11, 2))
        queue.close()
        var tokens: [UInt64] = []
        while let next = queue.next() { tokens.append(next.token) }
        #expect(tokens == [0, 10, 20, 1, 11, 2, 3, 4])
    }

    @Test func `that are short are let pass between the slices of a long one, one of each`() {
        let queue = ReadQueue()
        for token in 0..<100 { queue.add(job(UInt64(token), 1, isShort: token != 0)) }
        queue.add(job(200, 2))
        queue.add(job(300, 3, isShort: false))
        #expect(queue.takeRound(where: \.isShort).map(\.token) == [1, 200])
        #expect(queue.takeRound(where: \.isShort).map(\.token) == [2])
        #expect(queue.next()?.token == 300)
        #expect(queue.next()?.token == 0 && queue.next()?.token == 3)
    }
}
