/* What a disk and a clock can do to the server, for runs of waxwing-audit: loaded by LD_PRELOAD
 * and steered by files in $WAXWING_SHIM. It concerns regular files below $WAXWING_SHIM_DATA.
 *
 *   full        while it exists, the disk is full: writing fails with ENOSPC
 *   sick        while it exists, syncing fails with EIO
 *   clock       eight bytes, added to the wall clock as seconds
 *   undo        when it exists at the start: what would be lost with the power is written there.
 *               "W path\0 offset size count length bytes" before a write of so many bytes: what it
 *               will overwrite; "T path\0 size" before a truncation; "S path\0" after a sync;
 *               "F path\0" after one that failed; "U path\0" after the file was removed
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *steer, *data;
static size_t data_length;
static int undo = -1;
static volatile int64_t *offset;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void place(char *path, const char *name) {
    snprintf(path, 4096, "%s/%s", steer, name);
}

__attribute__((constructor)) static void begin(void) {
    char path[4096];
    steer = getenv("WAXWING_SHIM");
    data = getenv("WAXWING_SHIM_DATA");
    if (!steer || !data) {
        steer = NULL;
        return;
    }
    data_length = strlen(data);
    place(path, "undo");
    undo = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC);
    place(path, "clock");
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        void *map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
        offset = map == MAP_FAILED ? NULL : map;
        close(fd);
    }
}

static int says(const char *name) {
    char path[4096];
    place(path, name);
    return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

/* Whether it is a file of the data; its path then. */
static int is_data(int fd, char *path) {
    char link[64];
    if (!steer)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, 4095);
    if (length <= 0 || strncmp(path, data, data_length) != 0)
        return 0;
    path[length] = 0;
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static void put(const void *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = syscall(SYS_write, undo, bytes, length);
        if (written <= 0)
            abort();
        bytes = (const char *)bytes + written;
        length -= written;
    }
}

/* One record, in one piece: a kill must not leave half of one behind a whole write. */
static void record(char kind, const char *path, const int64_t *numbers, int count,
                   const void *bytes, size_t length) {
    size_t name = strlen(path) + 1, size = 1 + name + 8 * count + length;
    char *whole = malloc(size);
    if (!whole)
        abort();
    whole[0] = kind;
    memcpy(whole + 1, path, name);
    memcpy(whole + 1 + name, numbers, 8 * count);
    if (length)
        memcpy(whole + 1 + name + 8 * count, bytes, length);
    put(whole, size);
    free(whole);
}

static int64_t size_of(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_size : 0;
}

static void will_write(int fd, const char *path, size_t length, int64_t at) {
    char *old = malloc(length ? length : 1);
    int own = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (!old || own < 0)
        abort();
    ssize_t had = syscall(SYS_pread64, own, old, length, at);
    syscall(SYS_close, own);
    int64_t numbers[4] = {at, size_of(fd), length, had > 0 ? had : 0};
    record('W', path, numbers, 4, old, numbers[3]);
    free(old);
}

static ssize_t written(int fd, const void *bytes, size_t length, int64_t at, int moves) {
    char path[4096];
    if (is_data(fd, path)) {
        if (says("full")) {
            errno = ENOSPC;
            return -1;
        }
        if (undo >= 0) {
            pthread_mutex_lock(&lock);
            will_write(fd, path, length, moves ? lseek(fd, 0, SEEK_CUR) : at);
            ssize_t count = moves ? syscall(SYS_write, fd, bytes, length)
                                  : syscall(SYS_pwrite64, fd, bytes, length, at);
            int error = errno;
            pthread_mutex_unlock(&lock);
            errno = error;
            return count;
        }
    }
    return moves ? syscall(SYS_write, fd, bytes, length)
                 : syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    return written(fd, bytes, length, 0, 1);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return written(fd, bytes, length, at, 0);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    return written(fd, bytes, length, at, 0);
}

static int resized(int fd, int64_t size) {
    char path[4096];
    if (is_data(fd, path) && undo >= 0) {
        pthread_mutex_lock(&lock);
        int64_t old = size_of(fd);
        if (size < old)
            will_write(fd, path, old - size, size);
        record('T', path, &old, 1, NULL, 0);
        int result = syscall(SYS_ftruncate, fd, size);
        int error = errno;
        pthread_mutex_unlock(&lock);
        errno = error;
        return result;
    }
    return syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size) { return resized(fd, size); }
int ftruncate64(int fd, off64_t size) { return resized(fd, size); }

static int synced(int fd, long call) {
    char path[4096];
    int concerns = is_data(fd, path);
    if (concerns && says("sick")) {
        if (undo >= 0) {
            pthread_mutex_lock(&lock);
            record('F', path, NULL, 0, NULL, 0);
            pthread_mutex_unlock(&lock);
        }
        errno = EIO;
        return -1;
    }
    if (!concerns || undo < 0)
        return syscall(call, fd);
    /* What is written meanwhile is not known to be synced: nobody writes meanwhile. */
    pthread_mutex_lock(&lock);
    int result = syscall(call, fd);
    if (result == 0)
        record('S', path, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int unlink(const char *path) {
    if (!steer || undo < 0 || strncmp(path, data, data_length) != 0)
        return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    int error = errno;
    if (result == 0)
        record('U', path, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && offset)
        time->tv_sec += *offset;
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    time->tv_sec = precise.tv_sec;
    time->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    if (seconds)
        *seconds = precise.tv_sec;
    return precise.tv_sec;
}
