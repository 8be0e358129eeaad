/// What is kept of a request's body to tell how much of it the next one begins with: a running hash at each `block` bytes.
package struct BodyPrint: Sendable, Equatable {
    /// Bytes between two hashes: a beginning that two bodies share is known to this.
    package static let block = 256
    /// Hashes at most; what stands behind them counts as not shared.
    private static let most = 8_192

    /// Bytes of the body.
    package let bytes: Int
    private let hashes: [UInt32]

    /// Reads a body once.
    package init(_ body: [UInt8]) {
        bytes = body.count
        var hashes: [UInt32] = [], running: UInt64 = 0xCBF2_9CE4_8422_2325
        hashes.reserveCapacity(min(body.count / BodyPrint.block, BodyPrint.most))
        let span = body.span
        var at = 0
        while at + BodyPrint.block <= span.count, hashes.count < BodyPrint.most {
            let end = at + BodyPrint.block
            while at < end {
                var word: UInt64 = 0
                for index in at..<(at + 8) { word = word << 8 | UInt64(span[index]) }
                // A product alone carries upwards only.
                running = (running ^ word) &* 0x9E37_79B9_7F4A_7C15
                running ^= running >> 32
                at += 8
            }
            hashes.append(UInt32(truncatingIfNeeded: running))
        }
        self.hashes = hashes
    }

    /// Bytes that both bodies begin with, to a block and at least so many.
    package func shared(with other: BodyPrint) -> Int {
        var count = 0
        while count < min(hashes.count, other.hashes.count), hashes[count] == other.hashes[count] {
            count += 1
        }
        return count * BodyPrint.block
    }
}
