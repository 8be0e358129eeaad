/// Times as servers write them: `34.07s`, `6m0s`, `12ms`, `45 seconds` (wire.md A7, C4, C6).
enum Durations {
    /// A time for people, as `45 s`, `3 min` or `2 h 5 min`; rounded up.
    static func words(_ milliseconds: Int) -> String {
        let seconds = (max(0, milliseconds) + 999) / 1000
        if seconds < 120 { return "\(seconds) s" }
        let minutes = (seconds + 59) / 60
        if minutes < 120 { return "\(minutes) min" }
        return minutes % 60 == 0 ? "\(minutes / 60) h" : "\(minutes / 60) h \(minutes % 60) min"
    }

    private static let units: [(name: String, milliseconds: Double)] = [
        ("ms", 1), ("milliseconds", 1), ("millisecond", 1), ("s", 1_000), ("sec", 1_000), ("secs", 1_000),
        ("second", 1_000), ("seconds", 1_000), ("m", 60_000), ("min", 60_000), ("mins", 60_000),
        ("minute", 60_000), ("minutes", 60_000), ("h", 3_600_000), ("hour", 3_600_000), ("hours", 3_600_000),
        ("d", 86_400_000), ("day", 86_400_000), ("days", 86_400_000),
    ]

    /// Milliseconds of the time that `text` begins with, rounded up; nil when it begins with none.
    static func leading(_ text: Substring) -> Int? {
        var rest = text, sum = 0.0, isAny = false
        while true {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let value = Double(digits.hasSuffix(".") ? digits.dropLast() : digits) else { break }
            var after = rest.dropFirst(digits.count)
            if after.first == " " { after = after.dropFirst() }
            let word = after.prefix { $0.isASCII && $0.isLetter }.lowercased()
            guard let unit = units.first(where: { $0.name == word }) else { break }
            sum += value * unit.milliseconds
            isAny = true
            rest = after.dropFirst(word.count)
        }
        return isAny ? Int(ceiling: min(sum, 1e11)) : nil
    }

    /// The wait that a sentence asks for, as in `Please retry in 45.5s`; nil when it asks for none.
    static func pause(in text: String) -> Int? {
        let lower = text.lowercased()
        for phrase in ["try again in ", "retry in ", "retry after ", "wait for ", "again after "] {
            guard let found = lower.firstRange(of: phrase) else { continue }
            if let wait = leading(lower[found.upperBound...]) { return wait }
        }
        return nil
    }
}

extension Int {
    /// The next integer at or above a number; without the mathematics library, which nothing else here needs.
    init(ceiling value: Double) {
        let whole = Int(value)
        self = Double(whole) < value ? whole + 1 : whole
    }
}
