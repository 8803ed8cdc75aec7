/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tests that really start containers: a root with busybox, a configuration, a run with its output. */

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "runtime/exec/exec.h"
#include "runtime/plan/plan.h"

enum userns_mode { NO_USERNS, USERNS_BY_FD, USERNS_BY_MAP, _USERNS_MODES };

struct container {
        char root[64]; /* of the host */
        json_t *config;
        struct plan_options options;
        struct exec_fds fds;
        struct exec_process process;
        struct err err;
        char output[65536]; /* of both streams */
        int out[2];
};

enum { FIRST_ID = 1000000 };

/* What a test that failed in the middle leaves: seen to by the teardown of the group. */
static struct {
        pid_t pids[256];
        char roots[256][64];
        size_t n_pids, n_roots;
} left;

static inline int remove_what_is_left(void **state) {
        int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void) state;
        /* A pid is ours as long as it is our child: then it cannot be somebody else's. */
        for (size_t i = 0; i < left.n_pids && i < 256; i++)
                if (waitpid(left.pids[i], NULL, WNOHANG) == 0) {
                        kill(left.pids[i], SIGKILL);
                        waitpid(left.pids[i], NULL, 0);
                }
        for (size_t i = 0; i < left.n_roots && i < 256; i++)
                path_remove_tree_at(tmp, strrchr(left.roots[i], '/') + 1);
        close(tmp);
        return 0;
}

/* A user namespace and a network namespace of its own, held by fds. */
static inline void make_namespaces(int *ret_userns, int *ret_netns) {
        static const char map[] = "0 1000000 65536";
        int ready[2];
        char name[64], c;
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1)
                        pause();
                _exit(1);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        close(ready[0]);
        for (int i = 0; i < 2; i++) {
                int fd;

                snprintf(name, sizeof(name), "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
                fd = open(name, O_WRONLY | O_CLOEXEC);
                assert_int_equal(write(fd, map, strlen(map)), strlen(map));
                close(fd);
        }
        snprintf(name, sizeof(name), "/proc/%d/ns/user", pid);
        *ret_userns = open(name, O_RDONLY | O_CLOEXEC);
        snprintf(name, sizeof(name), "/proc/%d/ns/net", pid);
        *ret_netns = open(name, O_RDONLY | O_CLOEXEC);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        assert_true(*ret_userns >= 0 && *ret_netns >= 0);
}

static inline void make_root(char *root, size_t size) {
        static const char *const applets[] = {
                "sh", "id", "cat", "ls", "hostname", "grep", "ps", "touch", "mkdir", "tty", "stty", "env", "readlink", "sleep", "true", "stat", "umask", "mount",
        };
        char path[256];

        snprintf(root, size, "/tmp/kist-exec-XXXXXX");
        assert_non_null(mkdtemp(root));
        snprintf(left.roots[left.n_roots++ % 256], 64, "%s", root);
        chmod(root, 0755);
        for (const char *const *d = (const char *const[]) { "bin", "etc", NULL }; *d; d++) {
                snprintf(path, sizeof(path), "%s/%s", root, *d);
                assert_int_equal(mkdir(path, 0755), 0);
        }
        snprintf(path, sizeof(path), "cp %s %s/bin/busybox", access("/bin/busybox", X_OK) == 0 ? "/bin/busybox" : "/usr/bin/busybox", root);
        assert_int_equal(system(path), 0);
        for (size_t i = 0; i < sizeof(applets) / sizeof(*applets); i++) {
                snprintf(path, sizeof(path), "%s/bin/%s", root, applets[i]);
                assert_int_equal(symlink("busybox", path), 0);
        }
}

static inline json_t *in_config(const struct container *c, const char *object) {
        return json_object_get(c->config, object);
}

static inline void container_set(const struct container *c, const char *object, const char *key, json_t *value) {
        assert_int_equal(json_object_set_new(in_config(c, object), key, value), 0);
}

static inline void container_add_mount(const struct container *c, const char *text) {
        json_t *m = json_loads(text, 0, NULL);

        assert_non_null(m);
        json_array_append_new(in_config(c, "mounts"), m);
}

static inline void add_userns(struct container *c, enum userns_mode mode) {
        json_t *namespaces = json_object_get(in_config(c, "linux"), "namespaces");

        if (mode == USERNS_BY_FD) {
                struct mount_attr idmap = { .attr_set = MOUNT_ATTR_IDMAP };

                make_namespaces(&c->fds.userns, &c->fds.netns);
                c->options.userns_by_fd = c->options.netns_by_fd = c->options.rootfs_by_fd = true;
                c->fds.rootfs = open_tree(AT_FDCWD, c->root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
                assert_true(c->fds.rootfs >= 0);
                idmap.userns_fd = (uint64_t) c->fds.userns;
                assert_int_equal(mount_setattr(c->fds.rootfs, "", AT_EMPTY_PATH, &idmap, sizeof(idmap)), 0);
        } else {
                json_array_append_new(namespaces, json_pack("{s:s}", "type", "network"));
        }
        if (mode == USERNS_BY_MAP) {
                json_array_append_new(namespaces, json_pack("{s:s}", "type", "user"));
                for (int i = 0; i < 2; i++)
                        container_set(c, "linux", i ? "gidMappings" : "uidMappings",
                                      json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID", FIRST_ID, "size", 65536));
        }
        if (mode != NO_USERNS) /* a root that the container's root may write to */
                assert_int_equal(chown(c->root, mode == USERNS_BY_MAP ? FIRST_ID : 0, mode == USERNS_BY_MAP ? FIRST_ID : 0), 0);
}

static inline void container_init(struct container *c, enum userns_mode mode, const char *script) {
        json_t *caps = plan_default_capabilities();

        memset(c, 0, sizeof(*c));
        make_root(c->root, sizeof(c->root));
        c->fds = (struct exec_fds) { .plan = -1, .rootfs = -1, .userns = -1, .netns = -1, .cgroup_v2 = -1, .target_pidfd = -1, .listen = -1 };
        c->config = json_pack("{s:s, s:s, s:{s:s}, s:o, s:{s:[s,s,s], s:[s,s], s:s, s:{s:i,s:i}, s:{s:O,s:O,s:O}},"
                              " s:{s:[{s:s},{s:s},{s:s},{s:s},{s:s}], s:o, s:o, s:o}}",
                              "ociVersion", "1.0.2", "hostname", "kist-test", "root", "path", c->root, "mounts", plan_default_mounts(65536 * 1024),
                              "process", "args", "sh", "-c", script, "env", "PATH=/nowhere:/bin", "LANG=C", "cwd", "/", "user", "uid", 0, "gid", 0,
                              "capabilities", "bounding", caps, "effective", caps, "permitted", caps,
                              "linux", "namespaces", "type", "mount", "type", "pid", "type", "ipc", "type", "uts", "type", "cgroup",
                              "maskedPaths", plan_default_masked_paths(), "readonlyPaths", plan_default_readonly_paths(), "seccomp", plan_default_seccomp(caps));
        json_decref(caps);
        assert_non_null(c->config);
        add_userns(c, mode);
        assert_int_equal(pipe2(c->out, O_CLOEXEC), 0);
        c->fds.stdio[0] = -1;
        c->fds.stdio[1] = c->fds.stdio[2] = c->out[1];
}

static inline int container_start(struct container *c) {
        int r;

        if (plan_container(c->config, &c->options, &c->fds.plan, &c->err) < 0)
                return c->err.num;
        r = exec_container(&c->fds, &c->process, &c->err);
        if (r == 0)
                left.pids[left.n_pids++ % 256] = c->process.pid;
        close(c->out[1]);
        c->out[1] = -1;
        return r;
}

static inline int wait_status(pid_t pid) {
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* All that it prints, then its exit status. */
static inline int container_finish(struct container *c) {
        size_t n = 0;
        ssize_t got;
        int fd = c->process.pty >= 0 ? c->process.pty : c->out[0];

        while (n + 1 < sizeof(c->output) && (got = read(fd, c->output + n, sizeof(c->output) - 1 - n)) > 0)
                n += (size_t) got;
        c->output[n] = '\0';
        return wait_status(c->process.pid);
}

static inline int container_run(struct container *c) {
        if (container_start(c) < 0)
                fail_msg("%s: %s", err_kind_name(c->err.kind), c->err.msg);
        return container_finish(c);
}

static inline void container_done(struct container *c) {
        int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        fd_close(c->fds.plan);
        fd_close(c->fds.rootfs);
        fd_close(c->fds.userns);
        fd_close(c->fds.netns);
        fd_close(c->out[0]);
        fd_close(c->out[1]);
        if (c->process.pid > 0) {
                fd_close(c->process.pidfd);
                fd_close(c->process.pty);
                fd_close(c->process.release);
        }
        json_decref(c->config);
        assert_int_equal(path_remove_tree_at(tmp, strrchr(c->root, '/') + 1), 0);
        close(tmp);
        /* Nothing of it is left: no child, dead or alive. */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static inline bool says(const struct container *c, const char *text) {
        if (strstr(c->output, text))
                return true;
        print_error("\"%s\" is not in: %s\n", text, c->output);
        return false;
}
