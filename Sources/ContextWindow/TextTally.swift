internal import Conversation

/// Counts a text by classes of characters, eight bytes at a time where they are ASCII and no digits.
struct TextTally {
    private var words = Lanes(), letters = Lanes(), signs = Lanes(), newlines = Lanes(), blanks = Lanes()
    /// Words of eight bytes since the lanes were summed up.
    private var steps = 0
    private var digits = 0, random = 0
    private var others = ContentSize()
    /// The class of the newest characters beyond ASCII, and how many of them are still to be added to `others`.
    private var newest = (kind: ContentSize.Class.han, count: UInt32(0))
    /// A run of letters and digits that has a digit, which is still open.
    private var run = Run()
    /// Letters of an open run without digits; they are counted already, as a word.
    private var open = 0
    /// The last byte, and the one before it; beyond ASCII, and at the start, such that no other is like them.
    private var last: UInt8 = 0, beforeLast: UInt8 = 0xFF

    /// What was counted.
    static func size(_ text: Span<UInt8>) -> ContentSize {
        var tally = TextTally()
        tally.add(text)
        var size = tally.size
        // No text is free, a single blank neither.
        if size == ContentSize(), !text.isEmpty { size[.token] = 1 }
        return size
    }

    /// A count of marks in words of eight bytes, each byte for itself, since not every machine counts bits at once.
    private struct Lanes {
        private var lanes: UInt64 = 0
        private(set) var sum = 0

        @inline(__always)
        mutating func add(_ marks: UInt64) { lanes &+= marks &>> 7 }

        mutating func add(number: Int) { sum += number }

        /// Sums up, before a byte or all of them together pass 255.
        mutating func settle() {
            sum += Int(truncatingIfNeeded: (lanes &* ones) &>> 56)
            lanes = 0
        }
    }

    /// Words of eight bytes after which lanes are summed up, each of which may add eight.
    private static let mostSteps = 31

    private mutating func settle() {
        steps = 0
        words.settle()
        letters.settle()
        signs.settle()
        newlines.settle()
        blanks.settle()
    }

    /// A run of ASCII letters and digits that begins with letters, or has digits.
    private struct Run {
        var letters = 0, digits = 0, changes = 0
        var isLastDigit = false
        var isEmpty: Bool { letters | digits == 0 }

        /// Adds so many of one kind.
        mutating func add(_ count: Int, isDigit: Bool) {
            if !isEmpty && isDigit != isLastDigit { changes += 1 }
            isLastDigit = isDigit
            if isDigit { digits += count } else { letters += count }
        }
    }

    private mutating func add(_ text: Span<UInt8>) {
        var at = 0
        while at < text.count {
            let byte = text[at]
            if !run.isEmpty {
                if TextTally.isLetter(byte) || TextTally.isDigit(byte) {
                    run.add(1, isDigit: TextTally.isDigit(byte))
                    note(byte)
                    at += 1
                    continue
                }
                endRun()
            }
            let plain = addPlain(text, at)
            if plain > 0 {
                at += plain
            } else if byte < 0x80 {
                beginRun()
                note(byte)
                at += 1
            } else {
                let (scalar, length) = TextTally.decode(text, at)
                addOther(TextTally.class(of: scalar))
                at += length
            }
        }
        endRun()
        endOthers()
        settle()
    }

    private mutating func note(_ byte: UInt8) {
        beforeLast = last
        last = byte
    }

    // MARK: Runs with digits

    /// A digit comes: letters before it belong to its run.
    private mutating func beginRun() {
        if open > 0 {
            words.add(number: -1)
            letters.add(number: -open)
            run.add(open, isDigit: false)
            open = 0
        }
        run.add(1, isDigit: true)
    }

    private mutating func endRun() {
        if run.isEmpty { return }
        let length = run.letters + run.digits
        if run.letters > 0 && ((length >= 24 && run.digits > 0) || (length >= 4 && run.changes >= 2)) {
            random += length
        } else {
            words.add(number: run.letters > 0 ? 1 : 0)
            letters.add(number: run.letters)
            digits += run.digits
        }
        run = Run()
    }

    // MARK: Beyond ASCII

    private mutating func addOther(_ kind: ContentSize.Class) {
        if kind != newest.kind {
            endOthers()
            newest.kind = kind
        }
        newest.count += 1
        open = 0
        (last, beforeLast) = (0, 0xFF)
    }

    private mutating func endOthers() {
        if newest.count > 0 { others[newest.kind] += newest.count }
        newest.count = 0
    }

    // MARK: ASCII without digits

    private static let highs: UInt64 = 0x8080_8080_8080_8080
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// The high bit of each byte that is at least `limit`, up to the first that is no ASCII.
    @inline(__always)
    private static func atLeast(_ word: UInt64, _ limit: UInt8) -> UInt64 {
        (word &+ ones &* UInt64(0x80 &- limit)) & highs
    }

    /// The high bit of each byte that is 0, up to the first that is no ASCII.
    @inline(__always)
    private static func zero(_ word: UInt64) -> UInt64 { ~atLeast(word, 1) & highs }

    /// The high bit of each byte that is `byte`, up to the first that is no ASCII.
    @inline(__always)
    private static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 { zero(word ^ ones &* UInt64(byte)) }

    /// Marks of the bytes before; `first` is of the one before the first.
    @inline(__always)
    private static func before(_ marks: UInt64, _ first: Bool) -> UInt64 { marks &<< 8 | (first ? 0x80 : 0) }

    /// Eight bytes, the first lowest; what is behind the text is no ASCII.
    @inline(__always)
    private static func word(_ text: Span<UInt8>, _ at: Int) -> UInt64 {
        var word: UInt64 = .max
        if text.count &- at >= 8 {
            // The compiler makes one load of it.
            for place in 0..<8 { word = word &>> 8 | UInt64(text[at &+ place]) &<< 56 }
        } else {
            for index in stride(from: text.count - 1, through: at, by: -1) {
                word = word &<< 8 | UInt64(text[index])
            }
        }
        return word
    }

    /// Counts up to eight bytes before a digit or what is no ASCII, and gives how many there were.
    @inline(__always)
    private mutating func addPlain(_ text: Span<UInt8>, _ at: Int) -> Int {
        typealias My = TextTally
        let word = My.word(text, at)
        let digit = My.atLeast(word, 0x30) & ~My.atLeast(word, 0x3A), stop = digit | word & My.highs
        let count = stop.trailingZeroBitCount / 8
        if count == 0 { return 0 }
        let here = My.highs & (count == 8 ? .max : (1 &<< UInt64(8 * count)) &- 1)
        let lower = word | My.ones &* 0x20
        let letter = My.atLeast(lower, 0x61) & ~My.atLeast(lower, 0x7B) & here
        if steps == My.mostSteps { settle() }
        steps &+= 1
        words.add(letter & ~My.before(letter, open > 0))
        letters.add(letter)
        let rest = here & ~letter
        if rest != 0 {
            addSigns(word, rest)
            open = count &- 8 &+ rest.leadingZeroBitCount / 8
        } else {
            open &+= count
        }
        beforeLast = count > 1 ? UInt8(truncatingIfNeeded: word &>> UInt64(8 * (count &- 2))) : last
        last = UInt8(truncatingIfNeeded: word &>> UInt64(8 * (count &- 1)))
        return count
    }

    /// Counts what are no letters.
    @inline(__always)
    private mutating func addSigns(_ word: UInt64, _ rest: UInt64) {
        typealias My = TextTally
        let space = My.equal(word, 0x20), line = My.equal(word, 0x0A), tab = My.equal(word, 0x09)
        let lineBefore = My.before(line, last == 0x0A), tabBefore = My.before(tab, last == 0x09)
        // A single one between words is free.
        let behind = My.before(space, last == 0x20) | lineBefore | tabBefore
        let others = rest & ~space
        if others == 0 { return blanks.add(rest & space & behind) }
        newlines.add(others & line & ~lineBefore)
        if others & tab != 0 { blanks.add(number: 4 * (others & tab & ~tabBefore).nonzeroBitCount) }
        // Lines of one sign are few tokens.
        let same = My.zero(word ^ (word &<< 8 | UInt64(last)))
        let line3 = others & ~line & ~tab & same & My.before(same, last == beforeLast)
        blanks.add(rest & space & behind | others & (line & lineBefore | tab & tabBefore) | line3)
        signs.add(others & ~line & ~tab & ~line3)
    }

    private var size: ContentSize {
        var size = others
        size[.word] = UInt32(clamping: words.sum)
        size[.letter] = UInt32(clamping: letters.sum)
        size[.digit] = UInt32(clamping: digits)
        size[.sign] = UInt32(clamping: signs.sum)
        size[.newline] = UInt32(clamping: newlines.sum)
        size[.blank] = UInt32(clamping: blanks.sum)
        size[.random] = UInt32(clamping: random)
        return size
    }

    // MARK: Characters

    @inline(__always)
    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }

    @inline(__always)
    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private static func `class`(of scalar: UInt32) -> ContentSize.Class {
        switch scalar {
        case 0x3400...0x9FFF, 0xF900...0xFAFF: .han
        case 0x3040...0x30FF, 0xFF66...0xFF9D: .kana
        case 0xAC00...0xD7A3, 0x1100...0x11FF, 0x3130...0x318F, 0xFFA0...0xFFDC: .hangul
        // Han among the signs of the next line.
        case 0x3005, 0x3007, 0x3021...0x3029, 0x3038...0x303B: .han
        case 0x3000...0x303F, 0xFF00...0xFFEF: .wideSign
        case 0x20000...0x3FFFF: .rare
        case 0x1F000...: .emoji
        case ..<0x0800: .twoByte
        default: .threeByte
        }
    }

    /// The scalar at a byte of 0x80 or more in valid UTF-8, and how many bytes it has.
    private static func decode(_ text: Span<UInt8>, _ at: Int) -> (UInt32, Int) {
        let lead = text[at]
        let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
        guard at + length <= text.count else { return (0xFFFD, text.count - at) }
        var scalar = UInt32(lead) & (0xFF >> UInt32(length + 1))
        for index in (at + 1)..<(at + length) { scalar = scalar << 6 | UInt32(text[index] & 0x3F) }
        return (scalar, length)
    }
}
