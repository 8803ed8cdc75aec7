/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/oom.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "monitor/loop.h"

enum { TEXT_MAX = 512 };

static struct source own = { .fd = -EBADF };
static int parent = -EBADF;
static uint64_t parent_seen; /* when the container's own was read last */
static bool killed, reached_limit, killed_by_us;

struct figures {
        uint64_t max, kills;
};

static uint64_t find(const char *text, const char *key) {
        const char *at = strstr(text, key);
        uint64_t v = 0;

        for (at = at ? at + strlen(key) : ""; *at >= '0' && *at <= '9'; at++)
                v = v * 10 + (uint64_t) (*at - '0');
        return v;
}

/* The lines "max 7" and "oom_kill 3". The file can be read again and again; −ENODEV when its cgroup is gone. */
static int read_figures(int fd, struct figures *ret) {
        char text[TEXT_MAX];
        ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

        if (n < 0)
                return fd < 0 ? -EBADF : -errno;
        text[n] = '\0';
        *ret = (struct figures) { .max = find(text, "\nmax "), .kills = find(text, "\noom_kill ") };
        return 0;
}

/* The sum first: what happens between the two is then in one of them, and a kill of ours is never lost. */
static int look(void) {
        struct figures mine, sum = { .kills = parent_seen };
        int r;

        read_figures(parent, &sum);
        r = read_figures(own.fd, &mine);
        if (r < 0)
                return r;
        killed = killed || mine.kills > 0;
        reached_limit = reached_limit || mine.max > 0;
        parent_seen = sum.kills;
        return 0;
}

static void changed(struct source *s, uint32_t events) {
        if (look() < 0)
                source_off(s); /* gone: it would say so for ever */
}

void oom_watch(int own_fd, int parent_fd) {
        parent = parent_fd;
        if (own_fd < 0)
                return;
        source_init(&own, own_fd, changed);
        if (look() < 0)
                source_close(&own);
        else
                source_want(&own, EPOLLPRI); /* kernfs: that the text is another */
}

void oom_killed_by_us(void) {
        killed_by_us = true;
}

bool oom_was_killed(int status) {
        struct figures sum;

        if (own.fd >= 0 && look() < 0 && !killed && reached_limit && !killed_by_us && status == 128 + SIGKILL && read_figures(parent, &sum) == 0)
                killed = sum.kills > parent_seen;
        source_close(&own);
        parent = fd_close(parent);
        return killed;
}
