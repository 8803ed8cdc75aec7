/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/credential-helper.h"

#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

extern char **environ;

/* As long as a person may need to find a password and type it. */
enum { SECONDS = 120, SECONDS_MAX = 86400 };

static int program_of(const char *name, char ret[128], struct err *err) {
        for (const char *p = name; *p; p++)
                if (!isalnum((unsigned char) *p) && (!strchr("._-", *p) || p == name))
                        return err_set(err, ERR_INVALID, -EINVAL, "config.json: \"%.64s\" is not a name of a credential helper", name);
        if (!*name || snprintf(ret, 128, "docker-credential-%s", name) >= 128)
                return err_set(err, ERR_INVALID, -EINVAL, "config.json: a credential helper's name is empty or too long");
        return 0;
}

static int read_seconds(uint64_t *ret, struct err *err) {
        const char *text = getenv("KIST_CREDENTIAL_HELPER_TIMEOUT");

        *ret = SECONDS;
        if (text && *text && str_to_u64(text, 1, SECONDS_MAX, ret) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "KIST_CREDENTIAL_HELPER_TIMEOUT=%s: 1 to %d seconds", text, SECONDS_MAX);
        return 0;
}

/* In our own process group: it may ask at our terminal, and Ctrl-C is for it, too. */
static int spawn_helper(const char *program, const char *action, int stream, pid_t *ret) {
        char *argv[] = { (char *) program, (char *) action, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        sigset_t none;
        int r;

        sigemptyset(&none);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, stream, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, stream, STDOUT_FILENO);
        posix_spawnattr_init(&attr);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
        posix_spawnattr_setsigmask(&attr, &none);
        r = posix_spawnp(ret, program, &actions, &attr, argv, environ);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What is there now. 1: there may be more, 0: never again. */
static int receive(int stream, struct strbuf *answer) {
        char piece[4096];
        ssize_t n = 1;

        while (n > 0 && strbuf_error(answer) == 0) {
                n = recv(stream, piece, sizeof(piece), MSG_DONTWAIT);
                if (n > 0)
                        strbuf_add(answer, piece, (size_t) n);
        }
        explicit_bzero(piece, sizeof(piece));
        return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* How much of it was taken; all when nobody will take more: one that does not read still has its say. */
static size_t give(int stream, const char *input, size_t size) {
        ssize_t n = send(stream, input, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        return n >= 0 ? (size_t) n : errno == EAGAIN || errno == EINTR ? 0 : size;
}

/* Until it has ended: who holds its end of the stream after that is not waited for. -ETIMEDOUT, -E2BIG. */
static int converse(int stream, int pidfd, const char *input, struct strbuf *answer, int64_t end_ms) {
        struct pollfd polls[] = { { .fd = stream }, { .fd = pidfd, .events = POLLIN } };
        size_t left = strlen(input);
        bool ended = false;

        if (left == 0)
                shutdown(stream, SHUT_WR);
        while (!ended) {
                int64_t wait_ms = end_ms - now_ms();

                if (wait_ms <= 0)
                        return -ETIMEDOUT;
                polls[0].events = left > 0 ? POLLIN | POLLOUT : POLLIN;
                if (poll(polls, 2, (int) wait_ms) < 0) {
                        if (errno != EINTR)
                                return -errno;
                        continue;
                }
                /* First: what it said before it ended is there to be read. */
                ended = polls[1].revents;
                if (left > 0 && polls[0].revents & (POLLOUT | POLLERR | POLLHUP)) {
                        size_t n = give(stream, input, left);

                        input += n;
                        left -= n;
                        if (left == 0)
                                shutdown(stream, SHUT_WR);
                }
                if (polls[0].fd >= 0 && receive(stream, answer) == 0)
                        polls[0].fd = -1;
                if (strbuf_error(answer) < 0)
                        return strbuf_error(answer);
        }
        return 0;
}

int credential_helper_ask(const char *name, const char *action, const char *input, struct strbuf *answer, struct err *err) {
        auto_fd ours = -EBADF, theirs = -EBADF, pidfd = -EBADF;
        uint64_t seconds;
        char program[128];
        int pair[2], status, r;
        pid_t pid;

        r = program_of(name, program, err);
        if (r >= 0)
                r = read_seconds(&seconds, err);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, -errno, "socket pair");
        ours = pair[0];
        theirs = pair[1];
        r = spawn_helper(program, action, theirs, &pid);
        if (r < 0)
                return err_set(err, ERR_INVALID, r, "config.json names the credential helper %s: %s", program, strerror(-r));
        theirs = fd_close(theirs);
        /* No race: it stays a zombie until we wait for it. */
        pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
        r = pidfd < 0 ? -errno : converse(ours, pidfd, input, answer, now_ms() + (int64_t) seconds * 1000);
        if (r < 0)
                kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r == -ETIMEDOUT)
                return err_set(err, ERR_UNAVAILABLE, r, "%s %s: no answer within %d s (KIST_CREDENTIAL_HELPER_TIMEOUT)", program, action, (int) seconds);
        if (r == -E2BIG)
                return err_set(err, ERR_INVALID, r, "%s %s: it says more than %zu bytes", program, action, answer->max);
        if (r < 0)
                return err_errno(err, r, "%s %s", program, action);
        strbuf_adds(answer, "");
        while (answer->data && answer->size > 0 && isspace((unsigned char) answer->data[answer->size - 1]))
                answer->data[--answer->size] = '\0';
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
