internal import Posix

/// Ctrl-C as something to read, for as long as an answer can be cancelled by it.
///
/// From its making on SIGINT no longer ends the process.
final class Interrupts {
    private let source: Descriptor

    /// Blocks the signal; nil when the system has no descriptor for it.
    init?() {
        guard let source = try? Signals.descriptor(for: [Signals.interrupt]) else { return nil }
        self.source = source
    }

    /// The descriptor that `Client.call` and `StandardInput.line` watch.
    var descriptor: Int32 { source.raw }
}
