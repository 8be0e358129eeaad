// What Glibc's Swift overlay leaves out: epoll, eventfd, signalfd, peer credentials, threads' names.
#pragma once
// _GNU_SOURCE stays off: it would give fd_set other members than those that libcurl's module sees.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <linux/stat.h>
#include <dirent.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

// The system's words for an errno. strerror's buffer belongs to all threads; this one to the thread that asks.
static inline const char *clinux_error_words(int code) {
    static _Thread_local char room[256];
    return strerror_r(code, room, sizeof room) == 0 ? room : "";
}

// A mutex and a condition variable, on one piece of memory that stays where it is.
typedef struct { pthread_mutex_t mutex; pthread_cond_t changed; } clinux_monitor;
static inline clinux_monitor *clinux_monitor_new(void) {
    clinux_monitor *monitor = malloc(sizeof *monitor);
    if (monitor == NULL) abort();
    pthread_mutex_init(&monitor->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&monitor->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return monitor;
}
static inline void clinux_monitor_free(clinux_monitor *monitor) {
    pthread_cond_destroy(&monitor->changed);
    pthread_mutex_destroy(&monitor->mutex);
    free(monitor);
}
static inline void clinux_monitor_lock(clinux_monitor *monitor) { pthread_mutex_lock(&monitor->mutex); }
static inline void clinux_monitor_unlock(clinux_monitor *monitor) { pthread_mutex_unlock(&monitor->mutex); }
static inline void clinux_monitor_signal(clinux_monitor *monitor) { pthread_cond_signal(&monitor->changed); }
// Waits, with the mutex held, until a signal or a moment in monotonic nanoseconds, 0 for none; false when that came first.
static inline _Bool clinux_monitor_wait(clinux_monitor *monitor, unsigned long long end) {
    if (end == 0) return pthread_cond_wait(&monitor->changed, &monitor->mutex) == 0;
    struct timespec moment = { (time_t)(end / 1000000000), (long)(end % 1000000000) };
    return pthread_cond_timedwait(&monitor->changed, &monitor->mutex, &moment) != ETIMEDOUT;
}

// What file a path leads to. It does not ask for times: since Linux 6.13 the next write to a file whose times were
// looked at must give it new ones, which costs every commit more than the look.
typedef struct { int error; unsigned long long device, inode; } clinux_place;
static inline clinux_place clinux_place_of(const char *path) {
    struct statx raw;
    clinux_place place = { 0, 0, 0 };
    if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_INO, &raw) != 0) { place.error = errno; return place; }
    place.device = (unsigned long long)raw.stx_dev_major << 32 | raw.stx_dev_minor;
    place.inode = raw.stx_ino;
    return place;
}

// struct ucred is hidden without _GNU_SOURCE in the importer; this keeps one spelling.
typedef struct { int pid; unsigned uid; unsigned gid; } clinux_peer;

struct clinux_ucred { int pid; unsigned uid; unsigned gid; };

static inline int clinux_peer_credentials(int fd, clinux_peer *out) {
    struct clinux_ucred c;
    socklen_t n = sizeof c;
    if (getsockopt(fd, SOL_SOCKET, 17 /* SO_PEERCRED */, &c, &n) != 0) return -1;
    out->pid = c.pid; out->uid = c.uid; out->gid = c.gid;
    return 0;
}

// Fills `out` with up to `capacity` supplementary groups of the peer; returns the count, or -1.
static inline int clinux_peer_groups(int fd, unsigned *out, int capacity) {
    socklen_t n = (socklen_t)(capacity * (int)sizeof(unsigned));
    if (getsockopt(fd, SOL_SOCKET, 59 /* SO_PEERGROUPS */, out, &n) != 0) return -1;
    return (int)(n / sizeof(unsigned));
}

// Whether `fd` is a stream socket of the Unix domain that listens.
static inline int clinux_is_unix_listener(int fd) {
    int value = 0;
    socklen_t n = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &n) != 0 || value != AF_UNIX) return 0;
    n = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &n) != 0 || value != SOCK_STREAM) return 0;
    n = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &n) == 0 && value != 0;
}
// The path that a Unix socket is bound to, with its NUL, in `out`; 0 where it has none in the file system.
static inline int clinux_socket_path(int fd, char *out, int capacity) {
    struct sockaddr_un a;
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0 || a.sun_family != AF_UNIX) return 0;
    if (n <= (socklen_t)__builtin_offsetof(struct sockaddr_un, sun_path) || a.sun_path[0] == 0) return 0;
    int length = (int)n - (int)__builtin_offsetof(struct sockaddr_un, sun_path);
    if (length >= capacity) return 0;
    memcpy(out, a.sun_path, (size_t)length);
    out[length] = 0;
    return 1;
}
// Keeps memory with keys and words in it out of core files and of other processes of the same user.
static inline void clinux_forbid_dumps(void) {
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

// Has this process told to end when the one that started it ends (PR_SET_PDEATHSIG(2const)); its process ID.
static inline pid_t clinux_end_with_parent(int signal) {
    prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
    return getppid();
}

// The beginning of struct dl_phdr_info, which is hidden without _GNU_SOURCE (dl_iterate_phdr(3)).
struct clinux_object { Elf64_Addr base; const char *name; const Elf64_Phdr *segments; Elf64_Half count; };
static inline int clinux_drop_object(struct clinux_object *object, size_t size, void *unused) {
    unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
    (void)size; (void)unused;
    for (int i = 0; i < object->count; i++) {
        const Elf64_Phdr *s = &object->segments[i];
        // What can be written has relocations in it, also where it is read-only by now.
        if (s->p_type != PT_LOAD || (s->p_flags & PF_W) != 0 || object->name == NULL) continue;
        unsigned long first = (object->base + s->p_vaddr + page - 1) / page * page;
        unsigned long end = (object->base + s->p_vaddr + s->p_filesz) / page * page;
        if (end > first) madvise((void *)first, end - first, MADV_DONTNEED);
    }
    return 0;
}
// Unmaps the pages of programs' files that are not written to: the next use of one maps it again.
static inline void clinux_drop_code(void) {
    extern int dl_iterate_phdr(int (*)(struct clinux_object *, size_t, void *), void *);
    dl_iterate_phdr(clinux_drop_object, NULL);
}

static inline int clinux_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }
static inline int clinux_fcntl(int fd, int command, int argument) { return fcntl(fd, command, argument); }
static inline int clinux_winsize_columns(int fd) {
    struct winsize w;
    return ioctl(fd, TIOCGWINSZ, &w) == 0 ? (int)w.ws_col : -1;
}
static inline int clinux_winsize_rows(int fd) {
    struct winsize w;
    return ioctl(fd, TIOCGWINSZ, &w) == 0 ? (int)w.ws_row : -1;
}
static inline int clinux_accept(int fd) {
    extern int accept4(int, struct sockaddr *, socklen_t *, int);
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
static inline void clinux_thread_name(const char *name) {
    extern int pthread_setname_np(pthread_t, const char *);
    pthread_setname_np(pthread_self(), name);
}
static inline const char *clinux_name(const struct dirent *entry) { return entry->d_name; }
static inline int clinux_exited(int status) { return WIFEXITED(status); }
static inline int clinux_exit_code(int status) { return WEXITSTATUS(status); }
static inline int clinux_term_signal(int status) { return WTERMSIG(status); }
static inline int clinux_errno(void) { return errno; }
static inline void clinux_sigpipe(int ignored) { signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL); }
static inline void clinux_ignore_file_limits(void) { signal(SIGXFSZ, SIG_IGN); }
static inline unsigned clinux_file_type(unsigned mode) { return mode & S_IFMT; }
// The socket calls on a sockaddr_un, without a cast in Swift.
static inline int clinux_connect(int fd, const struct sockaddr_un *a, socklen_t n) {
    return connect(fd, (const struct sockaddr *)a, n);
}
static inline int clinux_bind(int fd, const struct sockaddr_un *a, socklen_t n) {
    return bind(fd, (const struct sockaddr *)a, n);
}
static inline ssize_t clinux_sendto(int fd, const void *p, size_t count, const struct sockaddr_un *a, socklen_t n) {
    return sendto(fd, p, count, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)a, n);
}
static inline char **clinux_environ(void) { return environ; }
// The file system's magic number, 0 when it cannot be told.
static inline unsigned clinux_file_system(const char *path) {
    struct statfs s;
    return statfs(path, &s) == 0 ? (unsigned)s.f_type : 0;
}
// Bytes that a user may still write into a file system; -1 when it cannot be told.
static inline long long clinux_free_bytes(const char *path) {
    struct statfs s;
    return statfs(path, &s) == 0 ? (long long)s.f_bavail * (long long)s.f_bsize : -1;
}
// Keeps blocks for a file's bytes, also behind its end, which stays where it is; 0 or the number of the error.
static inline int clinux_keep_blocks(int fd, long long from, long long to) {
    extern int fallocate(int, int, off_t, off_t);
    int result;
    do result = fallocate(fd, 1 /* FALLOC_FL_KEEP_SIZE, linux/falloc.h */, from, to - from);
    while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
}
static inline int clinux_spawn_directory(posix_spawn_file_actions_t *actions, const char *path) {
    extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
    return posix_spawn_file_actions_addchdir_np(actions, path);
}
static inline int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
static inline int clinux_pipe(int *fds) {
    extern int pipe2(int *, int);
    return pipe2(fds, O_CLOEXEC);
}
