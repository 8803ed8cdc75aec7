/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/exec/private.h"

enum { SAID_MAX = 200, SLICE_MS = 3600 * 1000 };

struct said {
        char text[SAID_MAX + 1];
        size_t n;
};

static int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The first words are kept, the rest is read and forgotten, so that the hook never waits for us. False: no more will come. */
static bool listen_to(int fd, struct said *s) {
        char buffer[512];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        for (ssize_t i = 0; i < n && s->n < SAID_MAX; i++)
                s->text[s->n++] = buffer[i];
        return n > 0 || (n < 0 && errno == EINTR);
}

/* False: it has not ended in time. */
static bool await_end(int pidfd, int err_fd, uint32_t timeout, struct said *s) {
        struct pollfd p[] = { { .fd = pidfd, .events = POLLIN }, { .fd = err_fd, .events = POLLIN } };
        int64_t end = now_ms() + (int64_t) timeout * 1000;

        while (!p[0].revents) {
                int64_t left = timeout ? end - now_ms() : SLICE_MS;

                if (left <= 0)
                        return false;
                if (poll(p, 2, left > SLICE_MS ? SLICE_MS : (int) left) <= 0)
                        continue;
                if (p[1].revents && !listen_to(err_fd, s))
                        p[1] = (struct pollfd) { .fd = -1 };
        }
        while (s->n < SAID_MAX && listen_to(err_fd, s)) /* what it said at last; nobody else may hold us up, it does not block */
                ;
        return true;
}

static int fail_hook(int status, bool in_time, uint32_t timeout, struct said *s, const char *what, const char *path, struct err *err) {
        char text[480], *at = text, *end = text + sizeof(text) - 1;

        at = raw_put_text(at, end, path);
        if (!in_time) {
                at = raw_put_text(at, end, ": did not end within ");
                at = raw_put_number(at, end, timeout);
                raw_put_text(at, end, timeout == 1 ? " second" : " seconds");
                err_set_raw(err, ERR_INTERNAL, 0, what, text);
                if (err)
                        err->num = -ETIMEDOUT;
                return -ETIMEDOUT;
        }
        at = raw_put_text(at, end, WIFSIGNALED(status) ? ": killed by signal " : ": exit status ");
        at = raw_put_number(at, end, (uint64_t) (WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
        while (s->n > 0 && s->text[s->n - 1] == '\n')
                s->n--;
        s->text[s->n] = '\0';
        if (s->n > 0) {
                at = raw_put_text(at, end, ": ");
                raw_put_text(at, end, s->text);
        }
        return err_set_raw(err, ERR_INTERNAL, 0, what, text);
}

int exec_hook_wait(pid_t pid, int pidfd, int err_fd, uint32_t timeout, const char *what, const char *path, struct err *err) {
        struct said s = { 0 };
        bool in_time = await_end(pidfd, err_fd, timeout, &s);
        int status = 0;

        if (!in_time)
                kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return in_time && status == 0 ? 0 : fail_hook(status, in_time, timeout, &s, what, path, err);
}
