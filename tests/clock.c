/* The wall clock of one process: it stands at the seconds since the epoch in the file that CLOCK_AT
   names, or runs as many seconds ahead as the file says that CLOCK_AHEAD names. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const long long *stands, *ahead;

static const long long *mapped(const char *name) {
	const char *path = getenv(name);
	if (!path)
		return NULL;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	void *page = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
	if (page == MAP_FAILED)
		_exit(99);
	return page;
}

__attribute__((constructor)) static void open_files(void) {
	stands = mapped("CLOCK_AT");
	ahead = mapped("CLOCK_AHEAD");
}

int clock_gettime(clockid_t clock, struct timespec *at) {
	int failed = (int)syscall(SYS_clock_gettime, clock, at);
	if (failed || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
		return failed;
	if (stands) {
		at->tv_sec = *stands;
		at->tv_nsec = 0;
	}
	if (ahead)
		at->tv_sec += *ahead;
	return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
	struct timespec now;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	at->tv_sec = now.tv_sec;
	at->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *at) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (at)
		*at = now.tv_sec;
	return now.tv_sec;
}
