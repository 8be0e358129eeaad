internal import Archive
internal import Conversation
internal import Crypto
internal import JSON
internal import Protocol
internal import Store
internal import Transcripts

extension Handlers {
    func export(_ call: Call) throws(WireError) {
        let asked = try ExportParameters(call.params)
        withSession(call, asked.id) { [self] record in
            let export = Export(
                call, record, TranscriptWriter(format: asked.format == .jsonl ? .jsonl : .markdown), services)
            call.onCancel = { export.cancel() }
            export.begin(hasHeader: asked.hasHeader)
        }
    }
}

/// One export: a notification a record, paced by the client's reading, then the result.
///
/// It covers exactly the messages that were there at its start. No cursor stays open while it waits for the client.
private final class Export {
    private let call: Call
    private let session: SessionRecord
    private let writer: TranscriptWriter
    private let services: Services
    /// What every notification begins with, up to its record.
    private let head: [UInt8]
    private let isText: Bool
    private var next = 1
    private var count = 0
    private var digest = DigestBox()
    private var isOver = false

    init(_ call: Call, _ session: SessionRecord, _ writer: TranscriptWriter, _ services: Services) {
        self.call = call
        self.session = session
        self.writer = writer
        self.services = services
        head =
            Array(#"{"jsonrpc":"2.0","method":"_convod/export/item","params":{"requestId":"#.utf8)
            + call.id.raw
            + Array(#","record":"#.utf8)
        isText = writer.format == .markdown
    }

    func begin(hasHeader: Bool) {
        if hasHeader { send(writer.header(of: session.session)) }
        readOn()
    }

    func cancel() {
        isOver = true
        call.fail(WireError(.cancelled, "the export was cancelled"))
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
        call.connection.send(line)
    }

    private func readOn() {
        guard !isOver, call.connection.isOpen else { return }
        let limits = services.configuration.limits
        let page = ReadMessages(
            session, .from(next), limit: limits.pageRows,
            bytes: min(limits.pageBytes, 256 << 10))
        services.archives.readAway(page, of: session.row, map: { $0 }) { [self] result in
            if isOver { return }
            switch result {
            case .failure(let error):
                isOver = true
                call.fail(WireError(error))
            case .success(let page):
                for message in page.messages { send(writer.record(of: message)) }
                guard let following = page.next else { return finish() }
                next = following
                call.connection.whenDrained { [self] in readOn() }
            }
        }
    }

    private func finish() {
        isOver = true
        let sum = digest.finish().hexadecimal, count = count
        call.reply {
            $0.member("count", count)
            $0.member("sha256", sum)
        }
    }
}

/// A digest inside a class: noncopyable values cannot be consumed out of one directly.
private final class DigestBox {
    private var digest: SHA256Digest? = SHA256Digest()
    func update(_ bytes: [UInt8]) { digest?.update(bytes) }
    func finish() -> [UInt8] { digest.take()?.finish() ?? [] }
}
