import ContextWindow
import Conversation
import JSON
import TestSupport
import Testing

private func json(_ receipt: Receipt) -> String {
    var writer = JSONWriter()
    receipt.write(to: &writer)
    return text(writer.bytes)
}

@Suite struct `A receipt` {
    @Test func `says what was sent, what was left out and why (B008)`() throws {
        let history = Histories.of("u a u a u a u", tokens: 10).changing(2) { $0.isPinned = true }.changing(4)
        { $0.isExcluded = true }
        #expect(
            json(try cut(history, budget: 60).receipt) == """
                {"strategy":{"chosen":"slide","why":"it is set"},"rule":"maxTokens","budget":60,"estimate":56,"sent":[5,7],"sentMessages":4,"leftOutMessages":3,\
                "leftOutTokens":30,"pinnedMessages":1,"excludedMessages":1,"summarizedMessages":0,"pinned":[2],"excluded":[4]}
                """)
    }

    @Test func `of an empty window names no range`() throws {
        #expect(
            json(try cut([]).receipt) == """
                {"strategy":{"chosen":"slide","why":"it is set"},"rule":"fits","budget":1000000,"estimate":16,"sentMessages":0,"leftOutMessages":0,"leftOutTokens":0,\
                "pinnedMessages":0,"excludedMessages":0,"summarizedMessages":0}
                """)
    }

    @Test func `lists at most 100 pins and counts them all`() throws {
        let history = (1...150).map { Histories.message($0, .user, [.text("x")], isPinned: true) }
        let receipt = try cut(history).receipt
        #expect(receipt.pinned == Array(1...100))
        #expect(receipt.pinnedCount == 150)
    }
}
