/* SPDX-License-Identifier: Apache-2.0 */

/* From a process that is ready to the command that it becomes. */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/private.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2) /* <linux/close_range.h>, Linux 5.11 */
#endif

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Pointers for execve(2), in memory of their own. */
static int build_vectors(struct child *c, struct err *err) {
        const struct plan_header *h = c->header;
        const uint32_t *argv = plan_records(c->plan, h->argv), *env = plan_records(c->plan, h->env);
        size_t n = (size_t) h->argv.count + h->env.count + 2;
        char **p = mmap(NULL, n * sizeof(*p), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                return raw_fail(err, errno, "process.args", NULL);
        c->argv = p;
        c->envp = p + h->argv.count + 1;
        for (uint32_t i = 0; i < h->argv.count; i++)
                c->argv[i] = (char *) plan_text(c->plan, argv[i]);
        for (uint32_t i = 0; i < h->env.count; i++)
                c->envp[i] = (char *) plan_text(c->plan, env[i]);
        return 0;
}

/* exec: "NAME": REASON, as people know it from the field. */
static int fail_command(const struct child *c, struct err *err, int num) {
        static const struct {
                int num;
                enum err_kind kind;
                const char *reason;
        } reasons[] = {
                { ENOENT, ERR_NO_COMMAND, "no such file or directory" },
                { ENOTDIR, ERR_NO_COMMAND, "not a directory" },
                { EACCES, ERR_NOT_EXECUTABLE, "permission denied" },
                { EPERM, ERR_NOT_EXECUTABLE, "operation not permitted" },
                { EISDIR, ERR_NOT_EXECUTABLE, "is a directory" },
                { ENOEXEC, ERR_NOT_EXECUTABLE, "exec format error" },
                { ETXTBSY, ERR_NOT_EXECUTABLE, "text file busy" },
                { ELOOP, ERR_NO_COMMAND, "too many levels of symbolic links" },
                { ENAMETOOLONG, ERR_NO_COMMAND, "file name too long" },
                { E2BIG, ERR_NOT_EXECUTABLE, "argument list too long" },
                { ENOMEM, ERR_NOT_EXECUTABLE, "cannot allocate memory" },
        };
        char what[300], *at = what;
        char *end = what + sizeof(what) - 2;

        at = raw_put_text(at, end - 1, "exec: \"");
        at = raw_put_text(at, end - 1, c->argv[0]);
        raw_put_text(at, end, "\"");
        num = num < 0 ? -num : num;
        for (size_t i = 0; i < EXEC_ARRAY_SIZE(reasons); i++)
                if (reasons[i].num == num) {
                        /* Searched for and nowhere found. */
                        bool searched = num == ENOENT && !strchr(c->argv[0], '/');

                        err_set_raw(err, reasons[i].kind, 0, what, searched ? "executable file not found in $PATH" : reasons[i].reason);
                        if (err)
                                err->num = -num;
                        return -num;
                }
        return err_set_raw(err, ERR_NOT_EXECUTABLE, num, what, NULL);
}

/* Could execve(2) want it? The kernel has the last word; this is for the search, and to say early that a command is missing. */
static int look_at(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        /* Any bit will do here: whether it is this user's, execve(2) knows. */
        return S_ISREG(st.st_mode) && (st.st_mode & 0111) ? 0 : -EACCES;
}

static const char *path_of(char *const *envp) {
        for (; *envp; envp++)
                if (strncmp(*envp, "PATH=", 5) == 0)
                        return *envp + 5;
        return DEFAULT_PATH;
}

/* The first candidate that looks executable. An empty or relative element of PATH is not searched: it would mean the working directory. */
static int search(struct child *c, const char *name) {
        const char *at = path_of(c->envp);
        char *end = c->command + sizeof(c->command) - 1;
        int found = -ENOENT;

        for (;;) {
                size_t n = strcspn(at, ":");

                if (*at == '/' && n + 1 + strlen(name) < sizeof(c->command)) {
                        char *p = c->command;
                        int r;

                        memcpy(p, at, n);
                        p = raw_put_text(p + n, end, "/");
                        raw_put_text(p, end, name);
                        r = look_at(c->command);
                        if (r == 0)
                                return 0;
                        if (r == -EACCES)
                                found = r;
                }
                if (at[n] == '\0')
                        return found;
                at += n + 1;
        }
}

int stage_find_command(struct child *c, struct err *err) {
        int r = build_vectors(c, err);
        const char *name;

        if (r < 0)
                return r;
        name = c->argv[0];
        if (!*name)
                return fail_command(c, err, ENOENT);
        if (!strchr(name, '/')) {
                r = search(c, name);
        } else if (strlen(name) >= sizeof(c->command)) {
                r = -ENAMETOOLONG;
        } else {
                memcpy(c->command, name, strlen(name) + 1);
                r = look_at(name);
        }
        return r < 0 ? fail_command(c, err, r) : 0;
}

/* The fifo is opened through the caller's procfs, which is a magic link to the very file; it blocks until somebody reads. */
static int wait_on_fifo(struct child *c, struct err *err) {
        char name[32] = "self/fd/";

        raw_put_number(name + strlen(name), name + sizeof(name) - 1, (uint64_t) c->launch->fds->start_fifo);
        prctl(PR_SET_PDEATHSIG, 0);
        if (child_send(c, LAUNCH_READY, NULL, -1) < 0)
                return raw_fail(err, ECANCELED, "the caller is gone", NULL);
        do
                c->fifo = openat(c->launch->proc_fd, name, O_WRONLY | O_CLOEXEC);
        while (c->fifo < 0 && errno == EINTR);
        return c->fifo < 0 ? raw_fail(err, errno, "start gate", NULL) : 0;
}

int stage_gate(struct child *c, struct err *err) {
        if (!(c->header->flags & PLAN_NOTIFY_START))
                return 0;
        if (c->header->flags & PLAN_START_FIFO)
                return wait_on_fifo(c, err);
        if (child_send(c, LAUNCH_READY, NULL, -1) < 0 || child_expect(c, LAUNCH_START) < 0)
                return raw_fail(err, ECANCELED, "the caller is gone", NULL);
        return 0;
}

/* What must still be done by system calls that the filter could forbid. */
int stage_last_calls(struct child *c, struct err *err) {
        sigset_t none;

        child_reset_signals();
        if (c->fifo < 0) {
                if (child_send(c, LAUNCH_EXECING, NULL, -1) < 0)
                        return raw_fail(err, ECANCELED, "the caller is gone", NULL);
                prctl(PR_SET_PDEATHSIG, 0);
        }
        /* All are O_CLOEXEC already, but for those that the caller was itself given, by somebody careless or on purpose. */
        for (unsigned i = 0; i < c->launch->fds->preserve; i++)
                if (fcntl(3 + (int) i, F_SETFD, 0) < 0)
                        return raw_fail(err, errno, "a file to hand on", NULL);
        if (syscall(SYS_close_range, 3U + c->launch->fds->preserve, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
                return raw_fail(err, errno, "close_range", NULL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        return 0;
}

int stage_execute(struct child *c, struct err *err) {
        execve(c->command, c->argv, c->envp);
        return fail_command(c, err, errno);
}
