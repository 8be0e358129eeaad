internal import EventLoop
internal import Posix

/// Runs a program and takes the first line that it prints, without holding up the loop.
final class KeyCommand {
    /// Bytes of output that are kept; the rest is read and thrown away, so that the program can go on.
    private static let most = 65_536
    /// Milliseconds between two looks whether the program has ended, while its output is open and when it is not.
    private static let pause = 20, shortPause = 2

    private let words: [String]
    private let environment: [String: String]
    private let loop: EventLoop
    private let patience: Int
    private var then: ((Result<String, KeyTrouble>) -> Void)?
    private var output: [UInt8] = []
    private var isAtEnd = false
    private var fd: Int32 = -1
    private var process: Int32 = 0
    private var timer: EventLoop.TimerID?

    /// `patience` is in milliseconds.
    init(_ words: [String], environment: [String: String], loop: EventLoop, patience: Int = 10_000) {
        self.words = words
        self.environment = environment
        self.loop = loop
        self.patience = patience
    }

    private var name: String { KeyCommand.name(words) }
    private static func name(_ words: [String]) -> String { "the key command '\(words.first ?? "")'" }

    /// Why a command cannot be run, without running it; nil when it can.
    static func trouble(_ words: [String], _ environment: [String: String]) -> KeyTrouble? {
        find(words.first ?? "", environment) == nil
            ? KeyTrouble("\(name(words)) is not in the daemon's PATH") : nil
    }

    /// Starts it; `then` is called once, on the loop.
    func run(_ then: @escaping (Result<String, KeyTrouble>) -> Void) {
        self.then = then
        do throws(PosixError) { try start() } catch {
            end(.failure(KeyTrouble("\(name) cannot be started: \(error.reason)")))
        }
    }

    private func start() throws(PosixError) {
        guard let program = KeyCommand.find(words.first ?? "", environment) else {
            return end(.failure(KeyCommand.trouble(words, environment) ?? KeyTrouble("\(name) is gone")))
        }
        let pipe = try Process.pipe()
        fd = pipe.reading
        do throws(PosixError) {
            process = try Process.start(
                program, Array(words.dropFirst()), environment: environment,
                streams: .init(output: pipe.writing), isDetached: true)
        } catch {
            _ = Descriptor(owning: pipe.writing)
            throw error
        }
        // The child has its own; this end must go for the output's end to be seen.
        _ = Descriptor(owning: pipe.writing)
        try loop.watch(fd, .reading) { [self] _ in read() }
        lookForEnd()
        timer = loop.after(milliseconds: patience) { [self] in
            end(.failure(KeyTrouble("\(name) took more than \(patience / 1000) s")))
        }
    }

    private func read() {
        do throws(PosixError) {
            if try take() { return }
            isAtEnd = true
            loop.unwatch(fd)
            lookForEnd()
        } catch { end(.failure(KeyTrouble("\(name) cannot be read: \(error.reason)"))) }
    }

    /// Reads what is there; false at the end of the output.
    private func take() throws(PosixError) -> Bool {
        var buffer: [UInt8] = []
        guard let count = try System.read(fd, into: &buffer, most: KeyCommand.most) else { return true }
        output += buffer.prefix(max(0, min(count, KeyCommand.most - output.count)))
        return count > 0
    }

    /// Looks now and then whether the program has ended: another one that it left behind may hold its output.
    private func lookForEnd() {
        let pause = isAtEnd ? KeyCommand.shortPause : KeyCommand.pause
        loop.after(milliseconds: pause) { [self] in
            if then == nil { return }
            guard let ending = try? Process.reap(process, isWaiting: false) else { return lookForEnd() }
            process = 0
            ended(ending)
        }
    }

    private func ended(_ ending: Process.Ending) {
        guard ending == .exited(0) else {
            let how = if case .exited(let code) = ending { "exited with \(code)" } else { "was killed" }
            return end(.failure(KeyTrouble("\(name) \(how)")))
        }
        do throws(PosixError) {
            // What it wrote last may not have been read yet.
            while !isAtEnd, output.count < KeyCommand.most,
                try !System.wait(readable: [fd], milliseconds: 0).isEmpty
            {
                isAtEnd = try !take()
            }
        } catch { return end(.failure(KeyTrouble("\(name) cannot be read: \(error.reason)"))) }
        let line = output.prefix { $0 != 0x0A && $0 != 0x0D }
        if line.count >= KeyCommand.most {
            return end(
                .failure(
                    KeyTrouble(
                        "\(name) printed a first line of \(KeyCommand.most) bytes or more, which no key has"))
            )
        }
        let key = String(decoding: line, as: UTF8.self).trimmed
        end(key.isEmpty ? .failure(KeyTrouble("\(name) printed nothing")) : .success(key))
    }

    private func end(_ result: Result<String, KeyTrouble>) {
        if let timer { loop.cancel(timer) }
        if fd >= 0 {
            loop.unwatch(fd)
            _ = Descriptor(owning: fd)
            fd = -1
        }
        if process > 0 {
            try? Process.signal(-process, 9)  // its whole session
            KeyCommand.reap(process, loop)
            process = 0
        }
        let then = then
        self.then = nil
        then?(result)
    }

    /// Ends it, when nobody will ever wait for it again; nobody hears of it.
    func stop() {
        then = nil
        end(.failure(KeyTrouble("\(name) was ended")))
    }

    /// Takes note of a program's end; one that made itself another user's goes on as long as it likes.
    private static func reap(_ process: Int32, _ loop: EventLoop, after milliseconds: Int = 1) {
        if (try? Process.reap(process, isWaiting: false)) != nil { return }
        loop.after(milliseconds: milliseconds) { reap(process, loop, after: min(2 * milliseconds, 1_000)) }
    }

    /// The program's path: as it stands, or from `PATH`.
    private static func find(_ name: String, _ environment: [String: String]) -> String? {
        if name.contains("/") { return Files.isExecutable(name) ? name : nil }
        return Files.program(name, path: environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
    }
}

/// Why a source gives no key, in one clause.
struct KeyTrouble: Error, Equatable {
    let words: String
    init(_ words: String) { self.words = words }
}

extension String {
    /// Without blanks and line ends of ASCII at both ends; others are no slip that can be told from a key's own.
    var trimmed: String {
        let bytes = Array(utf8)
        guard let first = bytes.firstIndex(where: { $0 > 0x20 }),
            let last = bytes.lastIndex(where: { $0 > 0x20 })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}
