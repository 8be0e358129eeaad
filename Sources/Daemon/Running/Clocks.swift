internal import Conversation

/// The times that a daemon goes by.
struct Clocks {
    /// Milliseconds since 1970.
    let now: () -> Int64
    /// Milliseconds that never go back, for waits and limits.
    let steady: () -> Int64
}

/// New IDs, each greater than the one before, and chance.
final class IDSource {
    private let clocks: Clocks
    private let random: () -> UInt64
    private var maker = IDMaker()

    init(_ clocks: Clocks, random: @escaping () -> UInt64) {
        self.clocks = clocks
        self.random = random
    }

    /// A new ID.
    func newID<Kind>() -> ID<Kind> { maker.next(milliseconds: clocks.now(), random: random()) }

    /// A number from 0 to 1.
    func chance() -> Double { Double(random() >> 11) / Double(1 << 53) }
}
