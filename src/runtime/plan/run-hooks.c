/* SPDX-License-Identifier: Apache-2.0 */

/* Hooks that run where the runtime runs. */

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/exec/exec.h"
#include "runtime/plan/private.h"

/* Not a pipe: a hook that does not read must not block us, however long the text. */
static int make_input(const char *text, int *ret) {
        auto_fd fd = memfd_create("state", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, text, strlen(text));
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        *ret = move_fd(fd);
        return 0;
}

/* NULL-terminated, borrowing the texts. */
static char **vector(const json_t *array, const char *fallback) {
        size_t n = json_array_size(array), used = 0;
        char **v = calloc(n + 2, sizeof(*v));

        if (v && n == 0 && fallback)
                v[used++] = (char *) fallback;
        for (size_t i = 0; v && i < n; i++)
                v[used++] = (char *) json_string_value(json_array_get(array, i));
        return v;
}

static int spawn(const struct hook *h, int input, int output, const char *cwd, char **argv, char **envp, pid_t *ret) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        sigset_t all, none;
        int r;

        sigfillset(&all);
        sigemptyset(&none);
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attr);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setsigmask(&attr, &none);
        posix_spawnattr_setsigdefault(&attr, &all);
        r = posix_spawn_file_actions_addchdir_np(&actions, cwd);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, input, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, output, 2);
        if (r == 0)
                r = posix_spawn(ret, h->path, &actions, &attr, argv, envp);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int open_pidfd(pid_t pid) {
        int fd = (int) syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? -errno : fd;
}

/* Streams away from 0, 1 and 2, which the file actions overwrite one after the other. */
static int run_streams(const struct hook *h, int input, const char *cwd, struct err *err) {
        auto_free char **argv = vector(h->args, h->path), **envp = vector(h->env, NULL);
        auto_fd in = fcntl(input, F_DUPFD_CLOEXEC, 3), out = -EBADF, reader = -EBADF, pidfd = -EBADF;
        int pipe_fds[2], r;
        pid_t pid;

        if (!argv || !envp)
                return err_errno(err, -ENOMEM, "%s", h->at);
        if (in < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
                return err_errno(err, -errno, "%s", h->at);
        reader = pipe_fds[0];
        out = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, 3);
        fd_close(pipe_fds[1]);
        if (out < 0 || fcntl(reader, F_SETFL, O_NONBLOCK) < 0)
                return err_errno(err, -errno, "%s", h->at);
        r = spawn(h, in, out, cwd, argv, envp, &pid);
        out = fd_close(out);
        if (r < 0)
                return err_errno(err, r, "%s: %s", h->at, h->path);
        pidfd = open_pidfd(pid);
        if (pidfd < 0) {
                err_errno(err, pidfd, "%s: %s", h->at, h->path);
                kill(pid, SIGKILL);
                while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                        ;
                return pidfd;
        }
        return exec_hook_wait(pid, pidfd, reader, h->timeout, h->at, h->path, err);
}

static int run(const struct hook *h, const char *text, const char *cwd, struct err *err) {
        auto_fd input = -EBADF;
        int r = make_input(text, &input);

        return r < 0 ? err_errno(err, r, "%s", h->at) : run_streams(h, input, cwd, err);
}

int plan_run_hooks(const json_t *config, const char *list, const json_t *state, const char *bundle,
                   void (*warn)(const struct err *err, void *data), void *data, struct err *err) {
        auto_free char *text = NULL;
        const json_t *array = NULL;
        int r = hook_list(config, list, &array, err);

        if (r < 0 || json_array_size(array) == 0)
                return r;
        text = json_text(state);
        if (!text)
                return err_errno(err, -ENOMEM, "hooks.%s", list);
        for (size_t i = 0; i < json_array_size(array); i++) {
                struct err mine = { 0 };
                struct hook h;

                r = hook_parse(array, list, i, &h, &mine);
                if (r == 0)
                        r = run(&h, text, bundle ? bundle : "/", &mine);
                if (r < 0 && warn) {
                        warn(&mine, data);
                } else if (r < 0) {
                        if (err)
                                *err = mine;
                        return r;
                }
        }
        return 0;
}
