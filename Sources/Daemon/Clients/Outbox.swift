internal import Conversation
internal import JSON
internal import Protocol

/// What waits to be written to one client, bounded in bytes.
///
/// Chunks that wait are merged.
struct Outbox {
    private enum Item {
        case line([UInt8])
        case chunk(Chunk)
    }

    private var items: [Item] = []
    private var first = 0
    /// Bytes that wait, as far as they can be told before a chunk is a line.
    private(set) var bytes = 0

    var isEmpty: Bool { first == items.count }

    mutating func add(_ line: [UInt8]) {
        items.append(.line(line))
        bytes += line.count
    }

    mutating func add(_ chunk: Chunk) {
        bytes += chunk.piece.bytes.count
        if first < items.count, case .chunk(var last) = items[items.count - 1] {
            items[items.count - 1] = .line([])  // so that the bytes have one owner and grow in place
            let isMerged = last.merge(chunk)
            items[items.count - 1] = .chunk(last)
            if isMerged { return }
        }
        items.append(.chunk(chunk))
        bytes += Outbox.chunkOverhead
    }

    /// About what a chunk's line has beside its text.
    private static let chunkOverhead = 240

    /// Takes lines for one write, about `most` bytes, at least one line.
    mutating func take(_ most: Int, _ lines: inout ChunkWriter) -> [UInt8] {
        var out: [UInt8] = []
        while first < items.count, out.isEmpty || out.count < most {
            switch items[first] {
            case .line(let line):
                bytes -= line.count
                if out.isEmpty { out = line } else { out += line }
            case .chunk(let chunk):
                bytes -= chunk.piece.bytes.count + Outbox.chunkOverhead
                lines.write(chunk, to: &out)
            }
            items[first] = .line([])
            first += 1
        }
        if first == items.count {
            items.removeAll(keepingCapacity: items.capacity <= 64)
            first = 0
        } else if first > 256 {
            items.removeFirst(first)
            first = 0
        }
        return out
    }

    /// Drops everything that waits.
    mutating func clear() {
        items = []
        first = 0
        bytes = 0
    }
}
