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
    package init(seed: UInt64) { state = seed }

    /// One in `CONVOD_TEST_READS=late`, nil without; `CONVOD_SEED` gives the seed.
    package static func asked(by environment: [String: String]) -> Lateness? {
        guard environment["CONVOD_TEST_READS"] == "late" else { return nil }
        return Lateness(seed: environment["CONVOD_SEED"].flatMap { UInt64($0) } ?? Machine.monotonic())
    }

    func delay<Value>(on loop: EventLoop, _ query: @escaping () -> Value, _ then: @escaping (Value) -> Void) {
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
