// Calls of the system that fail when they are told to: loaded in front of libc (LD_PRELOAD) into a daemon that is not changed.
// `faults.py` arms them through a file that both map. Of files, only those of the database are meant; of sockets, all.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// In the order of `CALLS` in faults.py.
enum { WRITE, SYNC, TRUNCATE, READ, OPEN, SEND, RECEIVE, ACCEPT, KINDS };

struct fault {
  _Atomic int after;  // so many calls go well before the first that fails
  _Atomic int times;  // so many fail then; below 0: all
  _Atomic int error;  // the number it fails with; 0: it does a part of what was asked
  _Atomic int hits;   // how many did
};

static struct fault *faults;
static unsigned char ours[65536];  // descriptors of the database's files

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULTS");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof(struct fault) * KINDS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) faults = map;
}

// Whether this call is to fail.
static int fails(int kind) {
  struct fault *fault = faults ? &faults[kind] : NULL;
  if (!fault || atomic_load(&fault->times) == 0) return 0;
  if (atomic_load(&fault->after) > 0 && atomic_fetch_sub(&fault->after, 1) > 0) return 0;
  int left = atomic_load(&fault->times);
  if (left == 0 || (left > 0 && atomic_fetch_sub(&fault->times, 1) <= 0)) return 0;
  atomic_fetch_add(&fault->hits, 1);
  errno = fault->error;
  return 1;
}

static int is_ours(int fd) { return fd >= 0 && fd < (int)sizeof ours && ours[fd]; }

static int is_socket(int fd) {
  struct stat look;
  return fstat(fd, &look) == 0 && S_ISSOCK(look.st_mode);
}

static size_t part(size_t count) { return count > 1 ? 1 + (count - 1) / 3 : count; }

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define WRITES(name) \
  ssize_t name(int fd, const void *data, size_t count, off64_t offset) { \
    REAL(name); \
    if (!is_ours(fd) || !fails(WRITE)) return real(fd, data, count, offset); \
    return errno ? -1 : real(fd, data, part(count), offset); \
  }
WRITES(pwrite)
WRITES(pwrite64)

#define READS(name) \
  ssize_t name(int fd, void *data, size_t count, off64_t offset) { \
    REAL(name); \
    if (!is_ours(fd) || !fails(READ)) return real(fd, data, count, offset); \
    return errno ? -1 : real(fd, data, part(count), offset); \
  }
READS(pread)
READS(pread64)

#define SYNCS(name) \
  int name(int fd) { \
    REAL(name); \
    return is_ours(fd) && fails(SYNC) ? -1 : real(fd); \
  }
SYNCS(fsync)
SYNCS(fdatasync)

#define TRUNCATES(name) \
  int name(int fd, off64_t length) { \
    REAL(name); \
    return is_ours(fd) && fails(TRUNCATE) ? -1 : real(fd, length); \
  }
TRUNCATES(ftruncate)
TRUNCATES(ftruncate64)

static int opened(const char *path, int fd) {
  const char *name = strrchr(path, '/');
  if (fd >= 0 && fd < (int)sizeof ours) ours[fd] = name && strncmp(name, "/c.db", 5) == 0 && !strstr(name, ".lock");
  return fd;
}

#define OPENS(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = va_arg(rest, int); \
    va_end(rest); \
    const char *last = strrchr(path, '/'); \
    if (last && strncmp(last, "/c.db-", 6) == 0 && fails(OPEN)) return -1; \
    return opened(path, real(path, flags, mode)); \
  }
OPENS(open)
OPENS(open64)

int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < (int)sizeof ours) ours[fd] = 0;
  return real(fd);
}

ssize_t send(int fd, const void *data, size_t count, int flags) {
  REAL(send);
  if (!fails(SEND)) return real(fd, data, count, flags);
  return errno ? -1 : real(fd, data, part(count), flags);
}

ssize_t read(int fd, void *data, size_t count) {
  REAL(read);
  if (!is_socket(fd) || !fails(RECEIVE)) return real(fd, data, count);
  return errno ? -1 : real(fd, data, count > 7 ? 7 : count);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  REAL(accept4);
  return fails(ACCEPT) ? -1 : real(fd, address, length, flags);
}
