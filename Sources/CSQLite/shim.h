// SQLite's C interface and the few macros and variadic calls that Swift cannot use directly.
#pragma once
#include <sqlite3.h>

static inline int csqlite_bind_text(sqlite3_stmt *s, int i, const void *p, int n) {
    return sqlite3_bind_text(s, i, p ? (const char *)p : "", n, SQLITE_TRANSIENT);  // a null pointer would bind NULL
}
static inline int csqlite_bind_blob(sqlite3_stmt *s, int i, const void *p, int n) {
    return sqlite3_bind_blob(s, i, p ? p : "", n, SQLITE_TRANSIENT);
}
static inline int csqlite_defensive(sqlite3 *db) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
}

// Keeps no account of SQLite's memory, which costs a lock for each allocation and is asked by nobody
// (https://sqlite.org/c3ref/c_config_covering_index_scan.html, SQLITE_CONFIG_MEMSTATUS). Only before the first connection.
static inline int csqlite_unaccounted(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

// Leaves the WAL as it is when this connection is the last that closes.
static inline int csqlite_keep_wal(sqlite3 *db) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

// The file that a connection has open, or its WAL: the way to it that takes no lock and lets go of none, as closing a descriptor of
// one's own would (https://sqlite.org/howtocorrupt.html, section 2.2). Null for a database that has no file.
static inline sqlite3_file *csqlite_file(sqlite3 *db, int isWAL) {
    sqlite3_file *file = 0;
    int which = isWAL ? SQLITE_FCNTL_JOURNAL_POINTER : SQLITE_FCNTL_FILE_POINTER;
    int code = sqlite3_file_control(db, "main", which, &file);
    return code == SQLITE_OK && file && file->pMethods ? file : 0;
}
static inline int csqlite_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { return f->pMethods->xRead(f, p, n, at); }
static inline int csqlite_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) { return f->pMethods->xWrite(f, p, n, at); }
static inline int csqlite_size(sqlite3_file *f, sqlite3_int64 *size) { return f->pMethods->xFileSize(f, size); }
static inline int csqlite_sync(sqlite3_file *f) { return f->pMethods->xSync(f, SQLITE_SYNC_NORMAL); }
