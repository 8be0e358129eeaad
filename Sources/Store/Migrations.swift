internal import Archive
internal import CSQLite
internal import Posix
internal import Schema

/// The schema's versions, embedded from `schema/migrations`.
package enum Migrations {
    /// "Cnvd" in ASCII: marks the file as convod's.
    static let applicationID: Int64 = 0x436E_7664

    /// The newest version that this build knows.
    package static var newest: Int { schema_migration_count }

    /// The SQL of version `k`, from 1.
    static func sql(_ version: Int) -> String { unsafe text(schema_migration(version)) }

    /// The readable views.
    static var views: String { unsafe text(schema_views) }

    private static func text(_ file: schema_file) -> String {
        unsafe String(decoding: EmbeddedSchema.bytes(of: file), as: UTF8.self)
    }

    /// Looks at a file without changing anything; nil when there is nothing in it yet.
    static func version(ofFileAt path: String) throws(ArchiveError) -> Int? {
        let status: FileStatus?
        do { status = try Files.status(path) } catch {
            throw ArchiveError(.readOnly, "open database '\(path)'", reason: error.reason)
        }
        guard let status else { return nil }
        guard status.kind == .regular || status.kind == .symlink else {
            throw ArchiveError(
                .readOnly, "open database '\(path)'",
                reason: "there is something at this path that is no regular file")
        }
        if status.kind == .regular && status.size == 0 { return nil }
        let database = try Database(path: path, .inspecting)
        let version = try database.integer("PRAGMA user_version", doing: "read the version of '\(path)'")
        let application = try database.integer("PRAGMA application_id", doing: "read the kind of '\(path)'")
        let tables = try database.integer(
            "SELECT count(*) FROM sqlite_schema", doing: "read the schema of '\(path)'")
        if tables == 0 && version == 0 { return nil }
        guard application == applicationID else {
            let reason =
                "it is a database of another program (application_id \(application)); give another path with --database"
            throw ArchiveError(.foreign, "open database '\(path)'", reason: reason)
        }
        guard version > 0 else {
            let reason =
                "its version is \(version), and the first is 1: something has written to it; restore a backup, or give another path with --database"
            throw ArchiveError(.corrupt, "open database '\(path)'", reason: reason)
        }
        guard version <= newest else {
            let reason = "made by version \(version), this build knows \(newest); start a newer build"
            throw ArchiveError(
                .fromTheFuture(Int(version), known: newest), "open database '\(path)'", reason: reason)
        }
        return Int(version)
    }

    /// Brings an open database to the newest version, each step in a transaction, with a backup of an old file first.
    static func migrate(_ database: Database, from version: Int, path: String) throws(ArchiveError) {
        if version > 0 && version < newest {
            try backUp(database, to: "\(path).v\(version).backup")
        }
        for next in (version + 1)..<(newest + 1) {
            try database.execute(
                """
                BEGIN IMMEDIATE;
                \(sql(next))
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(next);
                COMMIT;
                """, doing: "migrate to version \(next)")
        }
        if version > 0 { try makeShrinkable(database) }
        do { try database.execute("BEGIN IMMEDIATE; \(views) COMMIT;", doing: "make the views") } catch {
            if !database.isAutocommit { try database.execute("ROLLBACK", doing: "roll back") }
            // They are for eyes only and were there before: a full disk keeps nobody from reading.
            guard error.code == .full else { throw error }
        }
    }

    /// Indexes that a database of the newest version has and this one has not, by name.
    static func lackedIndexes(of database: Database) throws(ArchiveError) -> [String] {
        let whole = try Database(path: ":memory:", .writing)
        defer { whole.close() }
        for version in 1..<(newest + 1) {
            try whole.execute(sql(version), doing: "make the schema of version \(version)")
        }
        func names(_ database: Database) throws(ArchiveError) -> [String] {
            var found: [String] = []
            try database.rows(
                "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
                doing: "look at the schema"
            ) { row in
                found.append(row.text(0))
                return true
            }
            return found
        }
        let there = Set(try names(database))
        return try names(whole).filter { !there.contains($0) }
    }

    /// Writes a file of an older version anew, once, so that free pages can be given back a few at a time.
    private static func makeShrinkable(_ database: Database) throws(ArchiveError) {
        if try database.isShrinkable() { return }
        do throws(ArchiveError) {
            // A copy of the whole is made meanwhile, too large for memory.
            try database.execute(
                "PRAGMA temp_store = FILE; PRAGMA auto_vacuum = INCREMENTAL; VACUUM; PRAGMA temp_store = MEMORY;",
                doing: "make a file that can shrink")
        } catch {
            // It works as it is, and keeps what room it has.
            guard error.code == .full || error.code == .busy else { throw error }
            try database.execute("PRAGMA temp_store = MEMORY;", doing: "keep a file that cannot shrink")
        }
    }

    /// Copies the database; the copy is closed to others from its first moment, and takes the place of an older one only
    /// when it is whole and on the disk.
    private static func backUp(_ database: Database, to backup: String) throws(ArchiveError) {
        let side = backup + ".new"
        do throws(PosixError) {
            try Files.remove(side)
            _ = try Files.openOwn(side, .creatingNew)
        } catch { throw ArchiveError(.readOnly, "back up before migrating", reason: error.description) }
        try database.execute("VACUUM INTO '\(side.replacingQuotes)'", doing: "back up to '\(side)'")
        do throws(PosixError) {
            try Files.sync(side)
            try Files.rename(side, to: backup)
        } catch { throw ArchiveError(.disk, "back up to '\(backup)'", reason: error.description) }
    }
}

extension String {
    /// Single quotes doubled, for an SQL string literal.
    fileprivate var replacingQuotes: String {
        split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
    }
}

/// Files of `schema/` as they are embedded.
package enum EmbeddedSchema {
    /// `schema/protocol.json`.
    package static var protocolDescription: [UInt8] { unsafe bytes(of: schema_protocol) }
    /// `schema/models.json`.
    package static var modelTable: [UInt8] { unsafe bytes(of: schema_models) }

    fileprivate static func bytes(of file: schema_file) -> [UInt8] {
        unsafe Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
    }
}
