/* A slow disk: preloaded into a process, it lets each sync take so many microseconds more. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void linger(void) {
    int before = errno;
    const char *told = getenv("SLOW_SYNC_MICROS");
    long micros = told == NULL ? 0 : atol(told);
    struct timespec left = {micros / 1000000, micros % 1000000 * 1000};
    prctl(PR_SET_TIMERSLACK, 1); /* else it is woken up to 50 microseconds late */
    while (nanosleep(&left, &left) == -1 && errno == EINTR) continue;
    errno = before;
}

int fsync(int fd) {
    int done = (int)syscall(SYS_fsync, fd);
    linger();
    return done;
}

int fdatasync(int fd) {
    int done = (int)syscall(SYS_fdatasync, fd);
    linger();
    return done;
}
