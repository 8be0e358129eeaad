internal import Protocol

/// Answers gathered for one batch of requests, which go out as one line.
final class Batch {
    private var unanswered: Int
    private var lines: [[UInt8]] = []
    private var bytes = 0
    private var heldBytes = 0
    private let link: any ClientLink
    /// Bytes that the answers may have together.
    private let most: Int

    /// A batch that came in a line of so many bytes.
    init(_ entries: [Incoming], line bytes: Int, _ link: any ClientLink, most: Int) {
        self.link = link
        self.most = most
        unanswered = entries.count {
            if case .request = $0 { true } else if case .invalid = $0 { true } else { false }
        }
        hold(bytes)
    }

    deinit { letGo(heldBytes) }

    /// Its client holds so many bytes more, until they are let go of or the batch is dropped.
    private func hold(_ bytes: Int) {
        heldBytes += bytes
        link.hold(bytes)
    }

    /// So many bytes are needed no more.
    func letGo(_ bytes: Int) {
        heldBytes -= bytes
        link.letGo(bytes)
    }

    /// Why nothing more of it is begun; nil while there is room for answers.
    var refusal: WireError? { bytes > most ? full : nil }

    private var full: WireError {
        WireError(
            .overloaded, "the answers of this batch have more than \(most) bytes; send this request alone")
    }

    /// Keeps one answer; what goes past the bound is told to be asked for alone.
    func add(_ line: [UInt8], to entry: Incoming) {
        var line = line
        if bytes > 0, bytes + line.count > most, case .request(let id, _, _) = entry {
            line = Outgoing.failure(id, full)
        }
        lines.append(line)
        bytes += line.count
        unanswered -= 1
        hold(line.count)
        guard unanswered == 0 else { return }
        sendArray()
        letGo(bytes)
    }

    /// Sends the answers as the one line of an array, each as it is: together they may be large.
    private func sendArray() {
        link.send([0x5B], isPush: false)
        for number in lines.indices {
            var line: [UInt8] = []
            swap(&line, &lines[number])
            line[line.count - 1] = number == lines.count - 1 ? 0x5D : 0x2C  // in place of its LF
            link.send(line, isPush: false)
        }
        link.send([0x0A], isPush: false)
        lines = []
    }
}
