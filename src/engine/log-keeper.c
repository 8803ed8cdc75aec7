/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log-keeper.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/log-files.h"

enum { STACK_SIZE = 64 << 10 };

struct log_keeper {
        const struct log_files *files;
        pthread_t thread;
        int watch, stop;
        pthread_mutex_t lock; /* all below */
        int newest;           /* the last of `held`, or what the reader got last */
        int held[LOG_KEEPER_FILES_MAX];
        size_t n;
        uint64_t bytes;
};

/* `lock` is held. Of a file that is finished the size does not change any more; the one that is written to now counts as empty. */
static int look(struct log_keeper *k) {
        int fd = -EBADF, r;

        while (k->n < LOG_KEEPER_FILES_MAX && k->bytes < LOG_KEEPER_BYTES_MAX) {
                struct stat st;

                r = log_files_next(k->files, k->newest, &fd);
                if (r <= 0)
                        return r;
                if (k->n > 0 && fstat(k->newest, &st) == 0)
                        k->bytes += (uint64_t) st.st_size;
                k->held[k->n++] = k->newest = fd;
        }
        return 0;
}

static void *keep(void *arg) {
        struct log_keeper *k = arg;
        char ignored[4096];

        for (;;) {
                struct pollfd fds[2] = { { .fd = k->watch, .events = POLLIN }, { .fd = k->stop, .events = POLLIN } };

                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        return NULL;
                if (fds[1].revents)
                        return NULL;
                while (read(k->watch, ignored, sizeof(ignored)) > 0)
                        ;
                pthread_mutex_lock(&k->lock);
                look(k);
                pthread_mutex_unlock(&k->lock);
        }
}

static int start_thread(struct log_keeper *k) {
        pthread_attr_t attr;
        int r;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK_SIZE < PTHREAD_STACK_MIN ? PTHREAD_STACK_MIN : STACK_SIZE);
        r = pthread_create(&k->thread, &attr, keep, k);
        pthread_attr_destroy(&attr);
        return -r;
}

int log_keeper_start(const struct log_files *files, int newest, struct log_keeper **ret) {
        struct log_keeper *k = calloc(1, sizeof(*k));
        char path[64];
        int r = 0;

        if (!k)
                return -ENOMEM;
        k->files = files;
        k->newest = newest;
        pthread_mutex_init(&k->lock, NULL);
        k->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        k->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", files->dir_fd);
        if (k->stop < 0 || k->watch < 0 || inotify_add_watch(k->watch, path, IN_CREATE | IN_MOVED_TO) < 0)
                r = -errno;
        if (r == 0)
                r = start_thread(k);
        if (r < 0) {
                fd_close(k->stop);
                fd_close(k->watch);
                free(k);
                return r;
        }
        *ret = k;
        return 0;
}

void log_keeper_stop(struct log_keeper *k) {
        uint64_t one = 1;

        if (!k)
                return;
        fd_write_all(k->stop, &one, sizeof(one));
        pthread_join(k->thread, NULL);
        for (size_t i = 0; i < k->n; i++)
                fd_close(k->held[i]);
        fd_close(k->stop);
        fd_close(k->watch);
        pthread_mutex_destroy(&k->lock);
        free(k);
}

int log_keeper_next(struct log_keeper *k, int *ret_fd) {
        int r = 0;

        pthread_mutex_lock(&k->lock);
        if (k->n == 0)
                r = look(k);
        if (r == 0 && k->n > 0) {
                struct stat st;

                *ret_fd = k->held[0];
                memmove(k->held, k->held + 1, --k->n * sizeof(int));
                if (k->n > 0 && fstat(*ret_fd, &st) == 0)
                        k->bytes -= k->bytes < (uint64_t) st.st_size ? k->bytes : (uint64_t) st.st_size;
                r = 1;
        }
        pthread_mutex_unlock(&k->lock);
        return r;
}
