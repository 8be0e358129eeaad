/// What is known of each scalar for the form in which text is searched, looked up in two steps.
struct FoldTrie: Sendable {
    /// What is known of one scalar; all zero for most.
    struct Entry {
        private let bits: UInt32
        fileprivate init(_ bits: UInt32) { self.bits = bits }

        /// Whether it stands for itself, and nothing before it is composed with it.
        @inline(__always) var isPlain: Bool { bits == 0 }
        /// Its canonical combining class.
        var combiningClass: UInt8 { UInt8(truncatingIfNeeded: bits) }
        /// Whether it may be composed with one before it.
        var isSecond: Bool { bits & FoldTrie.second != 0 }
        /// How many scalars it stands for; 0 = itself.
        var count: Int { Int(bits >> 8 & 0xF) }
        /// Where these begin.
        var offset: Int { Int(bits >> 12 & 0x7FFFF) }
    }

    private static let second: UInt32 = 1 << 31

    /// The one there is, made of `FoldTables` when it is first asked.
    static let shared = FoldTrie()

    /// Where the page of 256 scalars begins; 0 = the page of those of which nothing is known.
    private var pages = [Int](repeating: 0, count: 0x1100)
    private var entries = [UInt32](repeating: 0, count: 256)
    private var targets: [UInt32] = []
    private var pairs: [UInt64: UInt32] = [:]

    private init() {
        var at: UInt32 = 0
        FoldTrie.items(FoldTables.folds) { numbers in
            at += numbers[0]
            add(at, UInt32(numbers.count - 1) << 8 | UInt32(targets.count) << 12)
            targets += numbers.dropFirst()
        }
        at = 0
        FoldTrie.items(FoldTables.classes) { numbers in
            at += numbers[0]
            for scalar in at..<(at + numbers[1]) { add(scalar, numbers[2]) }
        }
        FoldTrie.items(FoldTables.pairs) { numbers in
            pairs[UInt64(numbers[0]) << 32 | UInt64(numbers[1])] = numbers[2]
            add(numbers[1], FoldTrie.second)
        }
        // The vowels and the finals of Hangul, which are composed by arithmetic.
        for scalar in UInt32(0x1161)...0x1175 { add(scalar, FoldTrie.second) }
        for scalar in UInt32(0x11A8)...0x11C2 { add(scalar, FoldTrie.second) }
    }

    private mutating func add(_ scalar: UInt32, _ bits: UInt32) {
        let page = Int(scalar >> 8)
        if pages[page] == 0 {
            pages[page] = entries.count
            entries += [UInt32](repeating: 0, count: 256)
        }
        entries[pages[page] + Int(scalar & 0xFF)] |= bits
    }

    /// Hands out the numbers of each item of a table.
    private static func items(_ table: StaticString, _ body: ([UInt32]) -> Void) {
        var numbers: [UInt32] = [], number: UInt32 = 0, hasDigits = false
        for byte in table.description.utf8 {
            switch byte {
            case 0x30...0x39, 0x61...0x66:
                number = number << 4 | UInt32(byte < 0x40 ? byte - 0x30 : byte - 0x57)
                hasDigits = true
            default:
                if hasDigits { numbers.append(number) }
                (number, hasDigits) = (0, false)
                if byte <= 0x20, !numbers.isEmpty {
                    body(numbers)
                    numbers = []
                }
            }
        }
        if hasDigits { numbers.append(number) }
        if !numbers.isEmpty { body(numbers) }
    }

    @inline(__always)
    subscript(scalar: UInt32) -> Entry { Entry(entries[pages[Int(scalar >> 8)] + Int(scalar & 0xFF)]) }

    /// The scalar that an entry stands for, by its place among them.
    func target(_ entry: Entry, _ index: Int) -> UInt32 { targets[entry.offset + index] }

    /// What two scalars are composed to; nil where they are not.
    func composed(_ first: UInt32, _ last: UInt32) -> UInt32? {
        if (0x1100..<0x1113).contains(first), (0x1161..<0x1176).contains(last) {
            return 0xAC00 + ((first - 0x1100) * 21 + last - 0x1161) * 28
        }
        if (0xAC00..<0xD7A4).contains(first), (first - 0xAC00) % 28 == 0, (0x11A8..<0x11C3).contains(last) {
            return first + last - 0x11A7
        }
        return pairs[UInt64(first) << 32 | UInt64(last)]
    }
}
