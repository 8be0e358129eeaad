// SQLite's C interface and the few macros and variadic calls that Swift cannot use directly.
#pragma once
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

// Gathers what a commit writes to the write-ahead log, which SQLite hands over page by page with a header of 24 bytes before each:
// one write in place of two for every page.
//
// Nothing of a commit stays behind: its last frame says so in its header (bytes 4 to 7, https://sqlite.org/fileformat2.html,
// section 4.1), and with that frame's page all is written, so that an error is still the commit's. What is not gathered goes out
// in the order in which it came, and is there before anything is read, synced, measured or cut; where that fails it stays, so that
// each further access fails until the transaction is undone. What a transaction that is undone had gathered is dropped: once the
// write lock is gone its places may be another process's.
typedef struct {
    sqlite3_io_methods methods;  // first: the file's pMethods lead here
    const sqlite3_io_methods *below;
    sqlite3_int64 at;   // where the gathered bytes begin in the file
    sqlite3_int64 end;  // behind all that was handed over since the log began anew; only what follows there is gathered
    int count, isCommit;
    // SQLite's own xWrite takes less than 128 KiB (os_unix.c, seekAndWriteFd).
    unsigned char bytes[31 * (4096 + 24)];
} csqlite_gatherer;

static inline csqlite_gatherer *csqlite_gatherer_of(sqlite3_file *f) { return (csqlite_gatherer *)f->pMethods; }
static inline int csqlite_gathered_out(sqlite3_file *f) {
    csqlite_gatherer *g = csqlite_gatherer_of(f);
    int code = g->count ? g->below->xWrite(f, g->bytes, g->count, g->at) : SQLITE_OK;
    if (code == SQLITE_OK) g->count = 0;
    return code;
}
static inline void csqlite_gathered_undone(void *gatherer) {
    csqlite_gatherer *g = (csqlite_gatherer *)gatherer;
    g->count = g->isCommit = 0;
    g->end = -1;
}
static inline int csqlite_gathered_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
    csqlite_gatherer *g = csqlite_gatherer_of(f);
    int code, isLast = g->isCommit && n > 24;
    const unsigned char *mark = (const unsigned char *)p + 4;
    g->isCommit = n == 24 && (mark[0] | mark[1] | mark[2] | mark[3]);
    if (at != g->end || n > (int)sizeof g->bytes) {
        if ((code = csqlite_gathered_out(f))) return code;
        g->end = at == 0 || at + n > g->end ? at + n : g->end;
        return g->below->xWrite(f, p, n, at);
    }
    if (g->count + n > (int)sizeof g->bytes && (code = csqlite_gathered_out(f))) return code;
    if (!g->count) g->at = at;
    memcpy(g->bytes + g->count, p, n);
    g->count += n;
    g->end = at + n;
    return isLast ? csqlite_gathered_out(f) : SQLITE_OK;
}
static inline int csqlite_gathered_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
    int code = csqlite_gathered_out(f);
    return code ? code : csqlite_gatherer_of(f)->below->xRead(f, p, n, at);
}
static inline int csqlite_gathered_truncate(sqlite3_file *f, sqlite3_int64 size) {
    int code = csqlite_gathered_out(f);
    return code ? code : csqlite_gatherer_of(f)->below->xTruncate(f, size);
}
static inline int csqlite_gathered_sync(sqlite3_file *f, int flags) {
    int code = csqlite_gathered_out(f);
    return code ? code : csqlite_gatherer_of(f)->below->xSync(f, flags);
}
static inline int csqlite_gathered_size(sqlite3_file *f, sqlite3_int64 *size) {
    int code = csqlite_gathered_out(f);
    return code ? code : csqlite_gatherer_of(f)->below->xFileSize(f, size);
}
static inline int csqlite_gathered_close(sqlite3_file *f) {
    csqlite_gatherer *g = csqlite_gatherer_of(f);
    int late = csqlite_gathered_out(f);
    f->pMethods = g->below;
    free(g);
    int code = f->pMethods->xClose(f);
    return late ? late : code;
}

// Has a connection gather what it writes to its log from now on; it must have opened that. Without memory all stays as it was.
static inline void csqlite_gather(sqlite3 *db) {
    sqlite3_file *f = csqlite_file(db, 1);
    csqlite_gatherer *g = f && f->pMethods->xWrite != csqlite_gathered_write ? malloc(sizeof *g) : 0;
    if (!g) return;
    g->methods = *f->pMethods;
    g->below = f->pMethods;
    g->at = 0;
    csqlite_gathered_undone(g);
    g->methods.xClose = csqlite_gathered_close;
    g->methods.xRead = csqlite_gathered_read;
    g->methods.xWrite = csqlite_gathered_write;
    g->methods.xTruncate = csqlite_gathered_truncate;
    g->methods.xSync = csqlite_gathered_sync;
    g->methods.xFileSize = csqlite_gathered_size;
    f->pMethods = &g->methods;
    sqlite3_rollback_hook(db, csqlite_gathered_undone, g);
}
