internal import Archive
internal import CSQLite

/// The bytes of a file that a connection has open, past SQLite's pages and transactions.
@safe struct DatabaseFile {
    private let handle: UnsafeMutablePointer<sqlite3_file>
    private let database: Database

    init(_ handle: UnsafeMutablePointer<sqlite3_file>, of database: Database) {
        unsafe self.handle = unsafe handle
        self.database = database
    }

    /// How long it is.
    func size() throws(ArchiveError) -> Int {
        var size: Int64 = 0
        try check(unsafe csqlite_size(handle, &size), "look how long the file is")
        return Int(size)
    }

    /// Fills bytes with what stands from a place on; what is past the end is read as zeros.
    func read(_ bytes: inout [UInt8], count: Int, from place: Int) throws(ArchiveError) {
        precondition(count <= bytes.count)
        let code = unsafe bytes.withUnsafeMutableBytes {
            unsafe csqlite_read(handle, $0.baseAddress, Int32(count), Int64(place))
        }
        // SQLITE_IOERR_SHORT_READ, a macro that Swift has not.
        if code == SQLITE_IOERR | 2 << 8 { return }
        try check(code, "read the file's pages")
    }

    /// The number of four bytes at a place, the high byte first.
    func number(at place: Int) throws(ArchiveError) -> Int {
        var bytes: [UInt8] = [0, 0, 0, 0]
        try read(&bytes, count: 4, from: place)
        return bytes.span.number32(0)
    }

    /// Writes zeros over what nothing in the database uses.
    func wipe(_ places: Range<Int>) throws(ArchiveError) {
        let zeros = [UInt8](repeating: 0, count: places.count)
        let code = unsafe zeros.withUnsafeBytes {
            unsafe csqlite_write(handle, $0.baseAddress, Int32($0.count), Int64(places.lowerBound))
        }
        try check(code, "wipe the file's pages")
    }

    /// Waits until what was written is on the disk.
    func sync() throws(ArchiveError) { try check(unsafe csqlite_sync(handle), "sync the file's pages") }

    private func check(_ code: Int32, _ doing: String) throws(ArchiveError) {
        if let error = database.fault?(doing) { throw error }
        if code != SQLITE_OK { throw database.fileFailure(code, doing) }
    }
}

extension Span<UInt8> {
    /// The number of two bytes, the high byte first.
    func number16(_ at: Int) -> Int { Int(self[at]) << 8 | Int(self[at + 1]) }
    /// The number of four bytes, the high byte first.
    func number32(_ at: Int) -> Int { number16(at) << 16 | number16(at + 2) }
}
