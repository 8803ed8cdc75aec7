/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/host.h"

#include <ctype.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "tls/tls.h"

extern char **environ;

enum { NAME_SIZE = 256, PORT_SIZE = 8, PATH_SIZE = 108, REMOTE_SIZE = 192 };

/* The parts of tcp:// and ssh://; "" where there is none. */
struct remote {
        char user[NAME_SIZE], host[NAME_SIZE], port[PORT_SIZE], path[PATH_SIZE];
};

static struct host_tls tls;

void host_set_tls(const struct host_tls *t) {
        tls = *t;
}

/* Letters, digits and what is in `others`; not empty, and not what a program could take for an option. */
static bool is_word(const char *s, const char *others) {
        if (!*s || *s == '-')
                return false;
        for (; *s; s++)
                if (!isalnum((unsigned char) *s) && !strchr(others, *s))
                        return false;
        return true;
}

static int copy_part(char *to, size_t size, const char *from, size_t n) {
        if (n >= size)
                return -ENAMETOOLONG;
        memcpy(to, from, n);
        to[n] = '\0';
        return 0;
}

/* [USER@]HOST[:PORT][/PATH], HOST may be [IPv6]. */
static int split_remote(const char *text, struct remote *ret) {
        const char *slash = strchrnul(text, '/'), *at = memchr(text, '@', (size_t) (slash - text)), *end;
        uint64_t number;

        *ret = (struct remote) { 0 };
        if (at) {
                if (copy_part(ret->user, sizeof(ret->user), text, (size_t) (at - text)) < 0 || !is_word(ret->user, "._-"))
                        return -EINVAL;
                text = at + 1;
        }
        if (*text == '[') {
                text++;
                end = memchr(text, ']', (size_t) (slash - text));
                if (!end || copy_part(ret->host, sizeof(ret->host), text, (size_t) (end - text)) < 0 || !is_word(ret->host, ".:%"))
                        return -EINVAL;
                end++;
        } else {
                end = memchr(text, ':', (size_t) (slash - text));
                end = end ? end : slash;
                if (copy_part(ret->host, sizeof(ret->host), text, (size_t) (end - text)) < 0 || !is_word(ret->host, "._-"))
                        return -EINVAL;
        }
        if (end < slash) {
                if (*end != ':' || copy_part(ret->port, sizeof(ret->port), end + 1, (size_t) (slash - end - 1)) < 0 ||
                    str_to_u64(ret->port, 1, 65535, &number) < 0)
                        return -EINVAL;
        }
        /* It becomes a word of a command that a shell at the other end reads. */
        if (slash[0] && slash[1] && (copy_part(ret->path, sizeof(ret->path), slash, strlen(slash)) < 0 || !is_word(ret->path, "/._-")))
                return -EINVAL;
        return 0;
}

int host_check(const char *address, struct err *err) {
        struct remote remote;

        if (*address == '/' || (str_starts_with(address, "unix:///") && strlen(address) > strlen("unix:///")))
                return 0;
        if (str_starts_with(address, "tcp://") && split_remote(address + strlen("tcp://"), &remote) == 0 && !*remote.user && !*remote.path)
                return 0;
        if (str_starts_with(address, "ssh://") && split_remote(address + strlen("ssh://"), &remote) == 0)
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "host \"%s\" is not unix://PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT][/SOCKET]", address);
}

static int open_unix(const char *path, const char *address, int *ret_fd, struct err *err) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        auto_fd fd = -EBADF;

        if (strlen(path) >= sizeof(name.sun_path))
                return err_set(err, ERR_INVALID, -ENAMETOOLONG, "host %s: a socket's path has at most %zu bytes", address, sizeof(name.sun_path) - 1);
        memcpy(name.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return err_errno(err, -errno, "socket");
        if (connect(fd, (struct sockaddr *) &name, sizeof(name)) < 0) {
                int num = -errno;

                return err_set(err, ERR_UNAVAILABLE, num, "cannot connect to kistd at %s: %s%s", address, strerror(-num),
                               num == -ENOENT || num == -ECONNREFUSED ? " (is it running?)" : "");
        }
        *ret_fd = move_fd(fd);
        return 0;
}

/* "+\n", with the connected socket itself when there is no TLS, or "-REASON\n". */
static int read_verdict(int fd, const char *address, int *ret_passed, struct err *err) {
        char reason[TLS_REASON_MAX + 8];
        size_t n = 0, n_fds = 1;

        for (;;) {
                ssize_t got = n == 0 ? fd_recv(fd, reason, 1, ret_passed, &n_fds) : recv(fd, reason + n, 1, 0);

                if (got <= 0 || n == sizeof(reason) - 2)
                        return err_set(err, ERR_UNAVAILABLE, -EPROTO, "cannot connect to kistd at %s: kist-tls died", address);
                if (reason[n] == '\n')
                        break;
                n++;
        }
        reason[n] = '\0';
        return reason[0] == '+' ? 0 : err_set(err, ERR_UNAVAILABLE, -ECONNREFUSED, "cannot connect to kistd at %s: %s", address, reason + 1);
}

static int open_tcp(const char *address, int *ret_fd, struct err *err) {
        auto_fd program = -EBADF, ours = -EBADF, theirs = -EBADF, passed = -EBADF;
        auto_free char *ca = NULL, *cert = NULL, *key = NULL;
        char *argv[9] = { (char *) "kist-tls", (char *) "connect" };
        struct remote remote;
        size_t n = 4;
        int pair[2], r;
        pid_t pid;

        split_remote(address + strlen("tcp://"), &remote);
        argv[2] = remote.host;
        argv[3] = *remote.port ? remote.port : (char *) (tls.on ? "2376" : "2375");
        if (!tls.on)
                argv[n++] = (char *) "plain";
        else if (!tls.verify)
                argv[n++] = (char *) "insecure";
        if (tls.on && tls.ca)
                argv[n++] = ca = str_format("ca=%s", tls.ca);
        if (tls.on && tls.cert)
                argv[n++] = cert = str_format("cert=%s", tls.cert);
        if (tls.on && tls.key)
                argv[n++] = key = str_format("key=%s", tls.key);
        r = proc_open_program("kist-tls", &program, err);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, -errno, "socket pair");
        ours = pair[0];
        theirs = pair[1];
        const struct proc_spawn spawn = { .exe_fd = program, .argv = argv, .stdio = { -1, -1, STDERR_FILENO }, .fds = &theirs, .n_fds = 1 };

        r = proc_spawn(&spawn, &pid, NULL, err);
        if (r < 0)
                return r;
        theirs = fd_close(theirs);
        r = read_verdict(ours, address, &passed, err);
        if (!tls.on || r < 0)
                waitpid(pid, NULL, 0);
        if (r < 0)
                return r;
        *ret_fd = passed >= 0 ? move_fd(passed) : move_fd(ours);
        return 0;
}

/* In a session of its own: a Ctrl-C is for the container, and must not end the connection. */
static int spawn_ssh(char *const *argv, int stream) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        sigset_t none, all;
        pid_t pid;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, stream, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, stream, STDOUT_FILENO);
        posix_spawnattr_init(&attr);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setsigmask(&attr, &none);
        posix_spawnattr_setsigdefault(&attr, &all);
        r = posix_spawnp(&pid, "ssh", &actions, &attr, argv, environ);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int open_ssh(const char *address, int *ret_fd, struct err *err) {
        auto_fd ours = -EBADF, theirs = -EBADF;
        char command[REMOTE_SIZE] = "kist system dial-stdio";
        char *argv[16];
        struct remote remote;
        size_t n = 0;
        int pair[2], r;

        split_remote(address + strlen("ssh://"), &remote);
        argv[n++] = (char *) "ssh";
        argv[n++] = (char *) "-T";
        argv[n++] = (char *) "-o";
        argv[n++] = (char *) "ConnectTimeout=30";
        if (*remote.user) {
                argv[n++] = (char *) "-l";
                argv[n++] = remote.user;
        }
        if (*remote.port) {
                argv[n++] = (char *) "-p";
                argv[n++] = remote.port;
        }
        argv[n++] = (char *) "--";
        argv[n++] = remote.host;
        if (*remote.path)
                snprintf(command, sizeof(command), "kist --host unix://%s system dial-stdio", remote.path);
        argv[n++] = command;
        argv[n] = NULL;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, -errno, "socket pair");
        ours = pair[0];
        theirs = pair[1];
        r = spawn_ssh(argv, theirs);
        if (r < 0)
                return err_set(err, ERR_UNAVAILABLE, r, "cannot start ssh for %s: %s", address, strerror(-r));
        *ret_fd = move_fd(ours);
        return 0;
}

int host_open(const char *address, int *ret_fd, struct err *err) {
        int r = host_check(address, err);

        if (r < 0)
                return r;
        if (str_starts_with(address, "tcp://"))
                return open_tcp(address, ret_fd, err);
        if (str_starts_with(address, "ssh://"))
                return open_ssh(address, ret_fd, err);
        return open_unix(*address == '/' ? address : address + strlen("unix://"), address, ret_fd, err);
}

/* One direction of a connection. */
struct half {
        int from, to;
        char data[32768];
        size_t start, end;
        bool ended; /* from */
};

static bool has_more(const struct half *h) {
        return h->start < h->end;
}

/* 0: the end of input; negative errno. */
static int take_piece(struct half *h) {
        ssize_t n = read(h->from, h->data, sizeof(h->data));

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 1 : -errno;
        h->start = 0;
        h->end = (size_t) n;
        return n > 0;
}

/* Never waits: who does not read may be waiting for us to read. O_NONBLOCK is not ours to set on what others share. */
static int give_piece(struct half *h) {
        size_t size = h->end - h->start;
        ssize_t n = send(h->to, h->data + h->start, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        /* A pipe that poll(2) calls writable takes this many bytes (pipe(7)). */
        if (n < 0 && errno == ENOTSOCK)
                n = write(h->to, h->data + h->start, size < PIPE_BUF ? size : PIPE_BUF);
        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        h->start += (size_t) n;
        return 0;
}

static void poll_for(const struct half *h, struct pollfd polls[static 2]) {
        polls[0] = (struct pollfd) { .fd = h->ended || has_more(h) ? -1 : h->from, .events = POLLIN };
        polls[1] = (struct pollfd) { .fd = has_more(h) ? h->to : -1, .events = POLLOUT };
}

int host_pump_stdio(int fd, struct err *err) {
        struct half in = { .from = STDIN_FILENO, .to = fd }, out = { .from = fd, .to = STDOUT_FILENO };
        struct pollfd polls[4];

        for (;;) {
                poll_for(&in, polls);
                poll_for(&out, polls + 2);
                if (poll(polls, ARRAY_SIZE(polls), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return err_errno(err, -errno, "poll");
                }
                if (polls[2].revents) {
                        int r = take_piece(&out);

                        if (r <= 0)
                                return r < 0 && r != -ECONNRESET ? err_errno(err, r, "the daemon") : 0;
                }
                if (polls[3].revents) {
                        int r = give_piece(&out);

                        if (r < 0)
                                return err_errno(err, r, "standard output");
                }
                if ((polls[0].revents && take_piece(&in) <= 0) || (polls[1].revents && give_piece(&in) < 0)) {
                        in.ended = true;
                        in.start = in.end;
                        shutdown(fd, SHUT_WR);
                }
        }
}
