/* Preloaded into a program: counts the system calls that write below a folder, and makes one of them fail.
 *
 * SOAK_BELOW names the folder, SOAK_CONTROL a file of sizeof(struct control) bytes that all processes of a run share.
 * Calls are counted while it is armed; the one whose number is `target` fails with `error`, or, where that is 0 and the
 * call writes, writes half of what it was given. Every call is noted in `places`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PLACES 16384

struct place {
    char call[16];
    char path[240];
};

struct control {
    int armed, target, error, count, fired, unused[3];
    struct place places[PLACES];
};

static struct control *control;
static const char *below;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("SOAK_CONTROL");
    below = getenv("SOAK_BELOW");
    if (!file || !below) return;
    int fd = REAL(open64)(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) control = mapped;
}

/* 0: the call goes on; 1: it is to fail, errno is set; 2: it is to be cut short. */
static int hit(const char *call, const char *path) {
    if (!control || !control->armed || !path) return 0;
    char absolute[PATH_MAX];
    if (path[0] != '/') {
        if (!getcwd(absolute, sizeof absolute - 2)) return 0;
        size_t length = strlen(absolute);
        snprintf(absolute + length, sizeof absolute - length, "/%s", path);
        path = absolute;
    }
    size_t length = strlen(below);
    if (strncmp(path, below, length) != 0 || path[length] != '/') return 0;
    int number = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    if (number < PLACES) {
        snprintf(control->places[number].call, sizeof control->places[number].call, "%s", call);
        snprintf(control->places[number].path, sizeof control->places[number].path, "%s", path + length + 1);
    }
    if (number != control->target) return 0;
    control->fired = 1;
    if (control->error == 0) return 2;
    errno = control->error;
    return 1;
}

static const char *path_of(int fd, char *buffer) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

static int hit_fd(const char *call, int fd) {
    char buffer[PATH_MAX];
    if (!control || !control->armed) return 0;
    return hit(call, path_of(fd, buffer));
}

static const char *at(int folder, const char *path, char *buffer) {
    if (folder == AT_FDCWD || path[0] == '/' || !path_of(folder, buffer)) return path;
    size_t length = strlen(buffer);
    snprintf(buffer + length, PATH_MAX - length, "/%s", path);
    return buffer;
}

#define WRITES(flags) (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & (O_CREAT | O_TRUNC)))
#define MODE(flags)                            \
    mode_t mode = 0;                           \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {   \
        va_list rest;                          \
        va_start(rest, flags);                 \
        mode = (mode_t)va_arg(rest, int);      \
        va_end(rest);                          \
    }

#define OPEN(name)                                                    \
    int name(const char *path, int flags, ...) {                      \
        MODE(flags)                                                   \
        if (WRITES(flags) && hit("open", path) == 1) return -1;       \
        return REAL(name)(path, flags, mode);                         \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                     \
    int name(int folder, const char *path, int flags, ...) {                             \
        MODE(flags)                                                                      \
        char buffer[PATH_MAX];                                                           \
        if (WRITES(flags) && hit("open", at(folder, path, buffer)) == 1) return -1;      \
        return REAL(name)(folder, path, flags, mode);                                    \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                                      \
    FILE *name(const char *path, const char *mode) {                                     \
        if ((mode[0] != 'r' || strchr(mode, '+')) && hit("open", path) == 1) return NULL; \
        return REAL(name)(path, mode);                                                   \
    }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int fd, const void *bytes, size_t count) {
    int what = hit_fd("write", fd);
    if (what == 1) return -1;
    return REAL(write)(fd, bytes, what == 2 ? (count + 1) / 2 : count);
}

#define PWRITE(name, offset_type)                                                     \
    ssize_t name(int fd, const void *bytes, size_t count, offset_type offset) {       \
        int what = hit_fd("write", fd);                                               \
        if (what == 1) return -1;                                                     \
        return REAL(name)(fd, bytes, what == 2 ? (count + 1) / 2 : count, offset);    \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    int what = hit_fd("write", fd);
    if (what == 1) return -1;
    return REAL(writev)(fd, parts, what == 2 ? (count + 1) / 2 : count);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
    if (hit_fd("write", to) == 1) return -1;
    ssize_t (*real)(int, int, off64_t *, size_t) = dlsym(RTLD_NEXT, "sendfile64");
    return real(to, from, offset, count);
}

#define ON_FD(name, shown)                       \
    int name(int fd) {                           \
        if (hit_fd(shown, fd) == 1) return -1;   \
        return REAL(name)(fd);                   \
    }
ON_FD(fsync, "fsync")
ON_FD(fdatasync, "fsync")

#define TRUNCATE(name, offset_type)                   \
    int name(int fd, offset_type size) {              \
        if (hit_fd("truncate", fd) == 1) return -1;   \
        return REAL(name)(fd, size);                  \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define TWO_PATHS(name)                                \
    int name(const char *from, const char *to) {       \
        if (hit(#name, to) == 1) return -1;            \
        return REAL(name)(from, to);                   \
    }
TWO_PATHS(rename)
TWO_PATHS(link)
TWO_PATHS(symlink)

int renameat(int old, const char *from, int new, const char *to) {
    char buffer[PATH_MAX];
    if (hit("rename", at(new, to, buffer)) == 1) return -1;
    return REAL(renameat)(old, from, new, to);
}

int linkat(int old, const char *from, int new, const char *to, int flags) {
    char buffer[PATH_MAX];
    if (hit("link", at(new, to, buffer)) == 1) return -1;
    return REAL(linkat)(old, from, new, to, flags);
}

int mkdir(const char *path, mode_t mode) {
    if (hit("mkdir", path) == 1) return -1;
    return REAL(mkdir)(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    char buffer[PATH_MAX];
    if (hit("mkdir", at(folder, path, buffer)) == 1) return -1;
    return REAL(mkdirat)(folder, path, mode);
}

int unlink(const char *path) {
    if (hit("unlink", path) == 1) return -1;
    return REAL(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags) {
    char buffer[PATH_MAX];
    if (hit("unlink", at(folder, path, buffer)) == 1) return -1;
    return REAL(unlinkat)(folder, path, flags);
}
