internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
@testable internal import Store
internal import TestSupport
internal import Testing

@Suite struct `A database file` {
    private func digest(_ directory: TemporaryDirectory) throws -> String {
        try shell("sh", "-c", "cd \(directory.path) && sha256sum c.db c.db-wal 2>/dev/null; true")
    }

    private func open(_ directory: TemporaryDirectory) throws { _ = try Bench(directory) }

    @Test func `from a newer version is refused before anything in it is touched (B085)`() throws {
        let directory = try TemporaryDirectory()
        try open(directory)
        try shell("sqlite3", directory.file("c.db"), "PRAGMA user_version = 17; DROP INDEX session_here")
        let before = try digest(directory)
        let error = #expect(throws: ArchiveError.self) { try open(directory) }
        #expect(error?.code == .fromTheFuture(17, known: 16))
        #expect(
            error?.description.contains("made by version 17, this build knows 16; start a newer build")
                == true
        )
        #expect(try digest(directory) == before)
    }

    @Test func `of another program is refused untouched`() throws {
        let directory = try TemporaryDirectory()
        try shell("sqlite3", directory.file("c.db"), "CREATE TABLE mine (x)")
        let before = try digest(directory)
        #expect(throws: ArchiveError.self) { try open(directory) }
        #expect(try digest(directory) == before)
    }

    @Test
    func
        `of an older version is copied before it is changed, closed to others, and whole or not there (N017)`()
        throws
    {
        let directory = try TemporaryDirectory()
        let path = directory.file("c.db")
        let first = Files.directory(of: #filePath) + "/../../schema/migrations/v001_initial.sql"
        try shell("sh", "-c", "sqlite3 \(path) < \(first)")
        try shell("sqlite3", path, "PRAGMA application_id = 1131312740; PRAGMA user_version = 1;")
        try shell(
            "sh", "-c",
            "umask 022; echo old > \(path).v1.backup; chmod 644 \(path).v1.backup; echo x > \(path).v1.backup.new"
        )
        try open(directory)
        let backup = try Files.status(path + ".v1.backup")
        #expect(backup?.mode == 0o600)
        #expect(try Files.status(path + ".v1.backup.new") == nil)
        #expect(
            try shell("sqlite3", path + ".v1.backup", "PRAGMA user_version; PRAGMA integrity_check")
                == "1\nok\n")
    }

    @Test func `that is no database is refused untouched (B082)`() throws {
        let directory = try TemporaryDirectory()
        try Files.replace(
            directory.file("c.db"), with: Array(String(repeating: "not a database ", count: 400).utf8))
        let error = #expect(throws: ArchiveError.self) { try open(directory) }
        #expect(error?.code == .corrupt)
        #expect(try Files.read(directory.file("c.db")).count == 6_000)
    }

    @Test func `has the schema of the migrations, pinned by its digest`() throws {
        let directory = try TemporaryDirectory()
        try open(directory)
        let pinned = [
            ("v001_initial.sql", "c855cf20fb30017560b2a5790b170a4ab381344e4faac2b2e5f4d3f5cb8ba8e5"),
            ("v002_upstreams.sql", "b64ff5a0a8991150a8f1fd06105e7dad68119674ac34b70a540b1a43ac3d66a2"),
            ("v003_open_turns.sql", "c86efc009781f8992a07f5414b2dd6d4cfad3aee64354dcc4252a2437b1673d4"),
            ("v004_deleted_branches.sql", "fdf9df3ee8a418f9e39332432771ecf327e2b236d78b168b56d2c3077fceef65"),
            ("v005_anchors.sql", "e83a69ec9bb2557ec6595eb5e2d78af758b0d82d088f03d9725ef797264a171f"),
            ("v006_bindings.sql", "f241120f09b1d65ad85406ac1fa64d8c6b97aeb5f84625c7700e656f633ccb60"),
            ("v007_marks.sql", "2250734c2da1f84e5e27d09e9eab4f883d46132830a077c1a432df164c70b728"),
            ("v008_sizes.sql", "e5dd261f1ace34f92291a5ff6eb6b7e8f11e57033744129e09c861a6d50c6ace"),
            ("v009_secrets.sql", "dec4e2539878f39682e273dde5cc823c38db3fd2f4e9ea914bb9eb0481821849"),
            ("v010_appended_systems.sql", "fe2afaef9deee65f34b0c1fe6b59621d4d173c4b3ba995b65d2f1c2f5013f3d6"),
            ("v011_summaries.sql", "c0e2fb3ffea290a03efd49c59f74e4c4d3c4c16b9d80ab3b44f1e9e39f3cd80f"),
            ("v012_money.sql", "53754955af3e454b7df2e57ecf37c6a90b532936f5ca5f8a6bb7460521d2e846"),
            ("v013_failures.sql", "efafcc41cbb8d6df7ef0d88db7511b331ef599dd1ab0d6a2524794145ebf2521"),
            ("v014_search.sql", "d4b9cbb6dd37c7dd1d23d311fd863fb30491e938ebcc834f02e43e8c108e2464"),
            ("v015_purge.sql", "1885bd2377b4c053337ba1c843468bbbbd2c775274a698e848111105f5a5f37d"),
            ("v016_audit.sql", "aca7fd32d1db79ae9acabc433d774e350da14d290593f8b1f0c7a6bc704bd3b0"),
        ]
        for (name, digest) in pinned {
            let migration = Files.directory(of: #filePath) + "/../../schema/migrations/\(name)"
            #expect(
                try shell("sha256sum", migration).prefix(64) == digest,
                "a migration is never edited after its merge: write the next one instead")
        }
        #expect(
            try shell(
                "sqlite3", directory.file("c.db"),
                "PRAGMA integrity_check; PRAGMA foreign_key_check; PRAGMA user_version; PRAGMA application_id"
            ) == "ok\n16\n1131312740\n")
    }

    @Test func `of the version before is brought up to this one, with a backup, and loses no piece (N017)`()
        throws
    {
        let directory = try TemporaryDirectory()
        let old = Files.directory(of: #filePath) + "/../../schema/migrations/v001_initial.sql"
        let rows = """
            INSERT INTO session (owner, name, cwd, branch, created_at, updated_at, activity)
                VALUES (0, 'a', '/', 1, 0, 0, 1);
            INSERT INTO branch (session, created_at) VALUES (1, 0);
            INSERT INTO turn (uuid, session, state, answer_id, created_at)
                VALUES (randomblob(16), 1, 1, randomblob(16), 0);
            INSERT INTO piece VALUES (1, 0, 0, x'6869');
            PRAGMA application_id = 1131312740; PRAGMA user_version = 1;
            """
        try shell("sqlite3", directory.file("c.db"), ".read '\(old)'", rows)
        try open(directory)
        let asked = "SELECT number, kind, hex(bytes) FROM piece; SELECT cached FROM turn; PRAGMA user_version"
        #expect(try shell("sqlite3", directory.file("c.db"), asked) == "0|0|6869\n0\n16\n")
        #expect(try Files.status(directory.file("c.db") + ".v1.backup") != nil)
    }

    @Test func `has no table, column or view that its page does not tell of`() throws {
        let directory = try TemporaryDirectory()
        try open(directory)
        let page = text(try Files.read(Files.directory(of: #filePath) + "/../../schema/README.md"))
        let tables = try shell(
            "sqlite3", directory.file("c.db"),
            "SELECT t.name || ' ' || c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c WHERE t.schema = 'main' AND t.type IN ('table', 'virtual') AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'search_d%' AND t.name NOT IN ('search_idx', 'search_config', 'search_content')"
        ).split(separator: "\n")
        #expect(tables.count > 100)
        for line in tables {
            let (table, column) = (line.split(separator: " ")[0], line.split(separator: " ")[1])
            #expect(
                page.contains("### \(table)\n") || page.contains("\(table),") || page.contains(", \(table)")
                    || page.contains("`\(table)`"), "\(table)")
            let section = page.split(separator: "\n### ").first { $0.prefix { $0 != "\n" }.contains(table) }
            #expect(
                section.map {
                    $0.contains("`\(column)`") || $0.contains("\(table).\(column)`")
                        || $0.contains("in the columns of")
                } ?? true
                    || ["id", "rank", "search"].contains(column), "\(table).\(column)")
        }
        let views = try shell(
            "sqlite3", directory.file("c.db"), "SELECT name FROM sqlite_schema WHERE type = 'view'")
        for view in views.split(separator: "\n") { #expect(page.contains("| `\(view)` |"), "\(view)") }
    }

    @Test func `has views for the shell`() throws {
        let bench = try Bench()
        try bench.session("demo")
        try bench.append("demo", ["hello"])
        #expect(
            try shell(
                "sqlite3", bench.path,
                "SELECT session, messages FROM sessions; SELECT role, text FROM messages; SELECT count(*) FROM turns"
            ) == "demo|1\nuser|hello\n0\n")
    }

    @Test func `shows text with a NUL to its end (B176)`() throws {
        let bench = try Bench()
        try bench.session("demo")
        try bench.append("demo", ["a\u{0}b\u{0}", "\\u0000 is \u{0}", "\\\u{0}\\"])
        #expect(
            try shell("sqlite3", bench.path, "SELECT text FROM messages ORDER BY seq")
                == "a␀b␀\n\\u0000 is ␀\n\\␀\\\n")
    }

    @Test(arguments: [-1, 0]) func `of a version that there never was is refused untouched`(_ version: Int)
        throws
    {
        let directory = try TemporaryDirectory()
        try open(directory)
        try shell(
            "sqlite3", directory.file("c.db"),
            "PRAGMA journal_mode = DELETE; PRAGMA user_version = \(version)")
        let before = try digest(directory)
        let error = #expect(throws: ArchiveError.self) { try open(directory) }
        #expect(error?.code == .corrupt && error?.reason.contains("its version is \(version)") == true)
        #expect(try digest(directory) == before)
    }

    @Test func `locked by another program for a while loses nothing (B077, B092)`() throws {
        let bench = try Bench()
        try bench.session("s")
        let (reading, writing) = try Process.pipe()
        let pid = try Process.start(
            "/usr/bin/sqlite3", [bench.path], environment: [:], streams: .init(input: reading))
        _ = try System.write(writing, Array("BEGIN IMMEDIATE; SELECT 1;\n".utf8))
        var answers = 0
        for number in 0..<8 {
            bench.store.write(
                AppendMessages(SessionID("s")!, owner: 0, [bench.message("m\(number)")], ifMissing: nil)
            ) { result in
                if case .success(.appended) = result { answers += 1 }
            }
        }
        _ = try System.write(writing, Array("COMMIT;\n.quit\n".utf8))
        while answers < 8 { try bench.loop.turn(waiting: true) }
        _ = try Process.reap(pid)
        #expect(try bench.texts("s").count == 8)
    }

    @Test func `is locked by its daemon, and the owner is named (B079)`() throws {
        let directory = try TemporaryDirectory()
        let first = try StoreLock(database: directory.file("c.db"), socket: "/tmp/x.sock")
        let error = #expect(throws: ArchiveError.self) {
            _ = try StoreLock(database: directory.file("c.db"), socket: "/tmp/y.sock")
        }
        #expect(error?.reason.contains("process \(Process.id), socket '/tmp/x.sock' has it open") == true)
        _ = consume first
        _ = try StoreLock(database: directory.file("c.db"), socket: "/tmp/y.sock")
    }
}

extension `A database file` {
    /// Makes a file of an older version, as a daemon that ended between two steps of an update leaves one.
    private func make(_ path: String, version: Int) throws {
        let folder = Files.directory(of: #filePath) + "/../../schema/migrations"
        try shell(
            "sh", "-c",
            "cd \(folder) && cat $(ls v0*.sql | head -n \(version)) | sqlite3 -bail \(path) && sqlite3 \(path) 'PRAGMA application_id = 1131312740; PRAGMA user_version = \(version)'"
        )
    }

    @Test func `of any older version is brought up to this one, whichever step was the last (N017)`() throws {
        let shape = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name; PRAGMA user_version"
        let fresh = try TemporaryDirectory()
        try open(fresh)
        let whole = try shell("sqlite3", fresh.file("c.db"), shape)
        for version in 1..<Migrations.newest {
            let directory = try TemporaryDirectory(), path = directory.file("c.db")
            try make(path, version: version)
            try open(directory)
            #expect(try shell("sqlite3", path, shape) == whole, "\(version)")
            #expect(
                try shell("sqlite3", path, "PRAGMA integrity_check; PRAGMA foreign_key_check") == "ok\n",
                "\(version)")
            #expect(try Files.status(path + ".v\(version).backup") != nil, "\(version)")
            #expect(try Files.status(path + ".v\(version).backup.new") == nil, "\(version)")
        }
    }

    @Test
    func `whose update stopped within a step is as it was before that, and the next start goes on (N017)`()
        throws
    {
        let directory = try TemporaryDirectory(), path = directory.file("c.db")
        try make(path, version: 14)
        // The last table of step 15 is there already, so that the step fails when most of it is done.
        try shell("sqlite3", path, "CREATE TABLE audit (x)")
        #expect(throws: ArchiveError.self) { try open(directory) }
        #expect(
            try shell(
                "sqlite3", path,
                "PRAGMA user_version; SELECT count(*) FROM pragma_table_info('message') WHERE name = 'deleted_at'; SELECT count(*) FROM sqlite_schema WHERE name IN ('purge_state', 'import_link', 'session_trashed')"
            ) == "14\n0\n0\n")
        #expect(
            try shell("sqlite3", path + ".v14.backup", "PRAGMA user_version; PRAGMA integrity_check")
                == "14\nok\n")
        try shell("sqlite3", path, "DROP TABLE audit")
        try open(directory)
        #expect(
            try shell("sqlite3", path, "PRAGMA user_version; PRAGMA integrity_check")
                == "\(Migrations.newest)\nok\n")
    }
}

extension `A database file` {
    @Test func `that a network file system cannot lock says what it lies on and what to set (B083)`() {
        // SQLITE_PROTOCOL and SQLITE_IOERR_LOCK.
        for code: Int32 in [15, 3_850] {
            let words = Database.reason("locking protocol", code, on: "NFS")
            #expect(
                words.contains("locking protocol") && words.contains("NFS")
                    && words.contains("database.path"), "\(words)")
            #expect(!Database.reason("locking protocol", code, on: nil).contains("NFS"))
        }
        #expect(Database.reason("no such table", 1, on: "NFS") == "no such table")
    }
}
