/* A disk that fails: preloaded into one process, it counts the writes and syncs on files under one
 * directory. At the k-th it kills the process or answers an error, and says so on a pipe. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* KILL before the call; TORN after half of a write; EIO once; FULL: half of a write, then ENOSPC
 * from there on. */
enum fault { NONE, KILL, TORN, BAD, FULL };

static char root[PATH_MAX];
static size_t rooted;
static enum fault chosen;
static long place;
static int pipe_end;
static atomic_long seen;
static atomic_int armed;

void disk_arm(const char *directory, int fault, long at, int tell) {
    snprintf(root, sizeof root, "%s/", directory);
    rooted = strlen(root);
    chosen = (enum fault)fault;
    place = at;
    pipe_end = tell;
    atomic_store(&seen, 0);
    atomic_store(&armed, 1);
}

/* Be a good disk again, and return how many calls were counted. */
long disk_disarm(void) {
    atomic_store(&armed, 0);
    return atomic_load(&seen);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Return what is to befall this call; `first` tells whether it is the k-th itself. */
static enum fault befalls(const char *call, const char *path, int *first) {
    char line[PATH_MAX + 64];
    if (strncmp(path, root, rooted) != 0) return NONE;
    long now = atomic_fetch_add(&seen, 1) + 1;
    *first = now == place;
    if (chosen == NONE || now < place || (now > place && chosen != FULL)) return NONE;
    if (*first) {
        int size = snprintf(line, sizeof line, "{\"hit\": \"%s\", \"file\": \"%s\"}\n", call,
                            path + rooted);
        if (syscall(SYS_write, pipe_end, line, size) != size) abort();
    }
    return chosen;
}

static enum fault at_descriptor(const char *call, int fd, int *first) {
    char link[32], path[PATH_MAX];
    if (!atomic_load(&armed)) return NONE;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return NONE;
    path[size] = 0;
    return befalls(call, path, first);
}

static enum fault at_name(const char *call, const char *name, int *first) {
    char path[PATH_MAX];
    if (!atomic_load(&armed) || realpath(name, path) == NULL) return NONE;
    return befalls(call, path, first);
}

/* A call that writes `size` bytes, and so can do half of its work. */
#define WRITING(name, parameters, half, whole)                       \
    ssize_t name parameters {                                        \
        int first = 0;                                               \
        enum fault fault = at_descriptor(#name, fd, &first);         \
        if (fault == KILL || (fault == TORN && size < 2)) die();     \
        if (fault == TORN && (half) >= 0) die();                     \
        if (fault == FULL && first && size > 1) return half;         \
        if (fault == NONE) return whole;                             \
        errno = fault == BAD ? EIO : ENOSPC;                         \
        return -1;                                                   \
    }

WRITING(write, (int fd, const void *data, size_t size),
        syscall(SYS_write, fd, data, size / 2),
        syscall(SYS_write, fd, data, size))
WRITING(pwrite, (int fd, const void *data, size_t size, off_t at),
        syscall(SYS_pwrite64, fd, data, size / 2, at),
        syscall(SYS_pwrite64, fd, data, size, at))
WRITING(pwrite64, (int fd, const void *data, size_t size, off64_t at),
        syscall(SYS_pwrite64, fd, data, size / 2, at),
        syscall(SYS_pwrite64, fd, data, size, at))

/* A call that is done or not. */
#define WHOLE(name, parameters, befallen, real)                      \
    int name parameters {                                            \
        int first = 0;                                               \
        enum fault fault = befallen;                                 \
        if (fault == KILL || fault == TORN) die();                   \
        if (fault == NONE) return real;                              \
        errno = fault == BAD ? EIO : ENOSPC;                         \
        return -1;                                                   \
    }

WHOLE(fsync, (int fd), at_descriptor("fsync", fd, &first), syscall(SYS_fsync, fd))
WHOLE(fdatasync, (int fd), at_descriptor("fdatasync", fd, &first), syscall(SYS_fdatasync, fd))
WHOLE(ftruncate, (int fd, off_t size), at_descriptor("ftruncate", fd, &first),
      syscall(SYS_ftruncate, fd, size))
WHOLE(ftruncate64, (int fd, off64_t size), at_descriptor("ftruncate", fd, &first),
      syscall(SYS_ftruncate, fd, size))
WHOLE(rename, (const char *old, const char *new), at_name("rename", old, &first),
      ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(old, new))
WHOLE(unlink, (const char *name), at_name("unlink", name, &first),
      ((int (*)(const char *))dlsym(RTLD_NEXT, "unlink"))(name))
