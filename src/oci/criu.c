/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/criu.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "oci/oci.h"

#define LOG "criu.log"
#define PATHS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
enum { LOG_MAX = 64 << 20, NO_PROGRAM = 127, NO_ROOT = 126 };

void criu_done(struct criu *c) {
        while (c->n > 0)
                free(c->args[--c->n]);
}

void criu_add(struct criu *c, const char *format, ...) {
        va_list ap;
        int r;

        if (c->n + 1 >= ARRAY_SIZE(c->args)) {
                c->failed = -E2BIG;
                return;
        }
        va_start(ap, format);
        r = vasprintf(&c->args[c->n], format, ap);
        va_end(ap);
        if (r < 0)
                c->failed = -ENOMEM;
        else
                c->n++;
}

int criu_check_options(const struct options *o, const json_t *config, struct err *err) {
        static const char *const modes[] = { "soft", "full", "strict", "ignore", "none" };
        const struct {
                bool given;
                const char *flag, *why;
        } refused[] = {
                { o->pre_dump, "--pre-dump", "images that build on others" },
                { o->parent_path, "--parent-path", "images that build on others" },
                { o->lazy_pages, "--lazy-pages", "memory that comes later" },
                { o->page_server, "--page-server", "memory that goes elsewhere" },
                { o->status_fd, "--status-fd", "memory that comes later" },
                { o->no_pivot, "--no-pivot", "a root without pivot_root(2)" },
                { o->systemd_cgroup, "--systemd-cgroup", "a restored container in a scope of systemd" },
        };
        bool known = !o->manage_cgroups;

        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                if (refused[i].given)
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s is not supported: %s", refused[i].flag, refused[i].why);
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
                known = known || strcmp(modes[i], o->manage_cgroups) == 0;
        if (!known)
                return err_set(err, ERR_INVALID, -EINVAL, "--manage-cgroups-mode %s: not soft, full, strict, ignore or none", o->manage_cgroups);
        for (size_t i = 0; i < o->empty_ns.n; i++)
                if (strcmp(o->empty_ns.at[i], "network") != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "--empty-ns %s: only network can be empty", o->empty_ns.at[i]);
        if (json_get_bool(json_object_get(config, "process"), "terminal", false))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "process.terminal: a container with a terminal cannot be checkpointed or restored");
        if (geteuid() != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "checkpoint and restore need root");
        return 0;
}

/* A ':' or a bracket would end the name in the middle. */
static int add_mount(struct criu *c, const char *what, size_t i, const char *at, const char *from, struct err *err) {
        if (strpbrk(at, "]:[") || strstr(at, ".."))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s[%zu]: criu cannot be told of a place called %s", what, i, at);
        criu_add(c, "--external");
        criu_add(c, "mnt[%s]:%s", at, from);
        return 0;
}

static bool is_bind(const json_t *mount) {
        const json_t *options = json_get_array(mount, "options"), *v;
        bool bind = strcmp(json_get_str(mount, "type", ""), "bind") == 0;
        size_t i;

        json_array_foreach(options, i, v)
                bind = bind || (json_is_string(v) && (strcmp(json_string_value(v), "bind") == 0 || strcmp(json_string_value(v), "rbind") == 0));
        return bind;
}

/* By name and never by themselves: what a restored container gets from the host is what its config says, and not what the images say. */
int criu_add_mounts(struct criu *c, const json_t *config, const json_t *masked_files, bool restoring, struct err *err) {
        size_t i;
        json_t *v;
        int r = 0;

        json_array_foreach(json_get_array(config, "mounts"), i, v) {
                const char *at = json_get_str(v, "destination", "");

                if (r == 0 && is_bind(v))
                        r = add_mount(c, "mounts", i, at, restoring ? json_get_str(v, "source", "") : at, err);
        }
        json_array_foreach(masked_files, i, v)
                if (r == 0)
                        r = add_mount(c, "linux.maskedPaths", i, json_string_value(v), restoring ? "/dev/null" : json_string_value(v), err);
        return r;
}

void criu_add_options(struct criu *c, const struct options *o) {
        const struct {
                bool given;
                const char *flag;
        } flags[] = {
                { o->tcp_established, "--tcp-established" }, { o->tcp_skip_in_flight, "--skip-in-flight" }, { o->ext_unix_sk, "--ext-unix-sk" },
                { o->shell_job, "--shell-job" },             { o->file_locks, "--file-locks" },             { o->auto_dedup, "--auto-dedup" },
                { o->empty_ns.n > 0, "--empty-ns=net" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (flags[i].given)
                        criu_add(c, "%s", flags[i].flag);
        if (o->manage_cgroups)
                criu_add(c, "--manage-cgroups=%s", o->manage_cgroups);
        criu_add(c, "--no-default-config");
        criu_add(c, "-v4");
        criu_add(c, "--log-file=" LOG);
}

/* criu mounts in its working directory, which it can only do in a mount of its own namespace: what we hold is of ours. */
static int reopen_here(int fd) {
        char link[32], path[PATH_MAX];
        struct stat a, b;
        ssize_t n;
        int here;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return -errno;
        path[n] = '\0';
        here = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (here < 0 || fstat(fd, &a) < 0 || fstat(here, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino || dup2(here, fd) < 0)
                return -ESTALE;
        return 0;
}

/* criu wants the root to be a mount, and nobody else is to see that. */
static int make_root(const struct criu *c) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
            mount(c->root, c->root, NULL, MS_BIND | MS_REC, NULL) < 0)
                return -errno;
        return reopen_here(c->work_fd);
}

static void run_child(const struct criu *c, const struct options *o, char **argv) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (int i = 0; i < 3 && c->stdio; i++)
                if (dup2(i, CRIU_STDIO + i) < 0)
                        _exit(NO_ROOT);
        for (int i = 0; i < 3 && !o->shell_job; i++)
                dup2(null, i);
        if (c->root && make_root(c) < 0)
                _exit(NO_ROOT);
        fcntl(c->images_fd, F_SETFD, 0);
        fcntl(c->work_fd, F_SETFD, 0);
        setenv("PATH", PATHS, 1);
        execvp(argv[0], argv);
        _exit(NO_PROGRAM);
}

/* "(00.012) Error (criu/vdso.c:381): vdso: Unexpected …" → "vdso: Unexpected …". The first one is the cause, but for what other programs said. */
static bool find_reason(int work_fd, char *ret, size_t size) {
        auto_fd fd = openat(work_fd, LOG, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        auto_free char *text = NULL;
        char *save = NULL;

        if (fd < 0 || fd_read_file(fd, LOG_MAX, &text, NULL) < 0)
                return false;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *at = strstr(line, "Error (");

                at = at ? strstr(at, "): ") : NULL;
                if (!at || strstr(at, "exited, status="))
                        continue;
                snprintf(ret, size, "%.200s", at + 3);
                for (at = ret; *at; at++)
                        if ((unsigned char) *at < ' ' || *at == 0x7f)
                                *at = ' ';
                return true;
        }
        return false;
}

int criu_run(const struct criu *c, const struct options *o, const char *what, struct err *err) {
        const char *program = o->criu ?: "criu";
        auto_free char **argv = calloc(c->n + 2, sizeof(*argv));
        char reason[256] = "";
        int status = 0;
        pid_t pid;

        if (!argv || c->failed)
                return err_errno(err, c->failed ?: -ENOMEM, "%s: options of criu", what);
        argv[0] = (char *) program;
        memcpy(argv + 1, c->args, c->n * sizeof(*argv));
        pid = fork();
        if (pid < 0)
                return err_errno(err, -errno, "%s", what);
        if (pid == 0)
                run_child(c, o, argv);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return err_errno(err, -errno, "%s: waiting for criu", what);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM)
                return err_set(err, ERR_UNSUPPORTED, -ENOENT, "cannot %s: there is no program %s (package criu)", what, program);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NO_ROOT)
                return err_set(err, ERR_INTERNAL, -EIO, "cannot %s: its root cannot be mounted", what);
        if (!find_reason(c->work_fd, reason, sizeof(reason)))
                snprintf(reason, sizeof(reason), "it ended with %s %d", WIFEXITED(status) ? "status" : "signal",
                         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        return err_set(err, ERR_INTERNAL, -EIO, "cannot %s: criu: %s", what, reason);
}
