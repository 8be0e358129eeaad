/// How the pieces of an answer go into the archive: counts them, and tells when they must be on the disk and when the
/// upstream must wait for that.
package struct PieceLog: Sendable, Equatable {
    /// How much may be on its way.
    package struct Bounds: Sendable, Equatable {
        /// Bytes that are not in the archive yet at which the upstream is made to wait; below half of it, it goes on.
        package var unstored: Int
        /// Bytes after which the pieces are brought to the disk.
        package var unsynced: Int

        package init(unstored: Int, unsynced: Int) {
            self.unstored = unstored
            self.unsynced = unsynced
        }
    }

    /// One write of pieces.
    package struct Write: Sendable, Equatable {
        /// How many pieces there are before these, and with them.
        package let first: Int
        /// How many with them.
        package let end: Int
        /// Bytes of these pieces.
        package let bytes: Int
        /// Whether the write must reach the disk; else the next one does, or a timer.
        package let isSynced: Bool
        /// Whether the upstream must wait from now on.
        package let pauses: Bool
    }

    private let bounds: Bounds
    private var count = 0
    private var unstored = 0
    private var unsynced = 0
    private var isPaused = false

    package init(_ bounds: Bounds) { self.bounds = bounds }

    /// Pieces of so many bytes come in.
    package mutating func add(count more: Int, bytes: Int) -> Write {
        let first = count
        count += more
        unstored += bytes
        unsynced += bytes
        let isSynced = unsynced >= bounds.unsynced, pauses = !isPaused && unstored > bounds.unstored
        if isSynced { unsynced = 0 }
        if pauses { isPaused = true }
        return Write(first: first, end: count, bytes: bytes, isSynced: isSynced, pauses: pauses)
    }

    /// A write is answered; true when the upstream may go on.
    package mutating func stored(_ write: Write) -> Bool {
        unstored -= write.bytes
        guard isPaused, unstored < bounds.unstored / 2 else { return false }
        isPaused = false
        return true
    }

    /// The time for it has come: true when there is something that is not on the disk.
    package mutating func syncDue() -> Bool {
        defer { unsynced = 0 }
        return unsynced > 0
    }
}
