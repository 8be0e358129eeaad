internal import Posix
internal import TestSupport

/// A program on a terminal of a given size, as tmux shows it: what a person would see.
final class Screen {
    struct Unseen: Error, CustomStringConvertible { let description: String }

    private let socket: String
    /// Its directory has the server's socket, by which that is ended.
    private let home: Home
    private let environment: [String: String]

    /// Starts a shell's command with the terminal as its input, output and error.
    init(
        _ command: String, columns: Int, rows: Int = 30, home: Home
    ) throws {
        self.home = home
        // No two have one server: a start that finds one which is just about to end fails.
        socket = home.directory.file("tmux-" + Machine.random(6).map { String($0, radix: 36) }.joined())
        var environment = home.environment
        environment["TERM"] = "xterm-256color"
        environment["LC_ALL"] = "C.UTF-8"
        self.environment = environment
        // What a tmux of its own has besides would be the user's.
        let start = ["-f", "/dev/null", "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "--"]
        // tmux itself does not always know how a program ended.
        try tmux(start + ["/bin/sh", "-c", "trap : INT; \(command); echo code $?; exec cat"])
    }

    deinit { _ = try? tmux(["kill-server"]) }

    @discardableResult private func tmux(_ arguments: [String], input: String = "") throws -> String {
        let (code, said) = try Built.run(
            "/usr/bin/tmux", ["-u", "-S", socket] + arguments, environment: environment, input: input)
        guard code == 0 else { throw Unseen(description: "tmux \(arguments) ended with \(code): \(said)") }
        return said
    }

    /// Strikes keys by tmux's names; other words are typed as they are.
    func strike(_ keys: String...) throws { try tmux(["send-keys"] + keys) }

    /// Types a text as it is.
    func type(_ text: String) throws { try tmux(["send-keys", "-l", text]) }

    /// Pastes a text as a terminal does for a program that asked for the brackets.
    func paste(_ text: String) throws {
        try tmux(["load-buffer", "-"], input: text)
        try tmux(["paste-buffer", "-p"])
    }

    /// Gives the terminal another width, and waits until its programs can know: tmux tells them a while after.
    func resize(columns: Int) throws {
        try tmux(["resize-window", "-x", "\(columns)"])
        let terminal = try tmux(["display-message", "-p", "#{pane_tty}"]).filter { $0 != "\n" }
        try soon("the terminal has \(columns) columns") {
            let size = try Built.run("/bin/stty", ["-F", terminal, "size"], environment: environment).said
            return size.split { $0 == " " || $0 == "\n" }.last.map(String.init) == "\(columns)"
        }
    }

    /// All that is shown, with what went off at the top, without blank lines at its end.
    func text() throws -> String {
        var lines = try tmux(["capture-pane", "-p", "-S", "-"]).split(
            separator: "\n", omittingEmptySubsequences: false)
        while let last = lines.last, last.allSatisfy({ $0 == " " }) { lines.removeLast() }
        return lines.joined(separator: "\n")
    }

    /// The same with its styles.
    func styled() throws -> String { try tmux(["capture-pane", "-e", "-p", "-S", "-"]) }

    /// Waits until something is shown.
    @discardableResult func see(_ what: String, milliseconds: Int = 20_000) throws -> String {
        try until(milliseconds) { $0.contains(what) }
            ?? { throw Unseen(description: "'\(what)' is not in:\n\(try text())") }()
    }

    /// Waits until the last line is this one.
    @discardableResult func seeLast(_ what: String, milliseconds: Int = 20_000) throws -> String {
        try until(milliseconds) { $0.split(separator: "\n").last.map(String.init) == what }
            ?? {
                throw Unseen(description: "the last line is not '\(what)':\n\(try text())")
            }()
    }

    /// Waits for the end of the program, and gives its exit code.
    func end() throws -> String {
        let shown = try see("code ")
        let line = shown.split(separator: "\n").last { $0.contains("code ") } ?? ""
        return String(line.reversed().prefix { $0 != " " }.reversed())
    }

    private func until(_ milliseconds: Int, _ isThere: (String) -> Bool) throws -> String? {
        let deadline = Machine.monotonic() + UInt64(milliseconds) * 1_000_000
        while true {
            let shown = try text()
            if isThere(shown) { return shown }
            if Machine.monotonic() > deadline { return nil }
        }
    }
}
