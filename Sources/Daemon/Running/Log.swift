internal import Conversation
internal import Posix

/// Writes one line an event to standard error: `key=value`, with time and level before it, for journald with the level alone
/// (sd-daemon(3)).
///
/// - Invariant: no message text and no key is ever handed to it.
package struct Log: Sendable {
    /// How much an event matters; the raw values are those of syslog(3).
    package enum Level: Int, Sendable {
        case error = 3, warning = 4, notice = 5, info = 6

        /// As it stands in a line.
        package var name: String { ["error", "warning", "notice", "info"][rawValue - 3] }
    }

    private let isJournal: Bool
    private let write: @Sendable (String) -> Void
    /// Milliseconds since 1970.
    private let now: @Sendable () -> Int64

    /// Takes the environment, whose `JOURNAL_STREAM` says that standard error goes to the journal.
    package init(
        environment: [String: String], now: @escaping @Sendable () -> Int64 = { Machine.milliseconds() },
        write: @escaping @Sendable (String) -> Void = Log.toStandardError
    ) {
        self.now = now
        isJournal = Log.isJournal(environment)
        self.write = write
    }

    /// Whether standard error goes to the journal, which takes a level before a line so: `<3>` (sd-daemon(3)).
    ///
    /// A program that was started by a service has the variable too, wherever its own lines go.
    static func isJournal(_ environment: [String: String]) -> Bool {
        environment["JOURNAL_STREAM"].map { $0 == Files.stream(2) } ?? false
    }

    /// Bytes of a line: as much as a pipe takes at once (pipe(7), PIPE_BUF).
    private static let longest = 4_096

    /// Writes a line where that does not wait; a terminal that was stopped and a full pipe lose it, and hold up nobody.
    package static let toStandardError: @Sendable (String) -> Void = { line in
        guard (try? System.isWritable(2)) ?? false else { return }
        var bytes = Array(line.utf8.prefix(longest))
        if bytes.count == longest { bytes[longest - 1] = 0x0A }
        _ = try? System.write(2, bytes)
    }

    /// The same where standard error is a file under a path: one that was removed or put aside is made anew.
    package static func toFile(_ path: String) -> @Sendable (String) -> Void {
        { line in
            // It is put aside as at a start (`DaemonStarter`), whatever makes it long.
            if let size = (try? Files.status(path))??.size, size > longestFile {
                try? Files.rename(path, to: path + ".1")
            }
            // Where neither can be looked at, the line goes where the others went.
            if (try? FilePlace.of(path)) != (try? FilePlace.of(standardError)),
                let file = try? Files.openOwn(path, .appending)
            {
                file.replace(2)
            }
            toStandardError(line)
        }
    }

    /// Bytes of a log file; behind them another is begun.
    private static let longestFile = 4 << 20

    /// What standard error leads to (proc(5)).
    private static let standardError = "/proc/self/fd/2"

    /// How lines are written: into the log of a daemon that was started by hand, or where standard error leads.
    package static func writing(to path: String) -> @Sendable (String) -> Void {
        guard let there = try? FilePlace.of(path), let here = try? FilePlace.of(standardError), here == there
        else { return toStandardError }
        return toFile(path)
    }

    /// Something is lost, or the daemon cannot do what it is there for.
    package func error(_ event: String, _ fields: (String, String)...) { line(.error, event, fields) }
    /// Something is wrong that an administrator should mend.
    package func warning(_ event: String, _ fields: (String, String)...) { line(.warning, event, fields) }
    /// Something unusual that is dealt with already.
    package func notice(_ event: String, _ fields: (String, String)...) { line(.notice, event, fields) }
    /// Something in order, as a start, a stop or a new configuration.
    package func info(_ event: String, _ fields: (String, String)...) { line(.info, event, fields) }

    private func line(_ level: Level, _ event: String, _ fields: [(String, String)]) {
        let pairs = fields.map { "\($0)=\(quoted($1))" }
        let text = (["event=\(event)"] + pairs).joined(separator: " ")
        write(
            isJournal
                ? "<\(level.rawValue)>\(text)\n" : "\(Timestamp.text(now())) \(level.name) \(text)\n")
    }

    /// Values with spaces stand in quotes; control characters become spaces.
    private func quoted(_ value: String) -> String {
        let clean = String(
            String.UnicodeScalarView(value.unicodeScalars.map { $0.value < 0x20 || $0 == "\"" ? " " : $0 }))
        return clean.isEmpty || clean.contains(" ") || clean.contains("=") ? "\"\(clean)\"" : clean
    }
}
