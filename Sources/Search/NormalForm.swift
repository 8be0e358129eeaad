/// The form in which text is compared: NFC, widths and case folded, white space and control characters one space a run.
///
/// One form for the index, the question and the check behind both. Unicode's canonical decomposition, full case folding and the
/// decompositions `<wide>` and `<narrow>` (UnicodeData.txt, CaseFolding.txt; version in `FoldTables`).
package struct NormalForm: Sendable {
    /// Counted up whenever the same text would get another form or other grams: then what was indexed is indexed anew.
    package static let version = 1

    /// The form, as UTF-8.
    package private(set) var bytes: [UInt8] = []
    /// Where some of it came from: places in the form at which nothing before is looked at, and in the text.
    private(set) var anchors: [(form: Int, text: Int)] = []
    /// For each byte of the form where it began in the text; empty unless asked for.
    private(set) var origins: [Int] = []

    private let isTracked: Bool
    /// A starter and what may be composed with it, with its class.
    private var pending: [(scalar: UInt32, class: UInt8)] = []
    private var pendingStart = 0
    private let trie = FoldTrie.shared

    /// Marks that are put in order together (Unicode TR 15, 13 takes 30 for enough).
    private static let mostMarks = 64

    /// Bytes of the text between two anchors, about.
    private static let stride = 1_024

    /// The form of a text in UTF-8; what is not UTF-8 reads as U+FFFD.
    package static func of(_ text: String) -> [UInt8] { NormalForm(Array(text.utf8)).bytes }

    /// The form of a text in UTF-8, with where parts of it came from; what is not UTF-8 reads as U+FFFD.
    package init(_ text: [UInt8]) { self.init(text, from: 0, upTo: text.count, isTracked: false) }

    /// The form of a stretch of a text that begins at an anchor.
    init(_ text: [UInt8], from: Int, upTo: Int, isTracked: Bool) {
        self.isTracked = isTracked
        bytes.reserveCapacity(upTo - from)
        read(text.span, from: from, upTo: upTo)
    }

    private mutating func read(_ text: borrowing Span<UInt8>, from: Int, upTo end: Int) {
        var at = from, anchored = from
        while at < end {
            let byte = text[at]
            if byte < 0x80 {
                let isAlone = at + 1 >= end || text[at + 1] < 0x80
                let isSpace = byte <= 0x20 || byte == 0x7F
                if isAlone || isSpace {
                    flush()
                    if !isSpace { anchor(at, &anchored) }
                    emit(ascii: byte, from: at)
                } else {
                    start(lowercase(byte), at)
                }
                at += 1
                continue
            }
            let (scalar, length) = decode(text, at, end)
            let entry = trie[scalar]
            if entry.isPlain && !NormalForm.isSpace(scalar) {
                flush()
                anchor(at, &anchored)
            }
            take(scalar, entry, at)
            at += length
        }
        flush()
    }

    /// Notes a place, where the last one is far: nothing is pending there, and no space begins there.
    private mutating func anchor(_ at: Int, _ anchored: inout Int) {
        guard !isTracked, at - anchored >= NormalForm.stride else { return }
        anchored = at
        anchors.append((bytes.count, at))
    }

    private func lowercase(_ byte: UInt8) -> UInt32 {
        UInt32((0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
    }

    @inline(__always)
    private mutating func emit(ascii byte: UInt8, from at: Int) {
        if byte <= 0x20 || byte == 0x7F { return emitSpace(at) }
        bytes.append(UInt8(truncatingIfNeeded: lowercase(byte)))
        if isTracked { origins.append(at) }
    }

    private mutating func emitSpace(_ at: Int) {
        if bytes.last == 0x20 { return }
        bytes.append(0x20)
        if isTracked { origins.append(at) }
    }

    /// Takes a scalar of the text that is not ASCII.
    private mutating func take(_ scalar: UInt32, _ entry: FoldTrie.Entry, _ at: Int) {
        if entry.isPlain { return start(scalar, at) }
        if entry.count == 0 { return add(scalar, entry, at) }
        for index in 0..<entry.count {
            let target = trie.target(entry, index)
            add(target, trie[target], at)
        }
    }

    private mutating func add(_ scalar: UInt32, _ entry: FoldTrie.Entry, _ at: Int) {
        if entry.combiningClass == 0 && !entry.isSecond { return start(scalar, at) }
        // However many marks somebody piles up: ordering them takes the square of their number.
        if pending.count >= NormalForm.mostMarks { flush() }
        if pending.isEmpty { pendingStart = at }
        pending.append((scalar, entry.combiningClass))
    }

    /// Begins a new stretch: nothing before it is composed with what comes.
    private mutating func start(_ scalar: UInt32, _ at: Int) {
        flush()
        pending.append((scalar, 0))
        pendingStart = at
    }

    /// Orders and composes what is pending (Unicode 3.11, D109 and D117), and writes it.
    private mutating func flush() {
        if pending.isEmpty { return }
        if pending.count > 1 {
            order()
            foldIotas()
            compose()
        } else if pending[0].scalar == NormalForm.iotaBelow {
            foldIotas()
        }
        for (scalar, _) in pending { write(scalar) }
        pending.removeAll(keepingCapacity: true)
    }

    /// The iota below a letter is folded to one beside it, behind all other marks: its class is the highest.
    private mutating func foldIotas() {
        for index in pending.indices where pending[index].scalar == NormalForm.iotaBelow {
            pending[index] = (0x3B9, 0)
        }
    }

    private static let iotaBelow: UInt32 = 0x345

    private mutating func order() {
        for index in 1..<pending.count where pending[index].class != 0 {
            var at = index
            while at > 0, pending[at - 1].class > pending[at].class {
                pending.swapAt(at - 1, at)
                at -= 1
            }
        }
    }

    private mutating func compose() {
        var starter: Int?, last: UInt8 = 0, out = 0
        for index in pending.indices {
            let (scalar, kind) = pending[index]
            let isNext = starter.map { out == $0 + 1 } ?? false
            if let starter, isNext || last < kind, let whole = trie.composed(pending[starter].scalar, scalar)
            {
                pending[starter].scalar = whole
                continue
            }
            if kind == 0 { starter = out }
            last = kind
            pending[out] = (scalar, kind)
            out += 1
        }
        pending.removeLast(pending.count - out)
    }

    private mutating func write(_ scalar: UInt32) {
        if NormalForm.isSpace(scalar) { return emitSpace(pendingStart) }
        // A variation selector only says how a character is drawn.
        if (0xFE00...0xFE0F).contains(scalar) { return }
        let before = bytes.count
        switch scalar {
        case ..<0x80: bytes.append(UInt8(scalar))
        case ..<0x800:
            bytes.append(UInt8(0xC0 | scalar >> 6))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        case ..<0x10000:
            bytes.append(UInt8(0xE0 | scalar >> 12))
            bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        default:
            bytes.append(UInt8(0xF0 | scalar >> 18))
            bytes.append(UInt8(0x80 | scalar >> 12 & 0x3F))
            bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        }
        if isTracked { for _ in before..<bytes.count { origins.append(pendingStart) } }
    }

    /// White space (PropList.txt) and control characters.
    private static func isSpace(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0...0x20, 0x7F...0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// A scalar and its bytes; a byte that begins none is U+FFFD.
    private func decode(_ text: borrowing Span<UInt8>, _ at: Int, _ end: Int) -> (UInt32, Int) {
        let first = text[at]
        let count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1
        guard count > 1, at + count <= end else { return (0xFFFD, 1) }
        var scalar = UInt32(first) & (count == 2 ? 0x1F : count == 3 ? 0x0F : 0x07)
        for index in 1..<count {
            let next = text[at + index]
            guard next & 0xC0 == 0x80 else { return (0xFFFD, 1) }
            scalar = scalar << 6 | UInt32(next & 0x3F)
        }
        return scalar > 0x10FFFF || (0xD800...0xDFFF).contains(scalar) ? (0xFFFD, 1) : (scalar, count)
    }
}
