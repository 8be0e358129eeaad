internal import Crypto
internal import JSON
internal import Protocol
internal import Transcripts

/// Sends an answer of many records: a notification each, as fast as the client reads.
final class PacedRecords {
    /// Bytes of lines that are handed over in one piece, about.
    private static let piece = 64 << 10

    private let link: any ClientLink
    private let isText: Bool
    /// What every notification begins with, up to its record.
    private let head: [UInt8]
    private var hash: DigestBox? = DigestBox()
    /// How many were sent.
    private(set) var count = 0

    /// Records of a call's answer are told with the notification `method`; text stands in them as a JSON string.
    init(_ call: Client.Call, as method: String, isText: Bool) {
        link = call.client.link
        self.isText = isText
        head =
            Array(#"{"jsonrpc":"2.0","method":"\#(method)","params":{"requestId":"#.utf8) + call.id.raw
            + Array(#","record":"#.utf8)
    }

    /// Sends records; how much may wait is what `whenRead` is for.
    func send(_ records: TranscriptRecords) {
        count += records.ends.count
        hash?.update(records.bytes)
        var lines: [UInt8] = [], start = 0
        let before = head, behind = PacedRecords.tail
        let head = before.span, tail = behind.span, bytes = records.bytes.span
        for end in records.ends {
            if lines.isEmpty { lines.reserveCapacity(PacedRecords.piece + (end - start) + head.count) }
            if isText {
                lines.append(head)
                JSONText.append(records.bytes[start..<end], to: &lines)
                lines.append(tail)
            } else {
                let record = bytes.extracting(start..<end)
                lines.append(addingCapacity: head.count + record.count + tail.count) { out in
                    out.append(head)
                    out.append(record)
                    out.append(tail)
                }
            }
            start = end + 1
            if lines.count >= PacedRecords.piece {
                link.send(lines, isPush: false)
                lines = []
            }
        }
        if !lines.isEmpty { link.send(lines, isPush: false) }
    }

    private static let tail = Array("}}\n".utf8)

    /// Goes on once the client has read nearly all, never from inside this call.
    func whenRead(_ action: @escaping () -> Void) { link.whenDrained(action) }

    /// What was sent so far.
    var seal: TranscriptSeal { TranscriptSeal(records: count, sha256: hash?.soFar() ?? "") }

    /// The SHA-256 over all records as a file has them, in hexadecimal; the last that is asked of it.
    func digest() -> String { hash.take()?.finish().hexadecimal ?? "" }
}

/// A digest inside a class: noncopyable values cannot be consumed out of one directly.
private final class DigestBox {
    private var digest: SHA256Digest? = SHA256Digest()
    func update(_ bytes: [UInt8]) { digest?.update(bytes) }
    func soFar() -> String { digest?.soFar().hexadecimal ?? "" }
    func finish() -> [UInt8] { digest.take()?.finish() ?? [] }
}
