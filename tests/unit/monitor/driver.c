/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"

enum { PATIENCE_MS = 20000 };

static void await(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        if (poll(&p, 1, PATIENCE_MS) != 1)
                fail_msg("nothing came within %d ms", PATIENCE_MS);
}

static int make_dir(const char *parent, const char *name) {
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s/%s", parent, name);
        assert_int_equal(mkdir(path, 0700), 0);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

void driver_open(struct driver *d, int exe_fd, const char *argv1) {
        char *const argv[] = { (char *) "kist-monitor", (char *) argv1, NULL };
        union monitor_message hello;
        int pair[2];
        struct proc_spawn spawn = { .exe_fd = exe_fd, .argv = argv, .stdio = { -1, -1, 2 }, .fds = &pair[1], .n_fds = 1 };

        prctl(PR_SET_CHILD_SUBREAPER, 1);
        *d = (struct driver) { .path = "/tmp/kist-test-monitor-XXXXXX" };
        assert_non_null(mkdtemp(d->path));
        d->state_dir = make_dir(d->path, "state");
        d->run_dir = make_dir(d->path, "run");
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(proc_spawn(&spawn, &d->monitor, NULL, NULL), 0);
        close(pair[1]);
        d->control = pair[0];
        assert_int_equal(driver_receive(d, &hello), sizeof(hello.hello));
        assert_int_equal(hello.header.type, MONITOR_HELLO);
        assert_int_equal(hello.hello.protocol, MONITOR_PROTOCOL);
        assert_int_equal(hello.hello.monitor_pid, d->monitor);
        assert_int_equal(hello.hello.init_pid, 0);
}

/* What a killed monitor leaves behind becomes ours (driver_open() has asked for that), and ends here. */
static void end_orphans(void) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int) getpid());
        for (;;) {
                char *text = NULL, *at, *end;

                if (file_read_at(AT_FDCWD, path, 1 << 16, &text, NULL) < 0 || !*text) {
                        free(text);
                        return;
                }
                for (at = text; strtol(at, &end, 10) > 0; at = end) {
                        pid_t pid = (pid_t) strtol(at, NULL, 10);

                        kill(pid, SIGKILL);
                        waitpid(pid, NULL, 0); /* and then its children are ours, in the next round */
                }
                free(text);
        }
}

void driver_close(struct driver *d) {
        fd_close(d->control);
        if (d->monitor > 0) {
                kill(d->monitor, SIGKILL);
                waitpid(d->monitor, NULL, 0);
        }
        end_orphans();
        fd_close(d->state_dir);
        fd_close(d->run_dir);
        assert_int_equal(path_remove_tree_at(AT_FDCWD, d->path), 0);
}

int driver_wait_monitor(struct driver *d) {
        int status;

        for (int i = 0; i < PATIENCE_MS / 10; i++) {
                if (waitpid(d->monitor, &status, WNOHANG) == d->monitor) {
                        d->monitor = 0;
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                }
                usleep(10000);
        }
        fail_msg("the monitor does not end");
        return -1;
}

struct monitor_hello driver_reconnect(struct driver *d) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        union monitor_message m;

        fd_close(d->control);
        d->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%.60s/run/monitor.sock", d->path);
        assert_int_equal(connect(d->control, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(driver_receive(d, &m), sizeof(m.hello));
        assert_int_equal(m.header.type, MONITOR_HELLO);
        return m.hello;
}

void driver_send(struct driver *d, union monitor_message *m, size_t size, const int *fds, size_t n_fds) {
        m->header.tag = ++d->next_tag;
        assert_int_equal(fd_send(d->control, m, size, fds, n_fds), 0);
}

ssize_t driver_receive(struct driver *d, union monitor_message *ret) {
        await(d->control);
        return fd_recv(d->control, ret, sizeof(*ret), NULL, NULL);
}

uint32_t driver_ask(struct driver *d, union monitor_message *m, size_t size, const int *fds, size_t n_fds, union monitor_message *ret) {
        union monitor_message other;

        if (!ret)
                ret = &other;
        driver_send(d, m, size, fds, n_fds);
        assert_true(driver_receive(d, ret) >= (ssize_t) sizeof(ret->header));
        assert_int_equal(ret->header.tag, d->next_tag);
        return ret->header.type;
}

uint32_t driver_start(struct driver *d, const struct driver_start *s, int plan, union monitor_message *ret) {
        union monitor_message m = { .start = { .header.type = MONITOR_START,
                                               .id = "0123456789abcdef",
                                               .flags = s->flags,
                                               .rows = s->rows,
                                               .columns = s->columns,
                                               .log_max_size = s->log_max_size,
                                               .log_max_files = s->log_max_files } };
        int all[MONITOR_FD_CGROUP_V1], fds[MONITOR_FD_CGROUP_V1];
        size_t n = 0;

        memcpy(all, s->fds, sizeof(all));
        all[MONITOR_FD_PLAN] = plan;
        all[MONITOR_FD_STATE_DIR] = d->state_dir;
        all[MONITOR_FD_RUN_DIR] = d->run_dir;
        for (int i = 0; i < MONITOR_FD_CGROUP_V1; i++) {
                if (all[i] <= 0)
                        continue;
                m.start.fd_mask |= 1u << i;
                fds[n++] = all[i];
        }
        return driver_ask(d, &m, sizeof(m.start), fds, n, ret);
}

int driver_attach(struct driver *d, const char *exec_id, uint32_t flags, const char *detach_keys) {
        union monitor_message m = { .attach = { .header.type = MONITOR_ATTACH, .flags = flags } };
        int pair[2];

        strcpy(m.attach.exec_id, exec_id);
        if (detach_keys) {
                m.attach.n_detach_keys = (uint32_t) strlen(detach_keys);
                memcpy(m.attach.detach_keys, detach_keys, m.attach.n_detach_keys);
        }
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(driver_ask(d, &m, sizeof(m.attach), &pair[1], 1, NULL), MONITOR_OK);
        close(pair[1]);
        return pair[0];
}

uint32_t driver_exec(struct driver *d, const char *exec_id, int plan, uint32_t flags, bool detached, union monitor_message *ret) {
        union monitor_message m = { .exec = { .header.type = MONITOR_EXEC, .flags = flags, .detached = detached } };

        strcpy(m.exec.exec_id, exec_id);
        return driver_ask(d, &m, sizeof(m.exec), &plan, 1, ret);
}

uint32_t driver_signal(struct driver *d, const char *exec_id, int signal) {
        union monitor_message m = { .signal = { .header.type = MONITOR_SIGNAL, .signal = signal } };

        strcpy(m.signal.exec_id, exec_id);
        return driver_ask(d, &m, sizeof(m.signal), NULL, 0, NULL);
}

uint32_t driver_resize(struct driver *d, const char *exec_id, uint16_t rows, uint16_t columns) {
        union monitor_message m = { .resize = { .header.type = MONITOR_RESIZE, .rows = rows, .columns = columns } };

        strcpy(m.resize.exec_id, exec_id);
        return driver_ask(d, &m, sizeof(m.resize), NULL, 0, NULL);
}

int driver_expect_exited(struct driver *d, const char *exec_id) {
        union monitor_message m;

        assert_int_equal(driver_receive(d, &m), sizeof(m.exited));
        assert_int_equal(m.header.type, MONITOR_EXITED);
        assert_int_equal(m.header.tag, 0);
        assert_string_equal(m.exited.exec_id, exec_id);
        return m.exited.status;
}

void driver_expect_detached(struct driver *d, const char *exec_id) {
        union monitor_message m;

        assert_int_equal(driver_receive(d, &m), sizeof(m.detached));
        assert_int_equal(m.header.type, MONITOR_DETACHED);
        assert_int_equal(m.header.tag, 0);
        assert_string_equal(m.detached.exec_id, exec_id);
}

char *driver_log(const struct driver *d, const char *stream, size_t *ret_size) {
        char *text = NULL, *out, *at, want[64];

        assert_int_equal(file_read_at(d->state_dir, "0123456789abcdef-json.log", 64 << 20, &text, NULL), 0);
        out = at = text;
        snprintf(want, sizeof(want), "\",\"stream\":\"%s\"", stream);
        while (*at) {
                char *end = strchrnul(at, '\n'), *from = at + strlen("{\"log\":\""), *to;

                assert_int_equal(*end, '\n');
                *end = '\0'; /* the search ends here, and does not take the whole file each time */
                to = strstr(from, "\",\"stream\"");
                assert_non_null(to);
                if (!strncmp(to, want, strlen(want))) {
                        size_t n = (size_t) (to - from);

                        if (n >= 2 && !memcmp(to - 2, "\\n", 2))
                                to[-2] = '\n', n--;
                        memmove(out, from, n);
                        out += n;
                }
                at = end + 1;
        }
        *out = '\0';
        if (ret_size)
                *ret_size = (size_t) (out - text);
        return text;
}

int driver_exit_file(const struct driver *d) {
        auto_fd fd = openat(d->state_dir, "exit", O_RDONLY | O_CLOEXEC);
        struct monitor_exit_file content;

        if (fd < 0)
                return -1;
        assert_int_equal(read(fd, &content, sizeof(content)), sizeof(content));
        assert_int_equal(content.magic, MONITOR_EXIT_MAGIC);
        assert_true(content.started_unix_ns > 0 && content.finished_unix_ns >= content.started_unix_ns);
        return content.status;
}

bool driver_has_file(int dir, const char *name) {
        return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

char *read_to_end(int fd, size_t *ret_size) {
        size_t size = 0, room = 1 << 16;
        char *data = malloc(room + 1);

        for (;;) {
                ssize_t n;

                if (size == room)
                        data = realloc(data, (room *= 2) + 1);
                await(fd);
                n = read(fd, data + size, room - size);
                assert_true(n >= 0);
                if (n == 0)
                        break;
                size += (size_t) n;
        }
        data[size] = '\0';
        if (ret_size)
                *ret_size = size;
        return data;
}

char *unframe(const char *data, size_t size, int stream, size_t *ret_size) {
        char *out = malloc(size + 1);
        size_t n_out = 0, at = 0;

        while (at < size) {
                const unsigned char *h = (const unsigned char *) data + at;
                size_t n;

                assert_true(size - at > 8);
                assert_true(h[0] == 1 || h[0] == 2);
                assert_true(h[1] == 0 && h[2] == 0 && h[3] == 0);
                n = (size_t) h[4] << 24 | (size_t) h[5] << 16 | (size_t) h[6] << 8 | h[7];
                assert_true(n > 0 && n <= size - at - 8);
                if (h[0] == stream) {
                        memcpy(out + n_out, h + 8, n);
                        n_out += n;
                }
                at += 8 + n;
        }
        out[n_out] = '\0';
        if (ret_size)
                *ret_size = n_out;
        return out;
}

void read_until(int fd, const char *text) {
        char seen[65536];
        size_t size = 0;

        for (;;) {
                ssize_t n;

                await(fd);
                n = read(fd, seen + size, sizeof(seen) - 1 - size);
                if (n <= 0)
                        fail_msg("the stream ended before \"%s\"; there was \"%.*s\"", text, (int) size, seen);
                size += (size_t) n;
                seen[size] = '\0';
                if (strstr(seen, text))
                        return;
        }
}

int text_fd(const char *text) {
        int fd = memfd_create("plan", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        return fd;
}
