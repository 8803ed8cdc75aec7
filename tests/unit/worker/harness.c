/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <openssl/evp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "worker/job.h"

enum { FIRST_ID = 1000000, IDS = 65536 };

static void write_file(const char *path, const char *text) {
        auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                abort();
        }
}

int harness_userns(void) {
        char path[64], map[64];
        int ready[2], fd;
        pid_t pid;
        char c;

        if (pipe(ready) < 0)
                return -1;
        pid = fork();
        if (pid == 0) {
                if (unshare(CLONE_NEWUSER) < 0)
                        _exit(1);
                if (write(ready[1], "x", 1) == 1)
                        pause();
                _exit(0);
        }
        close(ready[1]);
        if (read(ready[0], &c, 1) != 1) {
                printf("# no user namespaces on this host\n");
                close(ready[0]);
                waitpid(pid, NULL, 0);
                return -1;
        }
        close(ready[0]);
        snprintf(map, sizeof(map), "0 %d %d", FIRST_ID, IDS);
        snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
        write_file(path, map);
        snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
        write_file(path, map);
        snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return fd;
}

int harness_clone(int dir_fd, int userns_fd) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t) userns_fd };
        auto_fd fd = (int) syscall(SYS_open_tree, dir_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
                printf("# this file system cannot be idmapped: %s\n", strerror(errno));
                return -1;
        }
        return move_fd(fd);
}

bool harness_scratch(struct scratch *s, int userns_fd) {
        const char *tmp = getenv("TMPDIR");

        snprintf(s->path, sizeof(s->path), "%.40s/kist-worker-XXXXXX", tmp ? tmp : "/tmp");
        if (!mkdtemp(s->path))
                abort();
        s->dir_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        s->clone_fd = harness_clone(s->dir_fd, userns_fd);
        if (s->clone_fd < 0) {
                harness_scratch_remove(s);
                return false;
        }
        return true;
}

void harness_scratch_remove(struct scratch *s) {
        fd_close(s->clone_fd);
        fd_close(s->dir_fd);
        path_remove_tree_at(AT_FDCWD, s->path);
}

struct worker harness_start(const char *mode, int userns_fd) {
        char *argv[] = { "kist-worker", (char *) mode, NULL };
        auto_fd exe = open(getenv("WORKER_PROGRAM") ? getenv("WORKER_PROGRAM") : WORKER_PROGRAM, O_PATH | O_CLOEXEC);
        struct worker w = { 0 };
        struct err err = { 0 };
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        int fds[] = { pair[1], userns_fd };
        const struct proc_spawn spawn = { .exe_fd = exe, .argv = argv, .envp = environ, .stdio = { -1, 2, 2 }, .fds = fds, .n_fds = 2 };

        if (proc_spawn(&spawn, &w.pid, NULL, &err) < 0) {
                fprintf(stderr, "%s\n", err.msg);
                abort();
        }
        close(pair[1]);
        w.control = pair[0];
        return w;
}

void harness_send(const struct worker *w, const char *text, const int *fds, size_t n_fds) {
        if (fd_send(w->control, text, strlen(text), fds, n_fds) < 0)
                perror("harness: the worker is gone");
}

json_t *harness_event(const struct worker *w) {
        static char text[WORKER_MESSAGE_MAX + 1];
        ssize_t n = fd_recv(w->control, text, sizeof(text), NULL, NULL);

        return n > 0 ? json_loadb(text, (size_t) n, 0, NULL) : NULL;
}

json_t *harness_result(const struct worker *w) {
        for (;;) {
                json_t *event = harness_event(w);

                if (!event || strcmp(json_string_value(json_object_get(event, "event")), "progress") != 0)
                        return event;
                json_decref(event);
        }
}

int harness_end(struct worker *w) {
        int status = -1;

        close(w->control);
        waitpid(w->pid, &status, 0);
        return status;
}

int harness_memory(const void *data, size_t size) {
        int fd = memfd_create("bytes", MFD_CLOEXEC);

        if (fd < 0 || fd_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                abort();
        return fd;
}

const char *harness_sum(const void *data, size_t size) {
        static char texts[4][72];
        static unsigned turn;
        unsigned char sum[32];
        char *text = texts[turn++ % 4];

        if (EVP_Digest(data, size, sum, NULL, EVP_sha256(), NULL) != 1)
                abort();
        strcpy(text, "sha256:");
        for (int i = 0; i < 32; i++)
                sprintf(text + 7 + 2 * i, "%02x", sum[i]);
        return text;
}
