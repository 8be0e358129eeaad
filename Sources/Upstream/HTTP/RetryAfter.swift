internal import Conversation

/// What a server asks to wait, out of its headers (wire.md C4).
package enum RetryAfter {
    /// Milliseconds; nil when the headers name no time that can be read.
    ///
    /// A date is measured against the answer's own `Date`, since the server's clock need not be ours; `now`, in
    /// milliseconds since 1970, counts where the answer has none. A date in the past is 0.
    package static func milliseconds(_ headers: [String: String], now: Int64) -> Int? {
        if let text = headers["retry-after-ms"], let value = Double(text.trimmed), value.isFinite, value >= 0
        {
            return clamp(value)
        }
        guard let text = headers["retry-after"]?.trimmed else { return nil }
        if let seconds = Double(text) {
            return seconds.isFinite && seconds >= 0 ? clamp(seconds * 1000) : nil
        }
        let here = headers["date"].flatMap { httpDate($0, now: now) } ?? now
        guard let date = httpDate(text, now: here) else { return nil }
        return clamp(Double(max(0, date - here)))
    }

    private static func clamp(_ milliseconds: Double) -> Int { Int(min(milliseconds, 1e11)) }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// A date of HTTP in any of its three forms (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`,
    /// `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`; milliseconds since 1970.
    ///
    /// A year of two digits is that which is at most 50 years ahead of `now`.
    static func httpDate(_ text: String, now: Int64 = 0) -> Int64? {
        let words = text.trimmed.split { $0 == " " || $0 == "\t" || $0 == "-" }
        let isZoned = words.last == "GMT" || words.last == "UTC"
        switch words.count {
        case 6 where isZoned: return moment(words[3], words[2], words[1], words[4], now)
        case 5 where !isZoned: return moment(words[4], words[1], words[2], words[3], now)
        default: return nil
        }
    }

    private static func moment(
        _ year: Substring, _ month: Substring, _ day: Substring, _ time: Substring, _ now: Int64
    ) -> Int64? {
        guard let number = months.firstIndex(of: String(month)) else { return nil }
        func padded(_ text: String) -> String { text.utf8.count == 1 ? "0\(text)" : text }
        func date(_ year: String) -> Int64? {
            Timestamp.milliseconds("\(year)-\(padded("\(number + 1)"))-\(padded(String(day)))T\(time)Z")
        }
        if year.utf8.count == 4 { return date(String(year)) }
        guard year.utf8.count == 2, let near = date("20\(year)") else { return nil }
        let half: Int64 = 50 * 31_556_952_000
        return near - now > half ? date("19\(year)") : near
    }
}
