internal import EventLoop
internal import Posix

/// Memory that was let go of, on its way back to the system.
final class FreeMemory {
    /// Milliseconds until it is given back, so that a busy daemon does so now and then only.
    private static let pause = 2_000

    private let loop: EventLoop
    private var isDue = false
    /// Whether nobody is there, so that what the last ones needed of the program itself is given back too.
    var isQuiet: () -> Bool = { false }

    init(_ loop: EventLoop) { self.loop = loop }

    /// Much memory was let go of: a little later it is given back.
    func add() {
        if isDue { return }
        isDue = true
        loop.after(milliseconds: FreeMemory.pause) { [weak self] in
            guard let self else { return }
            isDue = false
            Process.giveBackFreeMemory()
            if isQuiet() { Process.giveBackCode() }
        }
    }
}
