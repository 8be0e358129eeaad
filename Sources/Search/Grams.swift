/// What a text in normal form is indexed by.
///
/// A run is what stands between spaces, and ends where a script without spaces begins or ends. In a run of such a script each
/// character and each two of them are a gram; in any other run each place has one of up to three characters, so that the last two
/// are shorter and say where the run ends. What is asked for is made of the same grams, and what they find is checked.
package struct Grams {
    /// Bytes of a text that are indexed at most; longer ones are looked at by each search.
    package static let most = 1 << 18

    /// All grams of a text in normal form, with a space behind each, as often as they come.
    package static func text(of form: [UInt8]) -> [UInt8] {
        var grams: [UInt8] = []
        grams.reserveCapacity(form.count * 4)
        runs(of: form) { run in
            if run.isWide {
                for index in 0..<run.count {
                    append(form, run[index, 1], to: &grams)
                    if index + 1 < run.count { append(form, run[index, 2], to: &grams) }
                }
            } else {
                for index in 0..<run.count { append(form, run[index, 3], to: &grams) }
            }
        }
        return grams
    }

    private static func append(_ form: [UInt8], _ range: Range<Int>, to grams: inout [UInt8]) {
        for at in range { grams.append(form[at]) }
        grams.append(0x20)
    }

    /// What must stand in the index for a text to hold this one: whole grams, or where there is none what one begins with.
    static func needed(for form: [UInt8]) -> (whole: [[UInt8]], beginning: [UInt8]?) {
        var whole: [[UInt8]] = [], beginning: [UInt8]?
        runs(of: form) { run in
            let isLast = run.end == form.count
            if run.isWide {
                let few = min(2, run.count)
                for index in 0...(run.count - few) { whole.append(Array(form[run[index, few]])) }
                return
            }
            let count = isLast ? run.count - 2 : run.count
            if count > 0 {
                for index in 0..<count { whole.append(Array(form[run[index, 3]])) }
            } else {
                beginning = Array(form[run[0, 3]])
            }
        }
        return (whole, beginning)
    }

    /// A stretch of characters that are grams together.
    private struct Run {
        let isWide: Bool
        /// Where each character begins, and the end behind the last.
        let places: [Int]
        var count: Int { places.count - 1 }
        var end: Int { places[places.count - 1] }
        /// The bytes of so many characters from one on, fewer at the end.
        subscript(index: Int, length: Int) -> Range<Int> {
            places[index]..<places[min(index + length, count)]
        }
    }

    private static func runs(of form: [UInt8], _ body: (Run) -> Void) {
        var places: [Int] = [], isWide = false
        func end(_ at: Int) {
            if places.isEmpty { return }
            places.append(at)
            body(Run(isWide: isWide, places: places))
            places.removeAll(keepingCapacity: true)
        }
        var at = 0
        while at < form.count {
            let byte = form[at]
            if byte == 0x20 {
                end(at)
                at += 1
                continue
            }
            let length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            let wide = length > 2 && isWideScalar(form, at, length)
            if wide != isWide {
                end(at)
                isWide = wide
            }
            places.append(at)
            at += length
        }
        end(form.count)
    }

    /// Whether a character is of a script that is written without spaces and has many: Han, Kana, Hangul, Bopomofo.
    private static func isWideScalar(_ form: [UInt8], _ at: Int, _ length: Int) -> Bool {
        var scalar = UInt32(form[at]) & (length == 3 ? 0x0F : 0x07)
        for index in 1..<length where at + index < form.count {
            scalar = scalar << 6 | UInt32(form[at + index] & 0x3F)
        }
        return switch scalar {
        case 0x2E80...0x2FDF, 0x3005...0x3007, 0x3021...0x3029, 0x3041...0x318F, 0x31A0...0x31BF,
            0x31F0...0x31FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0x20000...0x3FFFF:
            true
        default: false
        }
    }
}
