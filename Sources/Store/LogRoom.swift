internal import Posix

/// Room at the end of the write-ahead log, in zeros that are written ahead of what commits put there.
///
/// A commit that makes its file longer waits for the file system's journal as well as for its own bytes; one that writes
/// where something stands already does not. PostgreSQL fills its log with zeros for that reason (`wal_init_zero`); SQLite
/// takes zeros for the end of the log, as it takes whatever a longer log before left there (https://sqlite.org/walformat.html,
/// section 4.2: a frame counts only with the salts of the header and a checksum over all before it).
struct LogRoom: ~Copyable {
    /// Bytes that are added at one time, and those below which room gets too little.
    private static let step = 1 << 20, least = 64 << 10
    /// What is written ahead, in so many pieces that nobody holds all of it.
    private static let zeros = [UInt8](repeating: 0, count: 128 << 10)
    /// Bytes that must be free for that.
    private static let leastFree: Int64 = 8 << 20

    private let path: String
    private var file: Descriptor?
    private var size = 0

    /// `path` is the log's.
    init(_ path: String) { self.path = path }

    /// Sees to it that there is room behind so many bytes.
    ///
    /// Only with the write lock: then nobody else makes the log longer. What cannot be done is not needed.
    mutating func provide(behind used: Int) {
        guard size - used < LogRoom.least else { return }
        do throws(PosixError) {
            if file == nil, try Files.status(path) != nil { file = try Files.open(path, .appending) }
            guard let fd = file?.raw, let status = try Files.status(path) else { return }
            size = Int(status.size)
            guard size - used < LogRoom.least else { return }
            // The last of a disk is for what the log is moved into; the first of the log is there all the same, so that room can
            // be made.
            if size >= LogRoom.step, let free = Files.freeBytes(path), free < LogRoom.leastFree {
                size = used + LogRoom.step
                return
            }
            for _ in 0..<LogRoom.step / LogRoom.zeros.count {
                size += try System.write(fd, LogRoom.zeros) ?? 0
            }
        } catch {
            // A disk that is nearly full gets it back with the next cut.
            size = used + LogRoom.step
        }
    }

    /// The log was cut to nothing.
    mutating func cut() { size = 0 }

    /// Lets go of the file; it may be another one next time.
    mutating func close() {
        file = nil
        size = 0
    }
}
