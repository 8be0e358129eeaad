internal import EventLoop
internal import Posix

/// Runs a program and takes the first line that it prints, without holding up the loop.
final class KeyCommand {
    /// Bytes of output that are read.
    private static let most = 65_536

    private let words: [String]
    private let environment: [String: String]
    private let loop: EventLoop
    private let patience: Int
    private var then: ((Result<String, KeyTrouble>) -> Void)?
    private var output: [UInt8] = []
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

    private var name: String { "the key command '\(words.first ?? "")'" }

    /// Starts it; `then` is called once, on the loop.
    func run(_ then: @escaping (Result<String, KeyTrouble>) -> Void) {
        self.then = then
        do throws(PosixError) { try start() } catch {
            end(.failure(KeyTrouble("\(name) cannot be started: \(error.reason)")))
        }
    }

    private func start() throws(PosixError) {
        guard let program = KeyCommand.find(words.first ?? "", environment) else {
            return end(.failure(KeyTrouble("\(name) is not in the daemon's PATH")))
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
        timer = loop.after(milliseconds: patience) { [self] in
            end(.failure(KeyTrouble("\(name) took more than \(patience / 1000) s")))
        }
    }

    private func read() {
        var buffer: [UInt8] = []
        do throws(PosixError) {
            let count = try System.read(fd, into: &buffer, most: 4_096) ?? 0
            output += buffer.prefix(count)
            if count == 0 || output.count > KeyCommand.most { reap(tries: 100) }
        } catch { end(.failure(KeyTrouble("\(name) cannot be read: \(error.reason)"))) }
    }

    /// The output has ended; the program does so a moment later.
    private func reap(tries: Int) {
        loop.unwatch(fd)
        guard let ending = try? Process.reap(process, isWaiting: false) else {
            guard tries > 0 else { return end(.failure(KeyTrouble("\(name) does not end"))) }
            loop.after(milliseconds: 2) { [self] in if then != nil { reap(tries: tries - 1) } }
            return
        }
        process = 0
        guard ending == .exited(0) else {
            let how = if case .exited(let code) = ending { "exited with \(code)" } else { "was killed" }
            return end(.failure(KeyTrouble("\(name) \(how)")))
        }
        let line = output.prefix { $0 != 0x0A && $0 != 0x0D }
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
            _ = try? Process.reap(process)
            process = 0
        }
        let then = then
        self.then = nil
        then?(result)
    }

    /// The program's path: as it stands, or from `PATH`.
    private static func find(_ name: String, _ environment: [String: String]) -> String? {
        if name.contains("/") { return Files.isExecutable(name) ? name : nil }
        let directories = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        return directories.lazy.map { "\($0)/\(name)" }.first { Files.isExecutable($0) }
    }
}

/// Why a source gives no key, in one clause.
struct KeyTrouble: Error, Equatable {
    let words: String
    init(_ words: String) { self.words = words }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        let blank = { (character: Character) in character.isWhitespace || character.isNewline }
        guard let first = firstIndex(where: { !blank($0) }), let last = lastIndex(where: { !blank($0) })
        else { return "" }
        return String(self[first...last])
    }
}
