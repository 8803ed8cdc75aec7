/* SPDX-License-Identifier: Apache-2.0 */

/* criu as a process. Its options are on its command line; the socket that it is started with is for what only that has: it stops before it lets
 * packets through again, and it hands over the master of a new terminal. */

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/criu.h"
#include "oci/oci.h"
#include "runtime/exec/exec.h"

#define PATHS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
enum { LOG_MAX = 64 << 20, MESSAGE_MAX = 4096, NO_PROGRAM = 127, NO_ROOT = 126, NO_CGROUP = 125 };

/* --- messages: fields of protobuf, criu's images/rpc.proto --- */

enum { TYPE_NOTIFY = 6 };
enum { REQUEST_TYPE = 1, REQUEST_OPTIONS = 2, REQUEST_NOTIFY_DONE = 3 };
enum { OPTION_IMAGES_FD = 1, OPTION_PID = 2, OPTION_LOG_LEVEL = 9, OPTION_NOTIFY = 12, OPTION_TERMINAL = 50 };
enum { RESPONSE_TYPE = 1, RESPONSE_RESTORE = 4, RESPONSE_NOTIFY = 5 };
enum { RESTORE_PID = 1, NOTIFY_SCRIPT = 1, NOTIFY_PID = 2 };
enum { WIRE_NUMBER = 0, WIRE_BYTES = 2 };

static uint8_t *put_number(uint8_t *at, uint64_t v) {
        for (; v >= 0x80; v >>= 7)
                *at++ = (uint8_t) (v | 0x80);
        *at++ = (uint8_t) v;
        return at;
}

static uint8_t *put_field(uint8_t *at, unsigned field, uint64_t v) {
        return put_number(put_number(at, field << 3 | WIRE_NUMBER), v);
}

static size_t make_request(const struct criu *c, uint8_t request[128]) {
        uint8_t options[64], *end = put_field(options, OPTION_IMAGES_FD, (uint64_t) c->images_fd), *at = put_field(request, REQUEST_TYPE, c->request);
        size_t n;

        if (c->tree > 0)
                end = put_field(end, OPTION_PID, (uint64_t) c->tree);
        end = put_field(end, OPTION_LOG_LEVEL, 4);
        end = put_field(end, OPTION_NOTIFY, true);
        if (c->terminal)
                end = put_field(end, OPTION_TERMINAL, true);
        n = (size_t) (end - options);
        at = put_number(put_number(at, REQUEST_OPTIONS << 3 | WIRE_BYTES), n);
        memcpy(at, options, n);
        return (size_t) (at + n - request);
}

struct message {
        const uint8_t *at, *end;
};

static bool get_number(struct message *m, uint64_t *ret) {
        uint64_t v = 0;

        for (unsigned shift = 0; m->at < m->end && shift < 64; shift += 7) {
                uint8_t byte = *m->at++;

                v |= (uint64_t) (byte & 0x7f) << shift;
                if (!(byte & 0x80)) {
                        *ret = v;
                        return true;
                }
        }
        return false;
}

/* The next field: a number, or bytes. False at the end, and where there is neither. */
static bool get_field(struct message *m, unsigned *field, uint64_t *number, struct message *bytes) {
        uint64_t key;

        if (!get_number(m, &key) || !get_number(m, number))
                return false;
        *field = (unsigned) (key >> 3);
        *bytes = (struct message) { 0 };
        if ((key & 7) == WIRE_NUMBER)
                return true;
        if ((key & 7) != WIRE_BYTES || *number > (uint64_t) (m->end - m->at))
                return false;
        *bytes = (struct message) { m->at, m->at + *number };
        m->at += *number;
        return true;
}

struct response {
        unsigned type;
        pid_t pid;
        char script[32];
};

static void read_response(const uint8_t *data, size_t size, struct response *ret) {
        struct message m = { data, data + size }, inner, text;
        unsigned field, part;
        uint64_t v;

        *ret = (struct response) { 0 };
        while (get_field(&m, &field, &v, &inner)) {
                if (field == RESPONSE_TYPE)
                        ret->type = (unsigned) v;
                if (field != RESPONSE_RESTORE && field != RESPONSE_NOTIFY)
                        continue;
                while (get_field(&inner, &part, &v, &text))
                        if (part == (field == RESPONSE_RESTORE ? RESTORE_PID : NOTIFY_PID))
                                ret->pid = (pid_t) v;
                        else if (field == RESPONSE_NOTIFY && part == NOTIFY_SCRIPT)
                                snprintf(ret->script, sizeof(ret->script), "%.*s", (int) (text.end - text.at), (const char *) text.at);
        }
}

static int unlock(pid_t pid, const char *name) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/net", (int) pid);
        return criu_unlock(path, name);
}

/* It waits for our answer at each of its steps. */
static int converse(struct criu *c, int sock) {
        uint8_t data[MESSAGE_MAX], *answer_end = put_field(put_field(data, REQUEST_TYPE, TYPE_NOTIFY), REQUEST_NOTIFY_DONE, true);
        uint8_t answer[16];
        const size_t n_answer = (size_t) (answer_end - data);
        int r;

        memcpy(answer, data, n_answer);
        r = fd_send(sock, data, make_request(c, data), NULL, 0);
        while (r == 0) {
                struct response response;
                int fd = -EBADF;
                size_t n_fds = 1;
                ssize_t n = fd_recv(sock, data, sizeof(data), &fd, &n_fds);

                if (n <= 0)
                        break; /* it has ended: its status says how */
                read_response(data, (size_t) n, &response);
                if (response.pid > 0)
                        c->pid = response.pid;
                if (response.type != TYPE_NOTIFY)
                        return 0;
                if (n_fds > 0 && c->pty < 0)
                        c->pty = fd;
                else if (n_fds > 0)
                        fd_close(fd);
                /* All is as it was, and nothing runs yet. */
                if (c->request == CRIU_RESTORE && c->lock && strcmp(response.script, "network-unlock") == 0)
                        r = unlock(c->pid, c->lock);
                if (r == 0)
                        r = fd_send(sock, answer, n_answer, NULL, 0);
        }
        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

/* --- the process --- */

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

static int enter_cgroup(const struct exec_fds *cgroup) {
        for (size_t i = 0; i < cgroup->n_cgroup_v1; i++)
                if (write(cgroup->cgroup_v1_procs[i], "0", 1) < 0)
                        return -errno;
        if (cgroup->cgroup_v2 >= 0) {
                auto_fd procs = openat(cgroup->cgroup_v2, "cgroup.procs", O_WRONLY | O_CLOEXEC);

                if (procs < 0 || write(procs, "0", 1) < 0)
                        return -errno;
        }
        return 0;
}

/* Ours go where criu was told that they are; a new descriptor of the same file has no O_CLOEXEC. */
static int hand_on(const struct criu *c) {
        for (int i = 0; i < 3 && c->request == CRIU_RESTORE; i++)
                if (dup2(i, CRIU_STDIO + i) < 0)
                        return -errno;
        for (size_t i = 0; i < c->n_namespaces; i++)
                if (dup2(c->namespaces[i], CRIU_NAMESPACES + (int) i) < 0)
                        return -errno;
        return 0;
}

static void run_child(const struct criu *c, const struct options *o, int sock, char **argv) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (hand_on(c) < 0)
                _exit(NO_ROOT);
        for (int i = 0; i < 3 && !o->shell_job; i++)
                dup2(null, i);
        if (c->cgroup && enter_cgroup(c->cgroup) < 0)
                _exit(NO_CGROUP);
        if (c->root && make_root(c) < 0)
                _exit(NO_ROOT);
        fcntl(c->images_fd, F_SETFD, 0);
        fcntl(c->work_fd, F_SETFD, 0);
        fcntl(sock, F_SETFD, 0);
        setenv("PATH", PATHS, 1);
        execvp(argv[0], argv);
        _exit(NO_PROGRAM);
}

/* "(00.012) Error (criu/vdso.c:381): vdso: Unexpected …" → "vdso: Unexpected …". The first one is the cause, but for what other programs said. */
static bool find_reason(int work_fd, char *ret, size_t size) {
        auto_fd fd = openat(work_fd, CRIU_LOG, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
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

static int explain(const struct criu *c, int status, int talk, const char *program, const char *what, struct err *err) {
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        char reason[256] = "";

        if (code == NO_PROGRAM)
                return err_set(err, ERR_UNSUPPORTED, -ENOENT, "cannot %s: there is no program %s (package criu)", what, program);
        if (code == NO_ROOT)
                return err_set(err, ERR_INTERNAL, -EIO, "cannot %s: its root cannot be mounted", what);
        if (code == NO_CGROUP)
                return err_set(err, ERR_INTERNAL, -EIO, "cannot %s: its cgroup cannot be entered", what);
        if (talk < 0)
                return err_errno(err, talk, "cannot %s: talking with criu", what);
        if (!find_reason(c->work_fd, reason, sizeof(reason)))
                snprintf(reason, sizeof(reason), "it ended with %s %d", code < 0 ? "signal" : "status", code < 0 ? WTERMSIG(status) : code);
        return err_set(err, ERR_INTERNAL, -EIO, "cannot %s: criu: %s", what, reason);
}

int criu_run(struct criu *c, const struct options *o, const char *what, struct err *err) {
        const char *program = o->criu ?: "criu";
        auto_free char **argv = calloc(c->n + 4, sizeof(*argv));
        int sock[2], status = 0, talk;
        char number[16];
        pid_t pid;

        if (!argv || c->failed)
                return err_errno(err, c->failed ?: -ENOMEM, "%s: options of criu", what);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
                return err_errno(err, -errno, "%s", what);
        snprintf(number, sizeof(number), "%d", sock[1]);
        argv[0] = (char *) program;
        argv[1] = (char *) "swrk";
        argv[2] = number;
        memcpy(argv + 3, c->args, c->n * sizeof(*argv));
        pid = fork();
        if (pid == 0)
                run_child(c, o, sock[1], argv);
        status = pid < 0 ? -errno : 0;
        close(sock[1]);
        if (pid < 0) {
                close(sock[0]);
                return err_errno(err, status, "%s", what);
        }
        talk = converse(c, sock[0]);
        close(sock[0]);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return err_errno(err, -errno, "%s: waiting for criu", what);
        if (talk == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        c->pid = 0;
        c->pty = fd_close(c->pty);
        return explain(c, status, talk, program, what, err);
}
