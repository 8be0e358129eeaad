/// Random numbers from the kernel, fetched in blocks: a system call for 32 of them.
package final class RandomNumbers: Sendable {
    /// Bytes of a block; `getrandom` gives as many whole.
    private static let block = 256

    private let rest = Locked<ArraySlice<UInt8>>([])

    package init() {}

    /// The next one; may be called from any thread.
    package func next() -> UInt64 {
        rest.withLock { rest in
            if rest.isEmpty { rest = Machine.random(RandomNumbers.block)[...] }
            let bytes = rest.prefix(8)
            rest = rest.dropFirst(8)
            return bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
