/* SPDX-License-Identifier: Apache-2.0 */
#include "kistd/process.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"

enum {
        THREAD_STACK_SIZE = 512 * 1024,
        LOCK_TRIES = 20, /* a daemon that was just killed takes a moment to be gone */
        LOCK_PAUSE_MS = 50,
};

/* Few arenas and early returns to the kernel: a daemon that idles should weigh what it uses. */
static void bound_memory(void) {
        pthread_attr_t attr;

        mallopt(M_ARENA_MAX, 2);
        mallopt(M_TRIM_THRESHOLD, 64 * 1024);
        mallopt(M_MMAP_THRESHOLD, 64 * 1024);
        mallopt(M_TOP_PAD, 16 * 1024);
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, THREAD_STACK_SIZE);
        pthread_setattr_default_np(&attr);
        pthread_attr_destroy(&attr);
}

int process_prepare(struct err *err) {
        struct rlimit files;
        sigset_t set;

        if (geteuid() != 0)
                return err_set(err, ERR_DENIED, -EPERM, "kistd must be started as root");
        umask(022);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
        bound_memory();
        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        return 0;
}

int process_make_directory(const char *path, mode_t mode, int *ret_fd, struct err *err) {
        auto_fd slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), held = -EBADF, fd = -EBADF;
        struct stat st;

        held = path_mkdir_in(slash, path, mode);
        if (held < 0)
                return err_errno(err, held, "cannot make directory %s", path);
        fd = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "directory %s", path);
        if (st.st_uid != 0)
                return err_set(err, ERR_DENIED, -EPERM, "directory %s belongs to user %u, not to root", path, (unsigned) st.st_uid);
        /* An older version, an administrator or a mount may have left it open to all. */
        if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
                return err_errno(err, -errno, "cannot set mode %03o on %s", (unsigned) mode, path);
        *ret_fd = move_fd(fd);
        return 0;
}

int process_lock(int dir_fd, const char *dir, const char *name, int *ret_fd, struct err *err) {
        auto_fd fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
        char text[24] = "";
        int n;

        if (fd < 0)
                return err_errno(err, -errno, "%s/%s", dir, name);
        for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
                if (errno != EWOULDBLOCK)
                        return err_errno(err, -errno, "cannot lock %s/%s", dir, name);
                if (i == LOCK_TRIES) {
                        if (pread(fd, text, sizeof(text) - 1, 0) < 0)
                                text[0] = '\0';
                        text[strcspn(text, "\n")] = '\0';
                        return err_set(err, ERR_CONFLICT, -EBUSY, "another kistd (pid %s) uses %s", *text ? text : "unknown", dir);
                }
                nanosleep(&pause, NULL);
        }
        n = snprintf(text, sizeof(text), "%d\n", (int) getpid());
        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t) n, 0) != n)
                return err_errno(err, -errno, "cannot write %s/%s", dir, name);
        *ret_fd = move_fd(fd);
        return 0;
}

void process_notify(const char *state) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t size = path ? strlen(path) : 0;
        auto_fd fd = -EBADF;

        if (size < 2 || size >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
                return;
        memcpy(address.sun_path, path, size);
        if (path[0] == '@')
                address.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0)
                sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *) &address,
                       (socklen_t) (offsetof(struct sockaddr_un, sun_path) + size));
}
