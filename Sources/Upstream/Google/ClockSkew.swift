/// How far the local clock is from a server's, when that is more than a minute.
struct ClockSkew: Equatable {
    /// Seconds, local minus server.
    let seconds: Int64

    /// Compares the local clock, in milliseconds, with a `Date` header; nil when they agree or there is no date.
    ///
    /// The header counts whole seconds and travelled a while, so up to 60 s say nothing.
    init?(_ date: String?, local: Int64) {
        guard let date, let server = RetryAfter.httpDate(date) else { return nil }
        seconds = (local - server) / 1000
        guard abs(seconds) > 60 else { return nil }
    }

    var words: String {
        "this machine's clock is \(length) \(seconds > 0 ? "ahead of" : "behind") Google's"
    }

    private var length: String {
        let count = abs(seconds), minutes = (count + 30) / 60
        if count < 120 { return "\(count) s" }
        if minutes < 120 { return "\(minutes) min" }
        return minutes % 60 == 0 ? "\(minutes / 60) h" : "\(minutes / 60) h \(minutes % 60) min"
    }
}
