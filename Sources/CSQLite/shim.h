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
