internal import Conversation

/// What a server asks to wait, out of its headers (wire.md C4).
package enum RetryAfter {
    /// Milliseconds; nil when the headers name no time that can be read.
    ///
    /// A date in the past is 0.
    package static func milliseconds(_ headers: [String: String], now: Int64) -> Int? {
        if let text = headers["retry-after-ms"], let value = Double(text), value.isFinite, value >= 0 {
            return clamp(value)
        }
        guard let text = headers["retry-after"] else { return nil }
        if let seconds = Double(text) {
            return seconds.isFinite && seconds >= 0 ? clamp(seconds * 1000) : nil
        }
        guard let date = httpDate(text) else { return nil }
        return Int(max(0, date - now))
    }

    private static func clamp(_ milliseconds: Double) -> Int { Int(min(milliseconds, 1e11)) }

    /// An IMF-fixdate (RFC 9110, 5.6.7), as in `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func httpDate(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT" || words[5] == "UTC",
            let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
                .firstIndex(of: String(words[2]))
        else { return nil }
        func padded(_ text: some StringProtocol) -> String {
            text.utf8.count == 1 ? "0\(text)" : String(text)
        }
        return Timestamp.milliseconds(
            "\(words[3])-\(padded(String(month + 1)))-\(padded(words[1]))T\(words[4])Z")
    }
}
