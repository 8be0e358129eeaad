internal import Posix

/// A place to print much: a pager on a terminal, standard output elsewhere.
final class Pager {
    private let console: Console
    private var pipe: Descriptor?
    private var child: Int32?
    private var signals: Descriptor?
    private(set) var isClosed = false

    /// Starts `CONVO_PAGER`, else `PAGER`, else `less -FRX`; an empty one or `cat` means none.
    init(console: Console, environment: [String: String]) {
        self.console = console
        let command = environment["CONVO_PAGER"] ?? environment["PAGER"] ?? "less -FRX"
        guard console.isOutputTerminal, !command.isEmpty, command != "cat",
            Pager.isThere(command, environment["PATH"] ?? "")
        else { return }
        var environment = environment
        if environment["LESSCHARSET"] == nil { environment["LESSCHARSET"] = "utf-8" }
        guard let (reading, writing) = try? Process.pipe() else { return }
        let reader = Descriptor(owning: reading)
        pipe = Descriptor(owning: writing)
        signals = try? Signals.descriptor(for: [Signals.interrupt])  // Ctrl-C is for the pager while it shows
        child = try? Process.start(
            "/bin/sh", ["-c", command], environment: environment,
            streams: Process.Streams(input: reader.raw, output: 1, error: 2))
        if child == nil { pipe = nil } else { Signals.ignoreBrokenPipes() }
    }

    /// Whether the program of a command can be started; what the shell makes of other words is its own matter.
    private static func isThere(_ command: String, _ path: String) -> Bool {
        guard let name = command.split(separator: " ").first,
            name.allSatisfy({ $0.isLetter || $0.isNumber || "-_./+".contains($0) })
        else { return true }
        if name.contains("/") { return Files.isProgram(String(name)) }
        return Files.program(String(name), path: path) != nil
    }

    /// Prints text that is harmless already.
    func print(_ text: String) {
        guard let fd = pipe?.raw else { return console.print(text) }
        do { try Console.write(Array((text + "\n").utf8), to: fd) } catch { isClosed = true }
    }

    /// Waits until the reader has seen enough.
    func finish() {
        pipe = nil
        if let child { _ = try? Process.reap(child) }
        child = nil
    }
}
