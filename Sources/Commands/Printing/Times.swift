internal import Posix
internal import Protocol

/// Times and numbers as people read them.
enum Times {
    /// A time as its distance from now, or its date when that is long ago.
    static func relative(_ time: Wire.Time, now: Int64 = Machine.milliseconds()) -> String {
        let seconds = (now - time.milliseconds) / 1000
        switch seconds {
        case ..<60: return "just now"
        case ..<3600: return "\(seconds / 60) min ago"
        case ..<86_400: return "\(seconds / 3600) h ago"
        case ..<172_800: return "yesterday"
        case ..<2_592_000: return "\(seconds / 86_400) days ago"
        default: return String(time.text.prefix(10))
        }
    }

    /// A time as its distance from now in four columns at most.
    static func short(_ time: Wire.Time, now: Int64 = Machine.milliseconds()) -> String {
        let seconds = max(0, (now - time.milliseconds) / 1000)
        return switch seconds {
        case ..<60: "now"
        case ..<3600: "\(seconds / 60)m"
        case ..<86_400: "\(seconds / 3600)h"
        case ..<31_536_000: "\(seconds / 86_400)d"
        default: "\(seconds / 31_536_000)y"
        }
    }

    /// A duration in its two largest units.
    static func duration(milliseconds: Int) -> String {
        let seconds = milliseconds / 1000
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
        if seconds < 86_400 { return "\(seconds / 3600) h \(seconds / 60 % 60) min" }
        return "\(seconds / 86_400) d \(seconds / 3600 % 24) h"
    }

    /// A number with commas between thousands.
    static func number(_ value: Int) -> String {
        var digits = Array(String(abs(value)))
        var at = digits.count - 3
        while at > 0 {
            digits.insert(",", at: at)
            at -= 3
        }
        return (value < 0 ? "-" : "") + String(digits)
    }

    /// "12 bytes", "3.4 kB", "56 MB".
    static func bytes(_ value: Int) -> String {
        for (unit, factor) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)] where value >= factor
        {
            let tenths = (value * 10 + factor / 2) / factor
            return tenths >= 100 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return count(value, "byte")
    }

    /// "1 message", "2 messages"; `plural` where an "s" does not make it.
    static func count(_ value: Int, _ noun: String, plural: String? = nil) -> String {
        "\(number(value)) \(value == 1 ? noun : plural ?? noun + "s")"
    }
}
