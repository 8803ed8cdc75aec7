/* SPDX-License-Identifier: Apache-2.0 */

/* Without the host's root: as an ordinary user, or as the root of a user namespace that a caller (Podman) has made. */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "oci/oci.h"

/* The first user namespace maps all ids on themselves. */
static bool in_user_namespace(void) {
        auto_fd fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
        unsigned long inside, outside, count;
        char text[128] = "";

        if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%lu %lu %lu", &inside, &outside, &count) != 3)
                return false;
        return inside != 0 || outside != 0 || count != 4294967295;
}

bool rootless(const struct options *o) {
        if (o->rootless_mode && strcmp(o->rootless_mode, "auto") != 0)
                return strcmp(o->rootless_mode, "true") == 0;
        return geteuid() != 0 || in_user_namespace();
}

char *rootless_state_path(const struct options *o) {
        const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

        return runtime_dir && *runtime_dir == '/' && rootless(o) ? str_format("%s/kist-runtime", runtime_dir) : NULL;
}

/* --- entering a user namespace as an ordinary user --- */

enum { MAPS_MAX = 340 }; /* the kernel's own limit */

struct map_command {
        const char *program;
        char *words[2 + 3 * MAPS_MAX + 1];
        size_t n;
};

static void map_command_done(struct map_command *m) {
        for (size_t i = 1; i < m->n; i++)
                free(m->words[i]);
}

/* "newuidmap PID inside outside count …" */
static int make_command(const json_t *linux_, const char *key, const char *program, pid_t pid, struct map_command *m, struct err *err) {
        const json_t *maps = json_get_array(linux_, key);
        size_t i;
        json_t *map;

        m->program = program;
        m->words[m->n++] = (char *) program;
        m->words[m->n++] = str_format("%d", (int) pid);
        if (json_array_size(maps) == 0 || json_array_size(maps) > MAPS_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.%s: 1 to %d are needed", key, MAPS_MAX);
        json_array_foreach((json_t *) maps, i, map) {
                static const char *const fields[] = { "containerID", "hostID", "size" };

                for (size_t k = 0; k < ARRAY_SIZE(fields); k++) {
                        int64_t v = json_get_int(map, fields[k], -1);

                        if (v < 0 || v > UINT32_MAX)
                                return err_set(err, ERR_INVALID, -EINVAL, "linux.%s[%zu].%s: not an id", key, i, fields[k]);
                        m->words[m->n++] = str_format("%lld", (long long) v);
                }
        }
        return 0;
}

static int run(struct map_command *m) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                execvp(m->program, m->words);
                _exit(errno == ENOENT ? 127 : 126);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                return 126;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/* They must be run from outside of the new namespace, by a process that is made before it. It waits for one byte. */
static pid_t start_helper(struct map_command commands[2], int go) {
        pid_t pid = fork();
        char byte;

        if (pid != 0)
                return pid;
        if (read(go, &byte, 1) != 1)
                _exit(0);
        for (int i = 0; i < 2; i++) {
                int status = run(&commands[i]);

                if (status != 0)
                        _exit(status == 127 ? 100 + i : i + 1);
        }
        _exit(0);
}

static int unshare_mapped(struct map_command commands[2], struct err *err) {
        int go[2], status = 0;
        pid_t helper;

        if (pipe2(go, O_CLOEXEC) < 0)
                return err_errno(err, -errno, "pipe");
        helper = start_helper(commands, go[0]);
        fd_close(go[0]);
        if (helper < 0 || unshare(CLONE_NEWUSER) < 0 || write(go[1], "", 1) != 1) {
                int r = -errno;

                fd_close(go[1]);
                return err_errno(err, r, "a user namespace");
        }
        fd_close(go[1]);
        if (waitpid(helper, &status, 0) < 0 || !WIFEXITED(status))
                return err_errno(err, -ECHILD, "maps of the user namespace");
        status = WEXITSTATUS(status);
        if (status >= 100)
                return err_set(err, ERR_UNSUPPORTED, -ENOENT, "%s is not installed: an ordinary user needs it (package uidmap)",
                               commands[status - 100].program);
        if (status != 0)
                return err_set(err, ERR_DENIED, -EPERM, "linux.%s: refused by %s", status == 1 ? "uidMappings" : "gidMappings",
                               commands[status - 1].program);
        return 0;
}

/* The index of the namespace to be made, or -1. */
static ssize_t find_user_namespace(const json_t *linux_) {
        size_t i;
        json_t *ns;

        json_array_foreach(json_get_array(linux_, "namespaces"), i, ns)
                if (strcmp(json_get_str(ns, "type", ""), "user") == 0 && !json_object_get(ns, "path"))
                        return (ssize_t) i;
        return -1;
}

static int become_root(struct err *err) {
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return err_errno(err, -errno, "linux.uidMappings: no root");
        /* A change of ids closes /proc/self to ourselves. */
        prctl(PR_SET_DUMPABLE, 1);
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
                return err_errno(err, -errno, "a mount namespace");
        return 0;
}

int rootless_enter(json_t *config, struct err *err) {
        json_t *linux_ = json_get_object(config, "linux");
        ssize_t at = find_user_namespace(linux_);
        struct map_command commands[2] = { 0 };
        int r;

        if (at < 0)
                return err_set(err, ERR_DENIED, -EPERM, "linux.namespaces: an ordinary user needs a user namespace");
        r = make_command(linux_, "uidMappings", "newuidmap", getpid(), &commands[0], err);
        if (r == 0)
                r = make_command(linux_, "gidMappings", "newgidmap", getpid(), &commands[1], err);
        if (r == 0)
                r = unshare_mapped(commands, err);
        if (r == 0)
                r = become_root(err);
        for (int i = 0; i < 2; i++)
                map_command_done(&commands[i]);
        if (r < 0)
                return r;
        json_array_remove(json_get_array(linux_, "namespaces"), (size_t) at);
        json_object_del(linux_, "uidMappings");
        json_object_del(linux_, "gidMappings");
        return 0;
}
