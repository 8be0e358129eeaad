internal import Conversation
internal import ConvoClient
internal import Posix
internal import Transcripts

/// How sessions of one export follow each other in a file, in one of its formats.
struct ExportShape {
    /// The formats, pages apart.
    static let names = ["jsonl", "json", "markdown"] + ChatDocument.allCases.map(\.rawValue)

    private let format: String
    private var isEmpty = true

    private let after: String?
    private let hasPaths: Bool

    /// Messages of other branches, which a format that has the active path alone left out so far.
    private(set) var leftOut = 0

    /// `after` is a message of the one session, of which only what follows is wanted.
    ///
    /// Without `hasPaths` nothing names places of this machine.
    init(_ format: String, after: String? = nil, hasPaths: Bool = true) {
        self.hasPaths = hasPaths
        self.format = format
        self.after = after
    }

    /// Writes a session; `path` is where it goes, nil for standard output.
    ///
    /// Returns the number of records that the daemon gave and that were checked.
    mutating func export(
        _ session: String, _ client: Client, into path: String?,
        _ write: ([UInt8]) throws(PosixError) -> Void
    ) throws(CommandError) -> Int {
        if let document = ChatDocument(rawValue: format) {
            return try export(document, session, client, into: path, write)
        }
        if format == "markdown", after == nil { leftOut += try BranchTree(client, session).besideThePath() }
        guard format == "json" else {
            return try SessionExport(
                client: client, session: session, format: format, after: after, hasPaths: hasPaths
            ).run(into: path, write)
        }
        var isFirst = isEmpty
        defer { isEmpty = isFirst }
        return try SessionExport(
            client: client, session: session, format: "jsonl", after: after, hasPaths: hasPaths
        ).run(into: path) {
            line throws(PosixError) in
            try write(Array((isFirst ? "[\n" : ",\n").utf8) + line.dropLast())
            isFirst = false
        }
    }

    private mutating func export(
        _ document: ChatDocument, _ session: String, _ client: Client, into path: String?,
        _ write: ([UInt8]) throws(PosixError) -> Void
    ) throws(CommandError) -> Int {
        var about: Session?, messages: [Message] = [], beside = 0
        let count = try SessionExport(client: client, session: session, format: "jsonl").read(into: path) {
            switch $0 {
            case .session(let session, _): about = session
            case .message(let message, true): messages.append(message)
            case .message: beside += 1
            default: break
            }
        }
        leftOut += beside
        guard let about else { return count }
        do throws(PosixError) { try write(document.line(of: about, messages) + [0x0A]) } catch {
            throw ExportFile.failed(path ?? "standard output", error)
        }
        return count
    }

    /// Writes what stands behind the last session.
    func finish(into path: String?, _ write: ([UInt8]) throws(PosixError) -> Void) throws(CommandError) {
        guard format == "json" else { return }
        do throws(PosixError) { try write(Array((isEmpty ? "[]\n" : "\n]\n").utf8)) } catch {
            throw ExportFile.failed(path ?? "standard output", error)
        }
    }
}
