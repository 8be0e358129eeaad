internal import Posix

/// Ctrl-C and SIGTERM as something to read, for as long as an answer can be cancelled by them, and a closed output as an error
/// of writing.
///
/// From its making on none of them ends the process.
final class Interrupts {
    private let source: Descriptor

    /// Blocks the signals; nil when the system has no descriptor for them.
    init?() {
        guard let source = try? Signals.descriptor(for: [Signals.interrupt, Signals.terminate]) else {
            return nil
        }
        Signals.ignoreBrokenPipes()
        self.source = source
    }

    /// The descriptor that `Client.call` and `StandardInput.line` watch.
    var descriptor: Int32 { source.raw }

    /// What a command ends with that a signal ended.
    static func code(of signal: Int32) -> ExitCode {
        switch signal {
        case Signals.terminate: .terminated
        case Signals.hangup: .hungUp
        default: .cancelled
        }
    }
}
