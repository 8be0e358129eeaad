internal import Posix
internal import Protocol

/// Standard input, whole or by lines.
struct StandardInput {
    private var buffer: [UInt8] = []
    private var isAtEnd = false

    static var isTerminal: Bool { Process.isTerminal(0) }

    /// Bytes that a prompt may have and still fit into a line of the daemon's.
    private static let most = Limits().line - 4_096

    private static func check(_ bytes: Int) throws(CommandError) {
        if bytes <= most { return }
        throw CommandError(
            .failure,
            "standard input has more than \(most >> 20) MiB without an end, more than a prompt may have; send less of it"
        )
    }

    /// Milliseconds of silence after which a person is told what is waited for.
    private static let patience: Int32 = 1_000

    /// Milliseconds without a first byte after which input that nobody asked for is none: whoever started this left a pipe open.
    static let firstByte: Int32 = 5_000

    /// Everything that a pipe or a file gives, less one LF at its end; `idle` is said once where nothing comes for a second.
    ///
    /// With `firstByte` it is nothing where none comes for so many milliseconds.
    static func all(firstByte: Int32? = nil, idle: () -> Void) throws(CommandError) -> String {
        var bytes = try bytes(most: most + 1, firstByte: firstByte, idle: idle)
        try check(bytes.count)
        if bytes.last == 0x0A { bytes.removeLast() }
        return try text(bytes)
    }

    /// The bytes of a pipe or a file, up to so many.
    static func bytes(most: Int, firstByte: Int32? = nil, idle: () -> Void) throws(CommandError) -> [UInt8] {
        var bytes: [UInt8] = [], isTold = false
        while bytes.count < most {
            do throws(PosixError) {
                let rest = bytes.isEmpty ? firstByte.map { $0 - patience } ?? -1 : -1
                if try System.wait(readable: [0], milliseconds: isTold ? rest : patience).isEmpty {
                    if isTold { return [] }
                    idle()
                    isTold = true
                } else if try System.read(0, into: &bytes, most: 64 << 10) == 0 {
                    break
                }
            } catch { throw CommandError(.failure, "cannot read standard input: \(error.reason)") }
        }
        return bytes
    }

    /// What `line` came back with.
    enum Line {
        case text(String)
        /// Its number.
        case signal(Int32)
        case end
    }

    /// Bytes of a line that a terminal passes on at most, its end not among them (`N_TTY_BUF_SIZE` of Linux).
    static let longestTyped = 4_095
    /// Whether lines are typed: then what is no text is told by U+FFFD, and ends nothing.
    private let isTyped: Bool

    /// `ahead` are bytes that were read already.
    init(isTyped: Bool = false, _ ahead: [UInt8] = []) {
        self.isTyped = isTyped
        buffer = ahead
        endLines(from: 0)
    }

    /// Whether a line is there already.
    var hasLine: Bool { buffer.contains(0x0A) }
    /// What was read and not taken.
    var rest: [UInt8] { buffer }

    /// While each key is read by itself, a terminal gives Enter as it is.
    private mutating func endLines(from start: Int) {
        if !isTyped { return }
        for index in buffer[start...].indices where buffer[index] == 0x0D { buffer[index] = 0x0A }
    }

    /// Milliseconds without a further line after which what came at once is all of it.
    private static let pause: Int32 = 30

    /// The lines that a terminal gives without a pause of so many milliseconds: pasted, or, with 0, typed while nobody read.
    mutating func burst(pause: Int32 = StandardInput.pause) throws(CommandError) -> [String] {
        var lines: [String] = []
        while !isAtEnd {
            let isHere = buffer.contains(0x0A), ready: [Int32]
            do throws(PosixError) {
                ready = try System.wait(readable: [0], milliseconds: isHere ? 0 : pause)
            } catch { throw CommandError(.failure, "cannot read standard input: \(error.reason)") }
            guard isHere || !ready.isEmpty, case .text(let text) = try line(signals: nil) else { break }
            lines.append(text)
        }
        return lines
    }

    /// The next line without its end; `others` are watched meanwhile, and `onReady` hears of them.
    mutating func line(
        signals: Int32?, others: () -> [Int32] = { [] }, onReady: () -> Void = {}
    ) throws(CommandError) -> Line {
        var searched = 0
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                var line = Array(buffer[..<end])
                buffer.removeSubrange(...end)
                if line.last == 0x0D { line.removeLast() }
                return .text(try decoded(line))
            }
            if isAtEnd {
                guard !buffer.isEmpty else { return .end }
                defer { buffer = [] }
                return .text(try decoded(buffer))
            }
            searched = buffer.count
            try StandardInput.check(searched)
            do throws(PosixError) {
                let others = others()
                let ready = try System.wait(
                    readable: [0] + (signals.map { [$0] } ?? []) + others, milliseconds: -1)
                if let signals, ready.contains(signals), var number = Signals.next(signals) {
                    // What ends the program counts more than what breaks a line off.
                    while let other = Signals.next(signals) {
                        if other == Signals.terminate { number = other }
                    }
                    buffer = []
                    return .signal(number)
                }
                if ready.contains(where: others.contains) { onReady() }
                if ready.contains(0), try System.read(0, into: &buffer, most: 64 << 10) == 0 {
                    isAtEnd = true
                }
                endLines(from: searched)
            } catch { throw CommandError(.failure, "cannot read standard input: \(error.reason)") }
        }
    }

    /// Asks something on standard error and gives the line that answers it; nil at the end of the input.
    mutating func answer(to question: String, signals: Int32? = nil) throws(CommandError) -> String? {
        Console.write(question: question)
        switch try line(signals: signals) {
        case .text(let text): return text
        case .end: return nil
        case .signal(let number): throw CommandError(Interrupts.code(of: number), "nothing was changed")
        }
    }

    private func decoded(_ bytes: [UInt8]) throws(CommandError) -> String {
        isTyped ? String(decoding: bytes, as: UTF8.self) : try StandardInput.text(bytes)
    }

    private static func text(_ bytes: [UInt8]) throws(CommandError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError(.failure, "standard input is not UTF-8 text; convert it with iconv")
        }
        return text
    }
}
