import Protocol
import Sessions
import TestSupport
import Testing

@Suite struct `A client's requests` {
    private typealias Number = RequestLanes.Number

    @Test func `about one session wait for the one before them`() {
        var lanes = RequestLanes()
        let first = lanes.arrived(.looksAndChanges, .sessions(["a"]))
        let second = lanes.arrived(.looks, .sessions(["a"]))
        #expect(first.begins && !second.begins)
        lanes.looked(first.0)
        let early = lanes.next()
        lanes.settled(first.0)
        #expect(early == nil, "what it changes is not stored yet")
        #expect(lanes.next() == second.0)
    }

    @Test func `about another session are held up by nothing, however slow the look is (B097)`() {
        var lanes = RequestLanes()
        let slow = lanes.arrived(.looks, .sessions(["a"])), waits = lanes.arrived(.looks, .sessions(["a"]))
        let other = lanes.arrived(.looksAndChanges, .sessions(["b"]))
        #expect(slow.begins && !waits.begins && other.begins)
    }

    @Test func `that only change a session may be on their way together`() {
        var lanes = RequestLanes()
        let first = lanes.arrived(.changes, .sessions(["a"])),
            early = lanes.arrived(.changes, .sessions(["a"]))
        #expect(first.begins && !early.begins, "even that may have to look")
        lanes.looked(first.0)
        let next = lanes.next()
        #expect(next == early.0)
        lanes.looked(early.0)
        #expect(lanes.arrived(.changes, .sessions(["a"])).begins)
        #expect(!lanes.arrived(.looks, .sessions(["a"])).begins)
        #expect(!lanes.arrived(.changes, .sessions(["a"])).begins, "nothing passes one that waits")
    }

    @Test func `about all sessions wait for every change, and what comes behind waits for their look`() {
        var lanes = RequestLanes()
        let change = lanes.arrived(.changes, .sessions(["a"])), list = lanes.arrived(.looks, .any)
        let behind = lanes.arrived(.looks, .sessions(["b"]))
        #expect(change.begins && !list.begins && !behind.begins)
        lanes.looked(change.0)
        lanes.settled(change.0)
        let begun = lanes.next(), none = lanes.next()
        #expect(begun == list.0 && none == nil)
        lanes.looked(list.0)
        let last = lanes.next()
        #expect(last == behind.0)
    }

    @Test func `that make a session with a name of their own are waited for under both names`() {
        var lanes = RequestLanes()
        let fork = lanes.arrived(.looksAndChanges, .sessions(["a", "b"]))
        #expect(fork.begins)
        #expect(!lanes.arrived(.looksAndChanges, .sessions(["b"])).begins)
        #expect(!lanes.arrived(.looks, .sessions(["a"])).begins)
        #expect(lanes.arrived(.changes, .sessions([])).begins, "a new session is like no other")
    }

    @Test func `that overtake or are about no session wait for nobody`() {
        var lanes = RequestLanes()
        let list = lanes.arrived(.looks, .any), cancel = lanes.arrived(.overtakes, .any)
        #expect(cancel.begins && lanes.arrived(.free, .any).begins)
        let behind = lanes.arrived(.looks, .sessions(["a"]))
        lanes.looked(list.0)
        let early = lanes.next()
        #expect(early == nil, "what overtakes is waited for while it looks")
        lanes.looked(cancel.0)
        let next = lanes.next()
        #expect(next == behind.0)
    }

    @Test func `are looked over a bounded number at a time, and none is forgotten`() {
        var lanes = RequestLanes(), numbers: [Number] = []
        for _ in 0..<5_000 { numbers.append(lanes.arrived(.looks, .sessions(["a"])).0) }
        let far = lanes.arrived(.looks, .sessions(["b"]))
        #expect(!far.begins, "it stands too far behind")
        // Some are given up, near the front and far behind.
        for index in stride(from: 7, to: 5_000, by: 13) { lanes.settled(numbers[index]) }
        var begun: [Number] = [numbers[0]]
        lanes.looked(numbers[0])
        while let next = lanes.next() {
            begun.append(next)
            lanes.looked(next)
        }
        #expect(begun.count == 5_001 - 385 && begun.contains(far.0) && lanes.isEmpty)
    }

    /// A request as the walk knows it.
    private struct Known {
        let number: Number
        let order: RequestOrder
        let reach: RequestReach
        var hasBegun: Bool
        var hasLooked = false

        func meets(_ other: Known) -> Bool {
            guard case .sessions(let mine) = reach, case .sessions(let others) = other.reach else {
                return true
            }
            return !Set(mine).isDisjoint(with: others)
        }
    }

    @Test func `begin in an order that each could have had alone, and all of them begin`() {
        var random = SeededRandom(), lanes = RequestLanes(), known: [Known] = [], begun = 0
        func mayBegin(_ at: Int) -> Bool {
            known[at].order == .overtakes
                || known[..<at].allSatisfy { before in
                    if !before.meets(known[at]) { return true }
                    if !before.hasBegun || !before.hasLooked { return false }
                    return known[at].order == .changes
                }
        }
        func note(_ at: Int) {
            #expect(mayBegin(at), "\(random)")
            known[at].hasBegun = true
            begun += 1
        }
        for step in 0..<20_000 {
            let isEnding = step >= 19_000
            if !isEnding, Bool.random(using: &random), known.count < 40 {
                let order = [RequestOrder.changes, .looks, .looksAndChanges, .overtakes].randomElement(
                    using: &random)!
                let names = ["a", "b", "c"].filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
                let reach: RequestReach =
                    Int.random(in: 0..<8, using: &random) == 0 ? .any : .sessions(names)
                let (number, begins) = lanes.arrived(order, reach)
                known.append(Known(number: number, order: order, reach: reach, hasBegun: false))
                #expect(begins == mayBegin(known.count - 1), "\(random)")
                if begins { note(known.count - 1) }
            } else if let at = known.indices.filter({ known[$0].hasBegun || !isEnding }).randomElement(
                using: &random)
            {
                if known[at].hasBegun, !known[at].hasLooked, known[at].order.isChange {
                    known[at].hasLooked = true
                    lanes.looked(known[at].number)
                } else {
                    // It is done, or was given up while it waited.
                    lanes.settled(known.remove(at: at).number)
                }
            }
            let expected = known.indices.first { !known[$0].hasBegun && mayBegin($0) }
            #expect(lanes.hasNext() == (expected != nil), "\(random)")
            let next = lanes.next()
            #expect(next == expected.map { known[$0].number }, "\(random)")
            if let expected { note(expected) }
        }
        while lanes.next() != nil { begun += 1 }
        #expect(begun > 1_000 && known.isEmpty == lanes.isEmpty)
    }
}
