internal import Conversation

/// The times that a daemon goes by.
struct Clocks {
    /// Milliseconds since 1970.
    let now: () -> Int64
    /// Milliseconds that never go back, for waits and limits.
    let steady: () -> Int64
}

/// The time by which what is old is thrown away: what the wall clock leaps ahead is believed a day later.
///
/// A clock that somebody set wrong, or a machine that woke up with another's, must not empty what was to be kept for a month; a day
/// is time to set it right. The steady clock must go on while the machine sleeps.
struct CautiousTime {
    /// Milliseconds that it may go ahead of the steady clock and is believed at once, and those after which it is.
    static let step: Int64 = 3_600_000, patience: Int64 = 86_400_000

    private var last: (wall: Int64, steady: Int64)
    private var leaps: [(at: Int64, by: Int64)] = []

    init(wall: Int64, steady: Int64) { last = (wall, steady) }

    /// The time to go by, in milliseconds since 1970, and how far ahead of it the clock is.
    mutating func now(wall: Int64, steady: Int64) -> (time: Int64, ahead: Int64) {
        let leap = (wall - last.wall) - (steady - last.steady)
        last = (wall, steady)
        if leap > CautiousTime.step { leaps.append((steady, leap)) }
        leaps.removeAll { steady - $0.at >= CautiousTime.patience }
        let ahead = leaps.reduce(0) { $0 + $1.by }
        return (wall - ahead, ahead)
    }
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
