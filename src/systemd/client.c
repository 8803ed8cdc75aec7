/* SPDX-License-Identifier: Apache-2.0 */

/* Running kist-systemd: what it is to do are its arguments; what came of it is one struct err on its standard output. */

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "systemd/systemd.h"

/* systemd says by this directory that it is process 1, see sd_booted(3). Of a user's manager its socket does. */
int scope_check_host(const struct scope *s, struct err *err) {
        const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
        auto_free char *own = s->user ? str_format("%s/systemd", runtime_dir ?: "") : NULL;
        struct stat st;

        if (s->user && !runtime_dir)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "no systemd of this user is known: XDG_RUNTIME_DIR is not set");
        if (lstat(own ?: "/run/systemd/system", &st) < 0 || !S_ISDIR(st.st_mode))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "systemd does not run here%s", s->user ? " for this user" : "");
        return 0;
}

static int reap(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* Its own deadline is shorter: this one is for a program that hangs. */
static int await_answer(int out, struct err *ret, struct err *err) {
        enum { PATIENCE_MS = 120000 };
        struct pollfd p = { .fd = out, .events = POLLIN };
        int r;

        do
                r = poll(&p, 1, PATIENCE_MS);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
                return err_set(err, ERR_UNAVAILABLE, -ETIMEDOUT, "kist-systemd does not answer");
        r = fd_read_all(out, ret, sizeof(*ret));
        if (r < 0)
                return err_set(err, ERR_INTERNAL, r, "kist-systemd has died, or cannot be run: is libsystemd0 installed?");
        ret->msg[sizeof(ret->msg) - 1] = '\0';
        return 0;
}

static int spawn(const struct scope *s, const char *verb, const struct scope_settings *settings, int in, int out, pid_t *ret, struct err *err) {
        char *argv[SETTINGS_OF_SCOPE_MAX + 6], *envp[3] = { NULL };
        auto_free char *bus = NULL, *runtime_dir = NULL;
        size_t n = 0, n_env = 0;
        auto_fd exe = -EBADF;
        int r = proc_open_program("kist-systemd", &exe, err);

        if (r < 0)
                return r;
        argv[n++] = (char *) "kist-systemd";
        argv[n++] = (char *) verb;
        argv[n++] = (char *) (s->user ? "user" : "system");
        argv[n++] = (char *) s->unit;
        argv[n++] = (char *) s->slice;
        for (size_t i = 0; settings && i < settings->n; i++)
                argv[n++] = settings->at[i];
        argv[n] = NULL;
        if (s->user) {
                runtime_dir = str_format("XDG_RUNTIME_DIR=%s", getenv("XDG_RUNTIME_DIR"));
                if (runtime_dir)
                        envp[n_env++] = runtime_dir;
                if (getenv("DBUS_SESSION_BUS_ADDRESS") && (bus = str_format("DBUS_SESSION_BUS_ADDRESS=%s", getenv("DBUS_SESSION_BUS_ADDRESS"))))
                        envp[n_env++] = bus;
        }
        return proc_spawn(&(struct proc_spawn) { .exe_fd = exe, .argv = argv, .envp = envp, .stdio = { in, out, -1 } }, ret, NULL, err);
}

/* *ret_in and *ret_pid: it goes on until that end is closed. */
static int call(const struct scope *s, const char *verb, const struct scope_settings *settings, int *ret_in, pid_t *ret_pid, struct err *answer,
                struct err *err) {
        int in[2] = { -1, -1 }, out[2] = { -1, -1 };
        pid_t pid = 0;
        int r = scope_check_host(s, err);

        if (r < 0)
                return r;
        if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
                r = err_errno(err, -errno, "pipe");
        if (r == 0)
                r = spawn(s, verb, settings, in[0], out[1], &pid, err);
        fd_close(in[0]);
        fd_close(out[1]);
        if (r == 0)
                r = await_answer(out[0], answer, err);
        if (r == 0 && answer->kind != ERR_NONE) {
                if (err)
                        *err = *answer;
                r = answer->num < 0 ? answer->num : -EIO;
        }
        fd_close(out[0]);
        if (r == 0 && ret_in) {
                *ret_in = in[1];
                *ret_pid = pid;
                return 0;
        }
        fd_close(in[1]);
        if (pid > 0)
                reap(pid);
        return r;
}

int scope_start(const struct scope *s, const struct scope_settings *settings, struct scope_holder *ret, char **ret_cgroup, struct err *err) {
        struct scope_holder h = SCOPE_HOLDER_NONE;
        struct err answer = { 0 };
        int r = call(s, "start", settings, &h.in, &h.pid, &answer, err);

        if (r < 0)
                return r;
        *ret_cgroup = strdup(answer.msg + strspn(answer.msg, "/"));
        if (!*ret_cgroup) {
                scope_release(&h);
                return err_errno(err, -ENOMEM, "scope %s", s->unit);
        }
        *ret = h;
        return 0;
}

void scope_release(struct scope_holder *h) {
        /* A byte, not only the end: a process that is waiting at its gate may have inherited our end. */
        if (h->in >= 0 && write(h->in, "", 1) < 0)
                errno = 0;
        h->in = fd_close(h->in);
        if (h->pid > 0)
                reap(h->pid);
        h->pid = 0;
}

int scope_set(const struct scope *s, const struct scope_settings *settings, struct err *err) {
        struct err answer = { 0 };

        return settings->n == 0 ? 0 : call(s, "set", settings, NULL, NULL, &answer, err);
}

int scope_stop(const struct scope *s, struct err *err) {
        struct err answer = { 0 };

        return call(s, "stop", NULL, NULL, NULL, &answer, err);
}
