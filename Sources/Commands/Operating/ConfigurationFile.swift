internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

/// The file that a daemon is configured by, changed in one place with the rest left byte for byte.
struct ConfigurationFile {
    /// Where it lies, behind all links.
    private let path: String
    /// What is in it; nil where there is none.
    private let before: [UInt8]?

    /// That of the daemon that is asked; only its administrators may know it.
    init(_ client: Client) throws(CommandError) {
        guard let path = try client.info().configuration else {
            throw CommandError(
                .failure,
                "only administrators of the daemon may change what all sessions have; without --default one session's is set"
            )
        }
        do throws(PosixError) {
            let isThere = try Files.status(path, follows: true) != nil
            self.path = isThere ? try Files.resolved(path) : path
            before = isThere ? try Files.read(self.path, limit: 1 << 20) : nil
        } catch { throw CommandError(.failure, "cannot read the configuration: \(error.description)") }
    }

    /// Writes 'window' anew and has the daemon take it up; where it refuses, the file is as it was.
    func set(_ change: WindowChange, _ client: Client) throws(CommandError) {
        try write(try ConfigurationFile.edited(before ?? Array("{\n}\n".utf8), change, path))
        do throws(CommandError) { _ = try client.ask(Method.ServerReload.self) } catch {
            try write(before)
            throw error
        }
    }

    private func write(_ bytes: [UInt8]?) throws(CommandError) {
        do throws(PosixError) {
            guard let bytes else { return try Files.remove(path) }
            try Files.makeDirectories(Files.directory(of: path))
            try Files.replace(path, with: bytes, like: try Files.status(path))
        } catch { throw CommandError(.failure, "cannot write the configuration: \(error.description)") }
    }

    /// The file with another `window`: the value that is there makes room for it, else it comes first.
    static func edited(_ file: [UInt8], _ change: WindowChange, _ path: String) throws(CommandError)
        -> [UInt8]
    {
        let root: JSONView
        do { root = try JSONDocument(relaxed: file).root } catch {
            throw CommandError(.failure, "cannot read '\(path)': \(error.description)")
        }
        guard root.kind == .object else {
            throw CommandError(
                .failure, "'\(path)' holds no configuration; 'convo help configuration' says what it is")
        }
        let old = root["window"]
        if let old, old.kind != .object && !old.isNull {
            throw CommandError(.failure, "'window' in '\(path)' is no object; mend it with an editor first")
        }
        let text = String(decoding: old?.raw ?? [], as: UTF8.self)
        if text.contains("//") || text.contains("/*") {
            throw CommandError(
                .failure,
                "'window' in '\(path)' holds a comment, which would be lost; change it with an editor, and 'convo restart' takes it up"
            )
        }
        let members = change.changed(old).map { "\($0.name): \(String(decoding: $0.value, as: UTF8.self))" }
        let value = members.isEmpty ? "{}" : "{ \(members.joined(separator: ", ")) }"
        if let raw = old?.raw {
            return file[..<raw.startIndex] + Array(value.utf8) + file[raw.endIndex...]
        }
        // Right behind the brace that opens the whole.
        let start = root.raw.startIndex + 1
        return file[..<start] + Array("\n  window: \(value),".utf8) + file[start...]
    }
}
