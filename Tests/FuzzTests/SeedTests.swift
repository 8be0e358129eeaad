internal import FuzzTargets
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A parser that is fuzzed` {
    private static let corpus =
        Files.directory(of: Files.directory(of: #filePath)) + "/Fuzz/Corpus"

    /// What holds for any bytes holds for the seeds, and for seeds with some bytes taken out, doubled and changed; where it does
    /// not, the process ends.
    @Test(arguments: FuzzTarget.allCases)
    func `keeps what it promises for its seeds and what comes of them`(target: FuzzTarget) throws {
        var random = SeededRandom()
        let directory = "\(Self.corpus)/\(target.rawValue)"
        let names = try Files.names(in: directory)
        #expect(!names.isEmpty)
        for name in names {
            let seed = try Files.read("\(directory)/\(name)")
            target.take(seed)
            for _ in 0..<150 {
                var bytes = seed
                for _ in 0..<random.int(1...4) {
                    let at = random.int(0...max(0, bytes.count - 1))
                    let end = min(bytes.count, at + random.int(1...12))
                    switch random.int(0...3) {
                    case 0: bytes.removeSubrange(at..<end)
                    case 1: bytes.insert(contentsOf: bytes[at..<end], at: at)
                    case 2: bytes.insert(UInt8(random.int(0...255)), at: at)
                    default: if at < bytes.count { bytes[at] = UInt8(random.int(0...255)) }
                    }
                }
                target.take(bytes)
            }
        }
    }
}
