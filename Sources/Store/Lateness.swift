internal import Archive
internal import EventLoop
internal import Posix

/// Makes looks come late, for tests: each completes in a random later turn of the loop, and its query is made at a random
/// moment between asking and answering, so that what comes back is sometimes stale and sometimes fresh, in any order.
package final class Lateness {
    /// Turns of the loop until the query, and from there to the answer, are fewer than this; one look in eight may take many.
    private static let few: UInt64 = 4, many: UInt64 = 24

    private var state: UInt64

    /// The same `seed` gives the same delays.
    package init(seed: UInt64) {
        state = seed
        gate = nil
    }

    /// One in `CONVOD_TEST_READS=late`, nil without; `CONVOD_SEED` gives the seed.
    package static func setting(in environment: [String: String]) -> Lateness? {
        guard environment["CONVOD_TEST_READS"] == "late" else { return nil }
        return Lateness(seed: environment["CONVOD_SEED"].flatMap { UInt64($0) } ?? Machine.monotonic())
    }

    private let gate: LookGate?

    /// Only one look comes late: the one that `gate` holds back.
    package init(_ gate: LookGate) {
        self.gate = gate
        state = 0
    }

    func delay<Value>(
        _ name: String, on loop: EventLoop, _ query: @escaping () -> Value, _ then: @escaping (Value) -> Void
    ) {
        guard let gate else { return delayByChance(on: loop, query, then) }
        if !gate.takes(name) { return then(query()) }
        let found = query(), number = gate.close()
        Lateness.once({ gate.isOpen(number) }, on: loop) { then(found) }
    }

    private static func once(
        _ holds: @escaping () -> Bool, on loop: EventLoop, _ action: @escaping () -> Void
    ) {
        if holds() { return action() }
        loop.after(milliseconds: 1) { once(holds, on: loop, action) }
    }

    private func delayByChance<Value>(
        on loop: EventLoop, _ query: @escaping () -> Value, _ then: @escaping (Value) -> Void
    ) {
        let most = next(below: 8) == 0 ? Lateness.many : Lateness.few
        let first = next(below: most), second = first == 0 ? 1 + next(below: most) : next(below: most)
        Lateness.after(turns: first, on: loop) {
            let value = query()
            Lateness.after(turns: second, on: loop) { then(value) }
        }
    }

    private static func after(turns: UInt64, on loop: EventLoop, _ action: @escaping () -> Void) {
        if turns == 0 { return action() }
        loop.after(milliseconds: 0) { after(turns: turns - 1, on: loop, action) }
    }

    /// From 0 to below `bound` (Steele, Lea and Flood: SplitMix64).
    private func next(below bound: UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return (mixed ^ (mixed >> 31)) % bound
    }
}

/// Holds back the answers of some looks, so that a test can do something between a query and its answer.
package final class LookGate: Sendable {
    private struct State {
        var name: String?
        var skip = 0
        var held = 0
        var opened = 0
    }
    private let state = Locked(State())

    package init() {}

    /// The next look of this name is held back, after so many that are not, beside those that are held already.
    package func hold(_ name: String, after skip: Int = 0) {
        state.withLock { ($0.name, $0.skip) = (name, skip) }
    }

    /// How many looks were ever held back: their queries were made.
    package var held: Int { state.withLock { $0.held } }

    /// Lets those go that are held back now.
    package func open() { state.withLock { $0.opened = $0.held } }

    fileprivate func isOpen(_ number: Int) -> Bool { state.withLock { number <= $0.opened } }

    /// Whether a look is one to be held back.
    fileprivate func takes(_ name: String) -> Bool {
        state.withLock { state in
            guard state.name == name else { return false }
            state.skip -= 1
            guard state.skip < 0 else { return false }
            state.name = nil
            return true
        }
    }

    /// Its query was made; gives its number.
    fileprivate func close() -> Int {
        state.withLock { state in
            state.held += 1
            return state.held
        }
    }
}
