/* How does a disk fail or dawdle? This library stands between a program and fsync/fdatasync (LD_PRELOAD).
 *
 * JUDGE_DISK_DIR    only files below this directory are touched
 * JUDGE_DISK_ORDER  a file that says what the next sync does; without it, or with anything else, syncs are true:
 *     eio       one fdatasync fails with EIO, and what was not synced before is gone: a kernel may drop such pages
 *     slow N    every sync takes N milliseconds longer
 * JUDGE_DISK_LOG    one line for each fdatasync: "ok PATH" or "eio PATH"
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Where each file ended at its last true sync. */
#define FILES 64
static struct { char path[PATH_MAX]; off_t size; } synced[FILES];
static int next_file;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int is_ours(int fd, char *path) {
    char link[64];
    const char *dir = getenv("JUDGE_DISK_DIR");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (dir == NULL || length < 0) return 0;
    path[length] = '\0';
    return strncmp(path, dir, strlen(dir)) == 0;
}

static void note(const char *what, const char *path) {
    const char *name = getenv("JUDGE_DISK_LOG");
    char line[PATH_MAX + 8];
    int fd = name == NULL ? -1 : open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    int length = snprintf(line, sizeof line, "%s %s\n", what, path);
    if (write(fd, line, (size_t)length) < 0) perror("disk shim");
    close(fd);
}

/* Reads the order; a failure is taken by whoever removes it first. */
static void order(char *text, size_t size) {
    const char *name = getenv("JUDGE_DISK_ORDER");
    text[0] = '\0';
    int fd = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t length = read(fd, text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    close(fd);
}

static void dawdle(const char *text) {
    if (strncmp(text, "slow ", 5) != 0) return;
    long millis = atol(text + 5);
    struct timespec span = {millis / 1000, millis % 1000 * 1000000};
    while (nanosleep(&span, &span) != 0 && errno == EINTR) {}
}

static off_t last_synced(const char *path) {
    for (int place = 0; place < FILES; place++)
        if (strcmp(synced[place].path, path) == 0) return synced[place].size;
    return 0;
}

static void remember(int fd, const char *path) {
    struct stat stat;
    if (fstat(fd, &stat) != 0) return;
    for (int place = 0; place < FILES; place++)
        if (strcmp(synced[place].path, path) == 0) {
            synced[place].size = stat.st_size;
            return;
        }
    snprintf(synced[next_file].path, PATH_MAX, "%s", path);
    synced[next_file].size = stat.st_size;
    next_file = (next_file + 1) % FILES;
}

int fdatasync(int fd) {
    static int (*real)(int);
    char path[PATH_MAX], text[32];
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (!is_ours(fd, path)) return real(fd);
    order(text, sizeof text);
    dawdle(text);
    pthread_mutex_lock(&mutex);
    if (strncmp(text, "eio", 3) == 0 && unlink(getenv("JUDGE_DISK_ORDER")) == 0) {
        if (truncate(path, last_synced(path)) != 0) perror("disk shim");
        note("eio", path);
        pthread_mutex_unlock(&mutex);
        errno = EIO;
        return -1;
    }
    int result = real(fd);
    if (result == 0) {
        remember(fd, path);
        note("ok", path);
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int fsync(int fd) {
    static int (*real)(int);
    char path[PATH_MAX], text[32];
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (is_ours(fd, path)) {
        order(text, sizeof text);
        dawdle(text);
    }
    return real(fd);
}
