internal import Posix
internal import Typesetting

/// Standard output and standard error, and what kind of things they are.
final class Console {
    /// What `--color` says.
    enum ColorChoice: String, CaseIterable {
        case auto, always, never

        init(_ text: String?) throws(CommandError) {
            guard let choice = ColorChoice(rawValue: text ?? "auto") else {
                throw .usage("--color is auto, always or never, not '\(text ?? "")'")
            }
            self = choice
        }
    }

    let isOutputTerminal: Bool
    let isErrorTerminal: Bool
    let isQuiet: Bool
    /// Whether standard output gets colours.
    let isColored: Bool
    /// The width to lay text out for; a terminal's may change, and what is wider than it would be broken by it.
    var columns: Int {
        guard let real = Process.terminalColumns(1) else { return fixedColumns ?? 80 }
        return min(fixedColumns ?? real, real)
    }
    /// The height of the terminal.
    var rows: Int { Process.terminalRows(1) ?? 24 }
    private let fixedColumns: Int?
    /// Whether Markdown is drawn, and not shown as it is written.
    var drawsMarkdown: Bool { isOutputTerminal && isColored && !isRaw }
    /// Whether somebody asked for text as it is written.
    private let isRaw: Bool
    /// The first error of standard output; the command ends with it.
    private(set) var failure: PosixError?

    init(color: ColorChoice, isQuiet: Bool, isRaw: Bool, environment: [String: String]) {
        self.isRaw = isRaw
        self.isQuiet = isQuiet
        isOutputTerminal = Process.isTerminal(1)
        isErrorTerminal = Process.isTerminal(2)
        fixedColumns = environment["COLUMNS"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        func isSet(_ name: String) -> Bool { !(environment[name] ?? "").isEmpty }
        isColored =
            switch color {
            case .always: true
            case .never: false
            case .auto:
                !isSet("NO_COLOR")
                    && (isOutputTerminal && environment["TERM"] != "dumb"
                        || isSet("CLICOLOR_FORCE") && environment["CLICOLOR_FORCE"] != "0")
            }
    }

    /// Writes bytes to standard output as they are.
    func write(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        do { try Console.write(bytes, to: 1) } catch { failure = error }
    }

    /// Shows how far long work is, in one line of a terminal that the next one replaces; nil takes it away.
    func progress(_ text: String?) {
        guard isErrorTerminal && !isQuiet else { return }
        let line = text.map { TextWidth.fitted($0, to: max(10, columns - 1)) } ?? ""
        // Where it cannot be shown it is not missed.
        try? Console.write(Array("\r\u{1B}[K\(line)".utf8), to: 2)
    }

    /// Writes a line.
    func print(_ text: String) { write(Array((text + "\n").utf8)) }

    /// Writes text of a conversation: as it is into a pipe, without control characters on a terminal.
    func write(verbatim text: String) {
        write(Array((isOutputTerminal ? Console.harmless(text) : text).utf8))
    }

    /// What turns the direction of text around, and lets it show as other text than it is (Unicode TR 36, 2.8; TR 9).
    private static func isTurning(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// Whether standard output and standard error are terminals, where text may show as what it is not.
    private static let areTerminals = (output: Process.isTerminal(1), error: Process.isTerminal(2))

    /// Writes JSON: as it is into a pipe, with what could steer a terminal as escapes on one.
    ///
    /// Outside of strings JSON has none of it, so that it stays the same JSON.
    func write(json bytes: [UInt8]) {
        guard isOutputTerminal else { return write(bytes) }
        var out = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            guard scalar.value > 0x7E,
                Console.isTurning(scalar) || scalar.properties.generalCategory == .control
            else {
                out.append(scalar)
                continue
            }
            let code = String(scalar.value, radix: 16)
            out.append(
                contentsOf: ("\\u" + String(repeating: "0", count: 4 - code.count) + code).unicodeScalars)
        }
        write(Array(String(out).utf8))
    }

    /// Prints sentences, on a terminal in lines that end between words.
    func print(sentences text: String, _ style: Style? = nil) {
        let lines = isOutputTerminal ? TextWidth.wrapped(text, to: columns - 1) : [text]
        for line in lines { print(style.map { styled(line, $0) } ?? line) }
    }

    /// Prints facts quietly, with as many on a line as it holds.
    func print(facts: [String]) {
        var line = ""
        for fact in facts.map({ Console.harmless($0, keepingLines: false) }) where !fact.isEmpty {
            let longer = line.isEmpty ? fact : "\(line) · \(fact)"
            if !line.isEmpty, TextWidth.of(longer) >= columns {
                printFacts(line)
                line = fact
            } else {
                line = longer
            }
        }
        if !line.isEmpty { printFacts(line) }
    }

    private func printFacts(_ line: String) {
        for line in TextWidth.wrapped(line, to: columns - 1) { print(styled(line, .dim)) }
    }

    /// Asks something on standard error, with the place for the answer behind it.
    static func write(question: String) {
        try? write(Array(harmless(question, keepingLines: false, isError: true).utf8), to: 2)
    }

    /// Says something on standard error, unless `-q` was given.
    func note(_ text: String) { if !isQuiet { Console.complain(text) } }

    /// Says what went wrong on standard error.
    static func complain(_ text: String) {
        let line = "convo: \(harmless(text, keepingLines: false, isError: true))"
        let columns = areTerminals.error ? Process.terminalColumns(2) : nil
        let lines = columns.map { TextWidth.wrapped(line, to: $0 - 1) } ?? [line]
        try? write(Array((lines.joined(separator: "\n") + "\n").utf8), to: 2)
    }

    /// Colours text when standard output shows colours.
    func styled(_ text: String, _ style: Style) -> String {
        isColored ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    enum Style: String {
        case bold = "1", dim = "2", red = "31", green = "32", yellow = "33", blue = "34", cyan = "36"
    }

    /// Text that cannot steer a terminal: control characters show as their pictures, and what turns text around as a sign of
    /// its own; the latter only where there is a terminal.
    static func harmless(_ text: String, keepingLines: Bool = true, isError: Bool = false) -> String {
        let isOnTerminal = isError ? areTerminals.error : areTerminals.output
        func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
            if isOnTerminal, isTurning(scalar) { return false }
            return scalar.properties.generalCategory != .control
                || (keepingLines && (scalar == "\n" || scalar == "\t"))
        }
        if text.unicodeScalars.allSatisfy(isHarmless) { return text }
        // The end of a line is one in the form of Windows too.
        let text = keepingLines ? text.replacing("\r\n", with: "\n") : text
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            if isHarmless(scalar) { return scalar }
            if scalar == "\n" || scalar == "\t" { return " " }
            return scalar.value < 0x20 ? Unicode.Scalar(0x2400 + scalar.value) ?? " " : "\u{FFFD}"
        }
        return String(String.UnicodeScalarView(scalars))
    }

    /// Writes all bytes to a descriptor, waiting when it takes none.
    static func write(_ bytes: [UInt8], to fd: Int32) throws(PosixError) {
        var offset = 0
        while offset < bytes.count {
            if let n = try System.write(fd, bytes, from: offset) {
                offset += n
            } else {
                // Whoever shares the descriptor made it non-blocking.
                _ = try System.wait(readable: [], milliseconds: 5)
            }
        }
    }
}

/// Text that comes piece by piece, with no line's end of Windows parted: half of one would show as a sign.
struct LineEnds {
    private var holdsReturn = false

    /// The text with what was held back before it, without what may be half of a line's end.
    mutating func add(_ piece: String) -> String {
        var text = holdsReturn ? "\r" + piece : piece
        holdsReturn = text.utf8.last == 0x0D
        if holdsReturn { text.unicodeScalars.removeLast() }
        return text
    }
}
