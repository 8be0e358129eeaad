internal import JSON
internal import Posix

/// The prompts that a user typed in chats, one JSON string a line, in a file of the user's own.
struct PromptHistory {
    private let path: String

    /// Prompts that the file may have before it is written anew with the newest half of them.
    private static let most = 2_000

    init(_ locations: Locations) {
        path = (try? Files.resolved(locations.promptHistory)) ?? locations.promptHistory
    }

    /// The prompts, oldest first; none where there is no file, and where it cannot be read: then the chat goes without.
    func prompts() -> [String] {
        guard let bytes = try? Files.read(path, limit: 64 << 20) else { return [] }
        let lines = bytes.split(separator: 0x0A)
        if lines.count > PromptHistory.most { shorten(lines.suffix(PromptHistory.most / 2)) }
        return lines.compactMap { try? JSONDocument(Array($0)).root.string }
    }

    /// Puts a prompt behind the others.
    func add(_ prompt: String) throws(PosixError) {
        try Files.makeDirectories(Files.directory(of: path))
        let file = try Files.openOwn(path, .appending)
        // What a full disk cut keeps its line for itself.
        var line: [UInt8] = [0x0A]
        JSONText.append(prompt, to: &line)
        try Console.write(line + [0x0A], to: file.raw)
    }

    private func shorten(_ lines: ArraySlice<ArraySlice<UInt8>>) {
        // Where that cannot be, the file stays as long as it is.
        try? Files.replace(path, with: Array(lines.joined(separator: [0x0A])) + [0x0A])
    }
}
