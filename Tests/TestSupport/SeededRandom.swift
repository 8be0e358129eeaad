internal import Posix

/// A source of randomness that gives the same numbers again for the same seed.
///
/// The seed is taken from the environment variable `CONVOD_SEED`, else chosen anew for each run and printed once; each
/// test mixes its own name in, so that one number brings back a whole run in any order. Give the generator to
/// `#expect` as a comment, so that a failure names the seed too.
package struct SeededRandom: RandomNumberGenerator, Sendable, CustomStringConvertible {
    /// The seed of this run.
    package static let runSeed: UInt64 = {
        if let text = Process.environment["CONVOD_SEED"], let seed = UInt64(text) { return seed }
        let seed = Machine.random(8).reduce(0) { $0 << 8 | UInt64($1) }
        print("property tests use CONVOD_SEED=\(seed)")
        return seed
    }()

    private var state: UInt64

    /// A generator for the calling test.
    package init(_ test: StaticString = #function) {
        // FNV-1a over the name, since Swift's own hashes differ from run to run.
        let name = test.description.utf8.reduce(0xCBF2_9CE4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3
        }
        state = SeededRandom.runSeed ^ name
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    package var description: String { "CONVOD_SEED=\(SeededRandom.runSeed)" }

    /// A number out of a range.
    package mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// True once in `n` times.
    package mutating func oneIn(_ n: Int) -> Bool { int(1...n) == 1 }

    /// One of several values; there must be one.
    package mutating func pick<Value>(_ values: [Value]) -> Value { values[int(0...(values.count - 1))] }

    /// Text of up to `longest` characters that programs have tripped over: control characters, quotes, separators of
    /// Unicode, CR LF, scripts without spaces, emoji, combining marks, the first and last scalars of each UTF-8 length.
    package mutating func text(_ longest: Int) -> String {
        let nasty: [Unicode.Scalar] = [
            "\0", "\u{1}", "\t", "\n", "\r", "\u{B}", "\u{C}", "\u{1F}", " ", "\"", "'", "/", "\\", "\u{7F}",
            "\u{80}", "\u{85}", "é",
            "\u{301}", "\u{7FF}", "\u{800}", "你", "好", "か", "한", "\u{200D}", "\u{2028}", "\u{2029}",
            "\u{D7FF}", "\u{E000}",
            "\u{FEFF}", "\u{FFFD}", "\u{FFFF}", "\u{10000}", "👍", "\u{1F3FD}", "\u{10FFFF}", "𠀀",
        ]
        var scalars = String.UnicodeScalarView()
        for _ in 0..<int(0...longest) {
            scalars.append(oneIn(2) ? pick(nasty) : Unicode.Scalar(UInt8(int(0x20...0x7E))))
        }
        return String(scalars)
    }

    /// Cuts bytes into pieces of random sizes, none of them empty.
    package mutating func cut(_ bytes: [UInt8], longest: Int) -> [[UInt8]] {
        var pieces: [[UInt8]] = [], at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + int(1...longest))
            pieces.append(Array(bytes[at..<end]))
            at = end
        }
        return pieces
    }
}
