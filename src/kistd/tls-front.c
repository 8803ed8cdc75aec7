/* SPDX-License-Identifier: Apache-2.0 */
#include "kistd/tls-front.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/api.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "tls/tls.h"

enum { ARGS_MAX = 8, RESTART_SECONDS = 1 };

struct tls_front {
        struct api_server *server;
        char *args[ARGS_MAX];
        size_t n_args;
        int listen_fd, fd; /* fd: our end of the process's socket */
        pid_t pid;
        pthread_t thread;
        bool serving;
        _Atomic bool stopping;
};

static int start_process(struct tls_front *f, struct err *err) {
        auto_fd program = -EBADF, ours = -EBADF, theirs = -EBADF;
        char answer[TLS_REASON_MAX + 8];
        size_t no_fds = 0;
        int pair[2], r;
        ssize_t n;

        r = proc_open_program("kist-tls", &program, err);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, -errno, "socket pair");
        ours = pair[0];
        theirs = pair[1];
        const struct proc_spawn spawn = {
                .exe_fd = program, .argv = f->args, .stdio = { -1, -1, STDERR_FILENO }, .fds = (int[]) { f->listen_fd, theirs }, .n_fds = 2
        };
        r = proc_spawn(&spawn, &f->pid, NULL, err);
        if (r < 0)
                return r;
        theirs = fd_close(theirs);
        n = fd_recv(ours, answer, sizeof(answer) - 1, NULL, &no_fds);
        if (n == 1 && answer[0] == '+') {
                f->fd = move_fd(ours);
                return 0;
        }
        waitpid(f->pid, NULL, 0);
        f->pid = 0;
        if (n < 1)
                return err_set(err, ERR_INTERNAL, -EIO, "kist-tls died");
        answer[n] = '\0';
        return err_set(err, ERR_INVALID, -EINVAL, "%s", answer + 1);
}

int tls_front_start(int listen_fd, const struct tls_front_files *files, struct tls_front **ret, struct err *err) {
        const char *const words[][2] = { { "kist-tls", "" }, { "serve", "" }, { "cert=", files->cert }, { "key=", files->key }, { "ca=", files->ca } };
        struct tls_front *f = calloc(1, sizeof(*f));
        int r = 0;

        if (!f) {
                fd_close(listen_fd);
                return err_errno(err, -ENOMEM, "TLS");
        }
        f->listen_fd = listen_fd;
        f->fd = -EBADF;
        for (size_t i = 0; i < ARRAY_SIZE(words) && r == 0; i++)
                if (words[i][1]) {
                        f->args[f->n_args] = str_format("%s%s", words[i][0], words[i][1]);
                        r = f->args[f->n_args++] ? 0 : err_errno(err, -ENOMEM, "TLS");
                }
        if (r == 0)
                r = start_process(f, err);
        if (r < 0) {
                tls_front_stop(f);
                return r;
        }
        *ret = f;
        return 0;
}

/* Until the process has ended. */
static void take_connections(struct tls_front *f) {
        for (;;) {
                char kind[4];
                int fd = -EBADF;
                size_t n_fds = 1;

                if (fd_recv(f->fd, kind, sizeof(kind), &fd, &n_fds) <= 0)
                        return;
                if (n_fds == 1 && api_server_adopt(f->server, fd) < 0)
                        log_warning("a connection over TLS was not taken: too many are open");
        }
}

static void *front_thread(void *arg) {
        struct tls_front *f = arg;
        struct err err;

        for (;;) {
                take_connections(f);
                if (f->stopping)
                        return NULL;
                waitpid(f->pid, NULL, 0);
                f->pid = 0;
                log_error("kist-tls died: starting it again");
                f->fd = fd_close(f->fd);
                while (!f->stopping && start_process(f, &err) < 0) {
                        log_error("TLS is not served: %s", err.msg);
                        sleep(RESTART_SECONDS);
                }
                if (f->stopping)
                        return NULL;
        }
}

int tls_front_serve(struct tls_front *f, struct api_server *server, struct err *err) {
        int r;

        f->server = server;
        r = pthread_create(&f->thread, NULL, front_thread, f);
        if (r != 0)
                return err_errno(err, -r, "thread for TLS");
        f->serving = true;
        return 0;
}

void tls_front_stop(struct tls_front *f) {
        if (!f)
                return;
        f->stopping = true;
        /* Both see it: the thread ends, and the process lets nobody in any more. It is not waited for: it may have sessions to the end of. */
        if (f->fd >= 0)
                shutdown(f->fd, SHUT_RDWR);
        if (f->serving)
                pthread_join(f->thread, NULL);
        fd_close(f->fd);
        fd_close(f->listen_fd);
        for (size_t i = 0; i < f->n_args; i++)
                free(f->args[i]);
        free(f);
}
