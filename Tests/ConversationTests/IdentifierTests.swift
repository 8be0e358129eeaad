import Conversation
import TestSupport
import Testing

@Suite struct `An ID` {
    @Test func `is printed as a UUID in lower case`() {
        let id = MessageID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        #expect(id.description == "01234567-89ab-cdef-fedc-ba9876543210")
    }

    @Test(arguments: ["01234567-89ab-cdef-fedc-ba9876543210", "01234567-89AB-CDEF-FEDC-BA9876543210"])
    func `is read in either case`(_ text: String) {
        #expect(MessageID(text) == MessageID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210))
    }

    @Test(arguments: [
        "", "01234567-89ab-cdef-fedc-ba987654321", "01234567-89ab-cdef-fedc-ba98765432100",
        "01234567089ab-cdef-fedc-ba9876543210",
        "0123456-789ab-cdef-fedc-ba9876543210", "{1234567-89ab-cdef-fedc-ba987654321}",
        "01234567-89ab-cdef-fedc-ba987654321g",
        "01234567-89ab-cdef-fedc-ba98765432٣", "+1234567-89ab-cdef-fedc-ba9876543210",
        " 1234567-89ab-cdef-fedc-ba9876543210",
    ])
    func `is not read from anything else`(_ text: String) { #expect(MessageID(text) == nil) }

    @Test func `comes back from its text and its bytes`() {
        var random = SeededRandom()
        for _ in 0..<500 {
            let id = TurnID(high: random.next(), low: random.next())
            #expect(TurnID(id.description) == id, "\(random)")
            #expect(TurnID(bytes: id.bytes) == id, "\(random)")
        }
    }

    @Test(arguments: [0, 15, 17]) func `needs 16 bytes`(_ count: Int) {
        #expect(MessageID(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test func `sorts like its text`() {
        var random = SeededRandom()
        let ids = (0..<200).map { _ in MessageID(high: random.next(), low: random.next()) }
        #expect(ids.sorted().map(\.description) == ids.map(\.description).sorted(), "\(random)")
    }
}

@Suite struct `The maker of IDs` {
    @Test func `makes UUIDs of version 7 with the time in front`() {
        var maker = IDMaker()
        let id: MessageID = maker.next(milliseconds: 0x0193_E8A0_1234, random: .max)
        #expect(id.description == "0193e8a0-1234-7000-bfff-ffffffffffff")
        let next: MessageID = maker.next(milliseconds: 0x0193_E8A0_1234, random: 0)
        #expect(next.description == "0193e8a0-1234-7001-8000-000000000000")
    }

    @Test func `makes each greater than the one before, also when the clock goes back (B068)`() {
        var maker = IDMaker(), random = SeededRandom()
        var now: Int64 = 1_764_050_400_000
        var last = MessageID(high: 0, low: 0)
        for _ in 0..<20_000 {
            now = max(0, now + Int64(random.oneIn(50) ? -random.int(0...3_600_000) : random.int(0...2)))
            let id: MessageID = maker.next(milliseconds: now, random: random.next())
            #expect(id > last, "\(random)")
            #expect((id.high >> 12) & 0xF == 7 && id.low >> 62 == 2, "\(random)")
            last = id
        }
    }

    @Test func `goes on past the 4,096 that fit into one millisecond`() {
        var maker = IDMaker()
        var ids: [MessageID] = []
        for _ in 0..<10_000 { ids.append(maker.next(milliseconds: 7, random: 0)) }
        #expect(ids == ids.sorted())
        #expect(Set(ids).count == 10_000)
        #expect(ids.last.map { $0.high >> 16 } == 9)
    }

    @Test func `takes a clock before 1970 for 1970`() {
        var maker = IDMaker()
        let id: MessageID = maker.next(milliseconds: -5, random: 0)
        #expect(id.description == "00000000-0000-7001-8000-000000000000")
    }
}

@Suite struct `A session ID` {
    @Test(arguments: ["a", "Z", "0", "a.b_c:d@e-f", "CON", String(repeating: "x", count: 128)])
    func `is kept as it stands`(_ text: String) {
        #expect(SessionID(text)?.text == text)
    }

    @Test(arguments: [
        "", ".", "..", "../x", "a/b", "-a", "_a", ":a", "@a", "a b", "a%2e", "é", "e\u{301}", "👍",
        "a\u{200F}", "ａ", "a\\",
        String(repeating: "x", count: 129),
    ])
    func `is none of these (B071)`(_ text: String) { #expect(SessionID(text) == nil) }

    @Test func `may hold no byte but those of its alphabet`() {
        let allowed = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-".utf8)
        for byte in UInt8(0)...0x7F {
            let scalar = String(Unicode.Scalar(byte))
            #expect((SessionID("a" + scalar) != nil) == allowed.contains(byte), "byte \(byte)")
            #expect((SessionID(scalar) != nil) == allowed.dropLast(5).contains(byte), "byte \(byte)")
        }
    }

    @Test func `counts case (B074)`() { #expect(SessionID("abc") != SessionID("ABC")) }

    @Test func `made by the daemon is well-formed`() {
        var maker = IDMaker()
        let id = SessionID(maker.next(milliseconds: 1, random: 1))
        #expect(SessionID(id.text) == id)
        #expect(id.description == "00000000-0001-7000-8000-000000000001")
    }
}
