internal import Archive
internal import CSQLite
internal import Conversation
internal import Posix

/// A value bound to a statement's parameter.
enum Bound {
    case null
    case int(Int64)
    case text(String)
    /// UTF-8 bytes bound as text.
    case utf8([UInt8])
    case blob([UInt8])

    init(_ value: Int) { self = .int(Int64(value)) }
    static func int(_ row: SessionRow) -> Bound { .int(row.number) }
    static func int(_ row: TurnRow) -> Bound { .int(row.number) }
    static func int(_ row: BranchRow) -> Bound { .int(row.number) }
    static func user(_ user: UserID) -> Bound { .int(Int64(user.number)) }

    init(_ text: String?) { self = text.map(Bound.text) ?? .null }
    init(_ utf8: [UInt8]?) { self = utf8.map(Bound.utf8) ?? .null }
    init(_ value: Int64?) { self = value.map(Bound.int) ?? .null }
}

/// One connection to SQLite with its cached statements; belongs to one thread.
@safe final class Database {
    private let handle: OpaquePointer
    private let path: String
    private var cache: [SQL.Key: Statement] = [:]
    /// Asked before each statement, by what it does; what it gives is thrown in its place.
    var fault: (@Sendable (String) -> ArchiveError?)?
    private var isClosed = false

    enum Mode { case writing, reading, inspecting }

    /// The library as a whole is set up once, before its first connection; where another was first it stays as it is.
    private static let isSetUp = csqlite_unaccounted() == SQLITE_OK

    /// Opens a file.
    ///
    /// `inspecting` neither creates nor changes anything, `reading` refuses to write.
    init(path: String, _ mode: Mode) throws(ArchiveError) {
        self.path = path
        _ = Database.isSetUp
        let flags =
            switch mode {
            case .writing: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .reading: SQLITE_OPEN_READWRITE
            case .inspecting: SQLITE_OPEN_READONLY
            }
        var raw: OpaquePointer?
        let name = mode == .inspecting ? Database.untouchedName(path) : path
        let code = unsafe sqlite3_open_v2(
            name, &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI, nil)
        guard code == SQLITE_OK, let opened = unsafe raw else {
            defer { unsafe sqlite3_close_v2(raw) }
            let words = unsafe String(cString: sqlite3_errstr(code)), kind = Database.kind(of: code)
            throw ArchiveError(
                kind, "open '\(path)'", engineCode: code, reason: Database.reason(words, code, kind, path))
        }
        unsafe handle = opened
        // The writer waits for a foreign lock by itself; others meet one only while the WAL is recovered.
        unsafe sqlite3_busy_timeout(handle, mode == .writing ? 0 : 10_000)
        unsafe csqlite_defensive(handle)
        // Only the writer moves the WAL's pages, so that what is closed last decides nothing.
        if mode != .writing { unsafe csqlite_keep_wal(handle) }
    }

    deinit { close() }

    /// Closes the connection; nothing can be read or written any more.
    func close() {
        if isClosed { return }
        isClosed = true
        cache = [:]
        let code = unsafe sqlite3_close(handle)
        precondition(code == SQLITE_OK, "every statement is finalized before its connection closes")
    }

    /// A name under which SQLite makes no -wal and -shm beside the file, as even a read-only connection else would;
    /// only where no -wal is there, since that may hold what counts.
    private static func untouchedName(_ path: String) -> String {
        if let wal = try? Files.status(path + "-wal"), wal.size > 0 { return path }
        let safe = path.utf8.map {
            [0x25, 0x3F, 0x23].contains($0) ? "%\(String($0, radix: 16))" : String(Unicode.Scalar($0))
        }
        let isPlain = path.utf8.allSatisfy { $0 < 0x80 }
        return isPlain ? "file:\(safe.joined())?immutable=1" : path
    }

    /// Runs SQL text of any number of statements.
    func execute(_ sql: String, doing: String) throws(ArchiveError) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code, doing) }
    }

    /// Runs one cached statement to its end.
    func run(_ sql: SQL, _ values: [Bound] = [], doing: String) throws(ArchiveError) {
        try rows(sql, values, doing: doing) { _ in true }
    }

    /// Runs one cached statement and hands each row to `body`, until that returns false.
    func rows(
        _ sql: SQL, _ values: [Bound] = [], doing: String, _ body: (Row) throws(ArchiveError) -> Bool
    ) throws(ArchiveError) {
        if isClosed { throw ArchiveError(.other, doing, reason: "the store is closed") }
        if let fault, let error = fault(doing) { throw error }
        let statement = try statement(sql, doing: doing)
        try statement.bind(values, self, doing)
        defer { statement.reset() }
        while true {
            let code = statement.step()
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw failure(code, doing) }
            if try !body(Row(statement)) { return }
        }
    }

    /// The first row made into a value, nil when there is none.
    func first<Value>(
        _ sql: SQL, _ values: [Bound] = [], doing: String, _ make: (Row) throws(ArchiveError) -> Value
    ) throws(ArchiveError) -> Value? {
        var value: Value?
        try rows(sql, values, doing: doing) { (row) throws(ArchiveError) in
            value = try make(row)
            return false
        }
        return value
    }

    /// The single integer of a query, 0 when it gives none.
    func integer(_ sql: SQL, _ values: [Bound] = [], doing: String) throws(ArchiveError) -> Int64 {
        try first(sql, values, doing: doing) { $0.int(0) } ?? 0
    }

    /// How long a statement waits for a lock of another connection.
    func setPatience(milliseconds: Int) { unsafe sqlite3_busy_timeout(handle, Int32(milliseconds)) }

    /// Whether no transaction is open: SQLite ended it by itself, or nobody began one.
    var isAutocommit: Bool { unsafe sqlite3_get_autocommit(handle) != 0 }

    /// The rowid of the newest insert.
    var lastRow: Int64 { unsafe sqlite3_last_insert_rowid(handle) }

    /// Lets go of the pages that are kept of the file, so that they are read anew.
    func forgetPages() { _ = unsafe sqlite3_db_release_memory(handle) }

    /// From now on a commit's pages go to the log in one write; the log must be open, as it is behind the first look.
    func gatherWrites() { unsafe csqlite_gather(handle) }

    /// What became of a call that went past SQLite's pages, which leaves no words behind.
    func fileFailure(_ code: Int32, _ doing: String) -> ArchiveError {
        let kind = Database.kind(of: code)
        return ArchiveError(
            kind, doing, engineCode: code,
            reason: Database.reason(unsafe String(cString: sqlite3_errstr(code)), code, kind, path))
    }

    /// Pages that this connection has written since it was opened.
    var pagesWritten: Int {
        var count: Int32 = 0, highest: Int32 = 0
        _ = unsafe sqlite3_db_status(handle, SQLITE_DBSTATUS_CACHE_WRITE, &count, &highest, 0)
        return Int(count)
    }

    /// Steps of SQLite's machine that reads took since this was asked last: what they cost, whatever they gave.
    func takeSteps() -> Int { cache.values.reduce(0) { $0 + $1.takeSteps() } }

    private func statement(_ sql: SQL, doing: String) throws(ArchiveError) -> Statement {
        let key = sql.key
        if let cached = cache[key] { return cached }
        var raw: OpaquePointer?
        let code = unsafe sqlite3_prepare_v3(
            handle, sql.text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &raw, nil)
        guard code == SQLITE_OK, let handle = unsafe raw else { throw failure(code, doing) }
        let statement = unsafe Statement(owning: handle)
        cache[key] = statement
        return statement
    }

    func failure(_ code: Int32, _ doing: String) -> ArchiveError {
        var words = unsafe String(cString: sqlite3_errmsg(handle)), kind = Database.kind(of: code)
        // A copy's step tells its failure by its code alone.
        if words == "not an error" { words = unsafe String(cString: sqlite3_errstr(code)) }
        if code & 0xFF == SQLITE_IOERR || code & 0xFF == SQLITE_CANTOPEN {
            let errno = unsafe sqlite3_system_errno(handle)
            if errno > 0 { words += " (\(PosixError.words(errno)))" }
            kind = Database.kind(of: code, errno)
        }
        return ArchiveError(
            kind, doing, engineCode: code, reason: Database.reason(words, code, kind, path))
    }

    /// SQLite's words, and where something may not be written or locked what it is: SQLite does not say.
    private static func reason(
        _ words: String, _ code: Int32, _ kind: ArchiveError.Code, _ path: String
    ) -> String {
        let directory = Files.directory(of: path)
        guard case .readOnly = kind else {
            return reason(words, code, on: Files.networkFileSystem(directory))
        }
        if !Files.isWritable(directory) {
            return "\(words): directory '\(directory)' may not be written to"
        }
        for file in [path, path + "-wal", path + "-shm"] where !Files.isWritable(file) {
            guard (try? Files.status(file)) != nil else { continue }
            return "\(words): '\(file)' may not be written to"
        }
        return words
    }

    /// SQLite's words, and where a lock failed on a network file system what is to be done.
    static func reason(_ words: String, _ code: Int32, on network: @autoclosure () -> String?) -> String {
        // SQLITE_IOERR_RDLOCK, CHECKRESERVEDLOCK, LOCK, SHMOPEN, SHMLOCK and SHMMAP: Swift has not these macros.
        let isLock =
            code == SQLITE_PROTOCOL
            || code & 0xFF == SQLITE_IOERR && [9, 14, 15, 18, 20, 21].contains(code >> 8)
        guard isLock, let network = network() else { return words }
        return
            "\(words): it lies on \(network), where SQLite's locks do not hold; set 'database.path' to a local disk, or give --database"
    }

    /// What a failure of reading or writing is, by what the system said of it: only some mean that there is no room.
    private static func kind(of code: Int32, _ errno: Int32) -> ArchiveError.Code {
        switch PosixError.meaning(of: errno) {
        case .noRoom: .full
        case .noWriting: .readOnly
        case .other: code & 0xFF == SQLITE_CANTOPEN ? .readOnly : .disk
        }
    }

    private static func kind(of code: Int32) -> ArchiveError.Code {
        switch code & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED: .busy
        case SQLITE_FULL: .full
        case SQLITE_IOERR: .disk
        case SQLITE_TOOBIG: .tooBig
        case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt
        case SQLITE_CONSTRAINT: .constraint
        case SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM: .readOnly
        default: .other
        }
    }
}

/// SQLite's own way of copying a database while it is used (https://sqlite.org/backup.html).
@safe final class DatabaseCopy {
    private var handle: OpaquePointer?
    private let source: Database
    private let target: Database

    init(from source: Database, to target: Database) throws(ArchiveError) {
        self.source = source
        self.target = target
        unsafe handle = Database.beginCopy(from: source, to: target)
        guard unsafe handle != nil else { throw target.failure(SQLITE_ERROR, "begin a copy") }
    }

    deinit { finish() }

    /// Copies some pages; true when all are there.
    func step(pages: Int32) throws(ArchiveError) -> Bool {
        let code = unsafe sqlite3_backup_step(handle, pages)
        switch code & 0xFF {
        case SQLITE_DONE: return true
        case SQLITE_OK: return false
        default: throw target.failure(code, "copy the database")
        }
    }

    func finish() {
        guard let open = unsafe handle else { return }
        unsafe handle = nil
        _ = unsafe sqlite3_backup_finish(open)
    }
}

extension Database {
    /// The database's file; nil where it has none.
    var file: DatabaseFile? { unsafe csqlite_file(handle, 0).map { unsafe DatabaseFile($0, of: self) } }
    /// Its write-ahead log; nil where none was made yet.
    var log: DatabaseFile? { unsafe csqlite_file(handle, 1).map { unsafe DatabaseFile($0, of: self) } }

    fileprivate static func beginCopy(from source: Database, to target: Database) -> OpaquePointer? {
        unsafe sqlite3_backup_init(target.handle, "main", source.handle, "main")
    }
}
