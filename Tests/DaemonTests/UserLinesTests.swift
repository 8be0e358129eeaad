internal import Conversation
@testable internal import Daemon
internal import TestSupport
internal import Testing

@Suite struct `Who waits to be heard` {
    @Test func `waits for one client of each other user, however many connections that one has`() {
        var lines = UserLines<String>()
        for number in 0..<2_000 { lines.append("a\(number)", of: 1) }
        lines.append("b0", of: 2)
        lines.append("c0", of: 3)
        lines.append("b1", of: 2)
        #expect((0..<6).compactMap { _ in lines.popFirst() } == ["a0", "b0", "c0", "a1", "b1", "a2"])
        // Who comes again stands behind those who are there.
        lines.append("c1", of: 3)
        #expect((0..<2).compactMap { _ in lines.popFirst() } == ["a3", "c1"])
        #expect(lines.count == 1_996)
    }

    @Test func `is heard in the order of coming where all are one user's`() {
        var lines = UserLines<Int>()
        for number in 0..<100 { lines.append(number, of: 7) }
        #expect((0..<100).compactMap { _ in lines.popFirst() } == Array(0..<100))
        #expect(lines.isEmpty && lines.popFirst() == nil)
    }
}
