internal import Archive
internal import Conversation
internal import Crypto
internal import JSON
internal import Protocol
internal import Store
internal import Transcripts

extension Handlers {
    static let export: [Handler] = [.on(Method.Export.self) { $0.export }]

    private func export(_ request: Request<Method.Export>) throws(WireError) {
        withSession(request.call, request.parameters.id) { [self] record in
            let run = ExportRun(request, record, archives, configuration)
            request.call.onCancel = { run.cancel() }
            run.begin()
        }
    }
}

/// One export: a notification a record, paced by the client's reading, then the result.
///
/// It covers exactly the messages that were there at its start. No cursor stays open while it waits for the client.
private final class ExportRun {
    private let request: Request<Method.Export>
    private let session: SessionRecord
    private let writer: TranscriptWriter
    private let archives: Archives
    private let configuration: CurrentConfiguration
    /// What every notification begins with, up to its record.
    private let head: [UInt8]
    private let isText: Bool
    private var next = 1
    private var count = 0
    private var digest = DigestBox()
    private var isOver = false

    init(
        _ request: Request<Method.Export>, _ session: SessionRecord, _ archives: Archives,
        _ configuration: CurrentConfiguration
    ) {
        self.request = request
        self.session = session
        self.archives = archives
        self.configuration = configuration
        let name = request.parameters.format.rawValue
        guard let format = TranscriptFormat(rawValue: name) else {
            preconditionFailure("a test holds the formats of 'Transcripts' against those of the wire")
        }
        writer = TranscriptWriter(format: format)
        head =
            Array(#"{"jsonrpc":"2.0","method":"_convod/export/item","params":{"requestId":"#.utf8)
            + request.call.id.raw
            + Array(#","record":"#.utf8)
        isText = writer.format == .markdown
    }

    func begin() {
        if request.parameters.hasHeader { send(writer.header(of: session.session)) }
        readOn()
    }

    func cancel() {
        isOver = true
        request.fail(WireError(.cancelled, "the export was cancelled"))
    }

    private func send(_ record: [UInt8]) {
        count += 1
        digest.update(record)
        digest.update([0x0A])
        var line: [UInt8] = []
        line.reserveCapacity(record.count + head.count + 64)
        line += head
        if isText { JSONText.append(record[...], to: &line) } else { line += record }
        line += "}}\n".utf8
        request.client.link.send(line, isPush: false)
    }

    private func readOn() {
        guard !isOver, request.client.isOpen else { return }
        let limits = configuration.limits
        let page = ReadMessages(
            session, .from(next), limit: limits.pageRows,
            bytes: min(limits.pageBytes, 256 << 10))
        archives.readAway(page, of: session.row, map: { $0 }) { [self] result in
            if isOver { return }
            switch result {
            case .failure(let error):
                isOver = true
                request.fail(WireError(error))
            case .success(let page):
                for message in page.messages { send(writer.record(of: message)) }
                guard let following = page.next else { return finish() }
                next = following
                request.client.link.whenDrained { [self] in readOn() }
            }
        }
    }

    private func finish() {
        isOver = true
        let sum = digest.finish().hexadecimal
        request.reply(.init(count: count, sha256: sum))
    }
}

/// A digest inside a class: noncopyable values cannot be consumed out of one directly.
private final class DigestBox {
    private var digest: SHA256Digest? = SHA256Digest()
    func update(_ bytes: [UInt8]) { digest?.update(bytes) }
    func finish() -> [UInt8] { digest.take()?.finish() ?? [] }
}
