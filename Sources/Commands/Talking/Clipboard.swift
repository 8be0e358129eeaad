internal import Crypto
internal import Posix

/// Where text is put so that other programs can paste it: the desktop's clipboard by a program of its, else the terminal's.
struct Clipboard {
    /// Bytes that terminals take at least: xterm's limit, before base64.
    static let mostOfTerminal = 74_994

    /// Seconds that a program has.
    private static let patience = "5"

    private let environment: [String: String]

    init(_ environment: [String: String]) { self.environment = environment }

    /// What writes the desktop's clipboard, with its arguments; nil where there is no desktop, or no such program.
    private var program: [String]? {
        let known: [(display: String, [String])] = [
            ("WAYLAND_DISPLAY", ["wl-copy"]),
            ("DISPLAY", ["xclip", "-selection", "clipboard"]),
            ("DISPLAY", ["xsel", "--clipboard", "--input"]),
        ]
        for (display, words) in known where environment[display]?.isEmpty == false {
            guard let path = Files.program(words[0], path: environment["PATH"]) else { continue }
            // A display that does not answer must not hold the chat up.
            let limit =
                Files.program("timeout", path: environment["PATH"]).map { [$0, Clipboard.patience] } ?? []
            return limit + [path] + words.dropFirst()
        }
        return nil
    }

    /// Puts text into the desktop's clipboard; false where that cannot be done.
    func putOnDesktop(_ text: [UInt8]) -> Bool {
        guard let program else { return false }
        do throws(PosixError) {
            let (reading, writing) = try Process.pipe()
            let input = Descriptor(owning: reading), output = Descriptor(owning: writing)
            Signals.ignoreBrokenPipes()
            let child = try Process.start(
                program[0], Array(program.dropFirst()), environment: environment,
                streams: Process.Streams(input: input.raw))
            Clipboard.close(input)
            // It may end before it has read all; how it ended says whether it has the text.
            try? Console.write(text, to: output.raw)
            Clipboard.close(output)
            return try Process.reap(child) == .exited(0)
        } catch { return false }
    }

    private static func close(_ descriptor: consuming Descriptor) {}

    /// What a terminal is sent so that it takes text into its clipboard (XTerm, "Manipulate Selection Data").
    static func sequence(_ text: [UInt8]) -> [UInt8] {
        Array("\u{1B}]52;c;\(Base64.encoded(text))\u{7}".utf8)
    }
}
