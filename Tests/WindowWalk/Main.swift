/// Holds many random windows against all that is promised of them: `window-walk [CASES] [SEED]`, for every dialect.
///
/// Exits with 1 and a shrunk case when one is broken.
internal import Conversation
internal import Posix
internal import Synchronization
internal import WindowCases

@main
struct WindowWalk {
    /// What was found, and what is left to do.
    private final class Work: Sendable {
        let next = Atomic<Int>(0)
        let broken = Atomic<Int>(0)
        let messages = Atomic<Int>(0)
    }

    static func main() {
        let words = CommandLine.arguments.dropFirst()
        let count = words.first.flatMap { Int($0) } ?? 100_000
        let seed =
            words.dropFirst().first.flatMap { UInt64($0) }
            ?? Machine.random(8).reduce(0) { $0 << 8 | UInt64($1) }
        print("\(count) cases for each of \(CaseDialect.all.count) dialects, seed \(seed)")
        let work = Work(), start = Machine.monotonic()
        do throws(PosixError) {
            let other = try Thread(named: "walk") { walk(work, count, seed) }
            walk(work, count, seed)
            other.join()
        } catch { walk(work, count, seed) }  // alone it takes longer
        let seconds = Double(Machine.monotonic() - start) / 1e9
        print(
            "\(work.messages.load(ordering: .relaxed)) messages, \(work.broken.load(ordering: .relaxed)) broken, \(seconds) s"
        )
        if work.broken.load(ordering: .relaxed) > 0 { Process.exit(1) }
    }

    private static func walk(_ work: Work, _ count: Int, _ seed: UInt64) {
        while true {
            let number = work.next.add(1, ordering: .relaxed).oldValue
            guard number < count, work.broken.load(ordering: .relaxed) < 5 else { return }
            var random = CaseRandom(seed: seed &+ UInt64(number) &* 0x9E37_79B9)
            let one = RandomWindow(&random)
            hold(one, number, work)
            guard random.oneIn(12) else { continue }
            if let edited = one.edited(&random) { hold(edited, number, work) }
        }
    }

    /// Holds a case against the promises, for each dialect.
    private static func hold(_ one: RandomWindow, _ number: Int, _ work: Work) {
        work.messages.add(one.drafts.count, ordering: .relaxed)
        for dialect in CaseDialect.all {
            guard let fault = Promises.broken(by: one, for: dialect) else { continue }
            work.broken.add(1, ordering: .relaxed)
            let small = one.shrunk {
                (Promises.broken(by: $0, for: dialect) ?? "").prefix(12) == fault.prefix(12)
            }
            print("FAIL case \(number), \(dialect.name): a window \(fault)\n\(small.described)")
            break
        }
    }
}
