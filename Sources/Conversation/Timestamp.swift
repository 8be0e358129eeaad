internal import JSON

/// Times on the wire: RFC 3339, UTC, milliseconds.
package enum Timestamp {
    /// Milliseconds from the first day of the year 1 to the last of 9999: what RFC 3339 can write, less the year 0.
    package static let range = -62_135_596_800_000...253_402_300_799_999

    /// Writes milliseconds since 1970 as `2026-11-25T06:00:00.000Z`; what is out of `range` reads as its edge.
    package static func text(_ time: Int64) -> String {
        var text = Array(repeating: UInt8(0), count: width), span = text.mutableSpan
        write(time, to: &span, at: 0)
        return String(decoding: text, as: UTF8.self)
    }

    /// Bytes of a time.
    package static let width = 24

    /// The same at a place of some bytes.
    package static func write(_ time: Int64, to bytes: inout MutableSpan<UInt8>, at place: Int) {
        let milliseconds = min(max(time, Int64(range.lowerBound)), Int64(range.upperBound))
        let days = floorDiv(milliseconds, Timestamp.day)
        let rest = Int(milliseconds - days * Timestamp.day)
        let (year, month, day) = civil(days)
        var text = bytes._mutatingExtracting(place..<(place + width))
        let century = year / 100
        put(century, nil, at: 0, to: &text)
        put(year - century * 100, 0x2D, at: 2, to: &text)
        put(month, 0x2D, at: 5, to: &text)
        put(day, 0x54, at: 8, to: &text)
        let seconds = rest / 1000, minutes = seconds / 60, hours = minutes / 60
        put(hours, 0x3A, at: 11, to: &text)
        put(minutes - hours * 60, 0x3A, at: 14, to: &text)
        put(seconds - minutes * 60, 0x2E, at: 17, to: &text)
        let fraction = rest - seconds * 1000, hundreds = fraction / 100
        text[20] = UInt8(truncatingIfNeeded: 0x30 &+ hundreds)
        put(fraction - hundreds * 100, 0x5A, at: 21, to: &text)
    }

    /// Two digits, and what stands behind them.
    @inline(__always)
    private static func put(_ value: Int, _ mark: UInt8?, at place: Int, to text: inout MutableSpan<UInt8>) {
        let tens = value / 10
        text[place] = UInt8(truncatingIfNeeded: 0x30 &+ tens)
        text[place + 1] = UInt8(truncatingIfNeeded: 0x30 &+ value &- tens &* 10)
        if let mark { text[place + 2] = mark }
    }

    /// Milliseconds of a day; leap seconds do not count.
    package static let day: Int64 = 86_400_000

    /// A day since 1970 as `2026-11-25`.
    package static func date(_ day: Int64) -> String { String(text(day * Timestamp.day).prefix(10)) }

    /// Reads what `date` wrote, as days since 1970; nil for any other text.
    package static func day(_ text: String) -> Int64? {
        guard text.utf8.count == 10, let time = milliseconds("\(text)T00:00:00Z") else { return nil }
        return floorDiv(time, day)
    }

    /// The minute for people, as `2026-11-25 06:00 UTC`.
    package static func minute(_ time: Int64) -> String {
        let text = text(time)
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) UTC"
    }

    /// Reads a time with a zone (`Z` or `+hh:mm`), nil for any other text.
    package static func milliseconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == 0x2D, bytes[7] == 0x2D, [0x54, 0x74, 0x20].contains(bytes[10]),
            bytes[13] == 0x3A,
            bytes[16] == 0x3A
        else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
            return bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month), day >= 1,
            day <= days(year, month),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var at = 19, fraction = 0
        if bytes[at] == 0x2E {
            var digits = 0
            at += 1
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                if digits < 3 { fraction = fraction * 10 + Int(bytes[at] - 0x30) }
                digits += 1
                at += 1
            }
            if digits == 0 { return nil }
            for _ in digits..<max(3, digits) { fraction *= 10 }
        }
        guard let zone = offset(bytes[at...], number) else { return nil }
        let seconds =
            Int(daysFromCivil(year, month, day)) * 86_400 + hour * 3600 + minute * 60 + second - zone * 60
        let time = seconds * 1000 + fraction
        return range.contains(time) ? Int64(time) : nil
    }

    /// The zone in minutes east of UTC.
    private static func offset(_ zone: ArraySlice<UInt8>, _ number: (Range<Int>) -> Int?) -> Int? {
        if zone.count == 1, let letter = zone.first, letter == 0x5A || letter == 0x7A { return 0 }
        let start = zone.startIndex
        guard zone.count == 6, zone[start + 3] == 0x3A, let sign = [0x2B: 1, 0x2D: -1][zone[start]],
            let hours = number((start + 1)..<(start + 3)), let minutes = number((start + 4)..<(start + 6)),
            hours < 24, minutes < 60
        else { return nil }
        return sign * (hours * 60 + minutes)
    }

    private static func floorDiv(_ a: Int64, _ b: Int64) -> Int64 { a >= 0 ? a / b : -((-a + b - 1) / b) }

    /// Howard Hinnant's `civil_from_days`: days since 1970 to year, month, day.
    private static func civil(_ days: Int64) -> (Int, Int, Int) {
        let z = days + 719_468
        let era = floorDiv(z, 146_097)
        let doe = Int(z - era * 146_097)
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
        let mp = (5 * doy + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yoe + Int(era) * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1)
    }

    /// How many days a month has.
    private static func days(_ year: Int, _ month: Int) -> Int {
        if month == 12 { return 31 }
        return Int(daysFromCivil(year, month + 1, 1) - daysFromCivil(year, month, 1))
    }

    private static func daysFromCivil(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yoe = y - era * 400
        let doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return Int64(era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468)
    }
}
