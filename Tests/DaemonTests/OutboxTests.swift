internal import Conversation
@testable internal import Daemon
internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `An outbox` {
    private let session = SessionID(ID<SessionID>(high: 0, low: 1))
    private let writer = ChunkWriter()

    private func chunk(_ words: String, at offset: Int, of message: UInt64 = 1, _ kind: Piece.Kind = .text)
        -> Chunk
    {
        Chunk(
            session: session, messageID: MessageID(high: 1, low: message), turnID: nil, role: .assistant,
            piece: Piece(kind, Array(words.utf8)), offset: offset)
    }

    private func lines(_ outbox: inout Outbox, most: Int = .max) throws -> [JSONView] {
        var writer = writer
        return try outbox.take(most, &writer).split(separator: 0x0A).map { try JSONDocument(Array($0)).root }
    }

    private func said(_ line: JSONView) -> String {
        let update = line["params"]?["update"]
        let offset = update?["_meta"]?["convod"]?["offset"]?.int ?? -1
        return "\(offset) \(update?["content"]?["text"]?.string ?? "")"
    }

    @Test func `merges pieces that go on, and no others`() throws {
        var outbox = Outbox()
        outbox.add(chunk("one ", at: 0))
        outbox.add(chunk("two", at: 4))
        outbox.add(chunk("a gap", at: 9))
        outbox.add(chunk("a thought", at: 14, .thought))
        outbox.add(chunk("another message", at: 23, of: 2))
        #expect(
            try lines(&outbox).map(said) == [
                "0 one two", "9 a gap", "14 a thought", "23 another message",
            ])
        #expect(outbox.isEmpty && outbox.bytes == 0)
    }

    @Test func `merges no further than a chunk may be long`() throws {
        var outbox = Outbox()
        let long = String(repeating: "x", count: Chunk.most)
        outbox.add(chunk(long, at: 0))
        outbox.add(chunk("y", at: Chunk.most))
        #expect(try lines(&outbox).count == 2)
    }

    @Test func `keeps the order of lines and pieces (N032)`() throws {
        var outbox = Outbox()
        outbox.add(chunk("before", at: 0))
        outbox.add(Array("{\"id\":1}\n".utf8))
        outbox.add(chunk("behind", at: 6))
        let lines = try lines(&outbox)
        #expect(lines.map { $0["id"]?.int } == [nil, 1, nil])
    }

    @Test func `gives about as much as is asked for, at least one line, and counts what stays`() throws {
        var outbox = Outbox()
        for number in 0..<1_000 { outbox.add(Array("{\"id\":\(number)}\n".utf8)) }
        var taken = 0
        while !outbox.isEmpty {
            let before = outbox.bytes
            let count = try lines(&outbox, most: 100).count
            #expect(count > 0 && outbox.bytes < before)
            taken += count
        }
        #expect(taken == 1_000 && outbox.bytes == 0)
        outbox.add(chunk("gone", at: 0))
        outbox.clear()
        #expect(outbox.isEmpty && outbox.bytes == 0)
    }

    @Test func `writes a piece once for all who get it, and merged ones for each`() throws {
        var one = Outbox(), other = Outbox(), third = Outbox()
        var shared = chunk("for \"all\"", at: 0)
        shared.line = Chunk.SharedLine()
        for _ in 0..<2 {
            one.add(shared)
            other.add(shared)
            third.add(shared)
            third.add(chunk(" and more", at: 9))
            var writer = writer
            let first = one.take(.max, &writer), second = other.take(.max, &writer)
            #expect(first == second)
            #expect(try lines(&third).map(said) == ["0 for \"all\" and more"])
            #expect(try JSONDocument(first.dropLast() + []).root["params"]?["update"] != nil)
        }
    }

    @Test func `cuts long texts between characters`() {
        let text = String(repeating: "ä", count: Chunk.most)
        let pieces = Chunk.cut(Piece(.text, Array(text.utf8)))
        #expect(pieces.count > 1 && pieces.allSatisfy { String(validating: $0.bytes, as: UTF8.self) != nil })
        #expect(pieces.flatMap(\.bytes) == Array(text.utf8))
        #expect(Chunk.cut(Piece(.signature, [1])).isEmpty)
    }
}
