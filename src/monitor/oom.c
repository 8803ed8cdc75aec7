/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/oom.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "monitor/loop.h"

enum { TEXT_MAX = 512, REMOVAL_MS = 200 };

static struct source tells = { .fd = -EBADF }; /* that there is something to read: v2 the file itself, v1 the eventfd */
static int own = -EBADF, parent = -EBADF;
static bool is_v1, killed, killed_by_us;
/* v2 */
static uint64_t parent_seen; /* when the container's own was read last */
static bool reached_limit;
/* v1 */
static bool was_out; /* of memory, and the kernel may kill for it */
static uint64_t last_count; /* that, or its removal */

struct figures {
        uint64_t max, kills;
        bool kill_disabled;
};

static uint64_t find(const char *text, const char *key) {
        const char *at = strstr(text, key);
        uint64_t v = 0;

        for (at = at ? at + strlen(key) : ""; *at >= '0' && *at <= '9'; at++)
                v = v * 10 + (uint64_t) (*at - '0');
        return v;
}

/* The lines "max 7", "oom_kill 3", "oom_kill_disable 0". The file can be read again and again; −ENODEV when its cgroup is gone. */
static int read_figures(int fd, struct figures *ret) {
        char text[TEXT_MAX];
        ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

        if (n < 0)
                return fd < 0 ? -EBADF : -errno;
        text[n] = '\0';
        *ret = (struct figures) { .max = find(text, "\nmax "), .kills = find(text, "\noom_kill "), .kill_disabled = find(text, "oom_kill_disable ") };
        return 0;
}

/* The sum first: what happens between the two is then in one of them, and a kill of ours is never lost. */
static int look_v2(void) {
        struct figures mine, sum = { .kills = parent_seen };
        int r;

        read_figures(parent, &sum);
        r = read_figures(own, &mine);
        if (r < 0)
                return r;
        killed = killed || mine.kills > 0;
        reached_limit = reached_limit || mine.max > 0;
        parent_seen = sum.kills;
        return 0;
}

/* The count first: as long as the file can be read after it, its removal is not among what was counted. */
static int look_v1(void) {
        struct figures mine;
        uint64_t count;
        int r;

        if (read(tells.fd, &count, sizeof(count)) != (ssize_t) sizeof(count))
                count = 0;
        r = read_figures(own, &mine);
        if (r < 0) {
                last_count += count;
                return r;
        }
        killed = mine.kills > 0;
        was_out = was_out || (count > 0 && !mine.kill_disabled);
        return 0;
}

static int look(void) {
        return is_v1 ? look_v1() : look_v2();
}

static void changed(struct source *s, uint32_t events) {
        if (look() < 0)
                source_off(s); /* gone: it would say so for ever */
}

void oom_watch(int own_fd, int parent_fd, int event_fd) {
        own = own_fd;
        parent = parent_fd;
        is_v1 = event_fd >= 0;
        if (own < 0)
                return;
        source_init(&tells, is_v1 ? event_fd : own, changed);
        if (look() == 0)
                source_want(&tells, is_v1 ? EPOLLIN : EPOLLPRI); /* kernfs: that the text is another */
}

void oom_killed_by_us(void) {
        killed_by_us = true;
}

/* It was gone before it could be asked. */
static bool was_last_killed_v2(void) {
        struct figures sum;

        return reached_limit && read_figures(parent, &sum) == 0 && sum.kills > parent_seen;
}

/* One is its removal, or that its memory was out and the removal is still to be counted. None: neither was, for the count was read after it. */
static bool was_last_killed_v1(void) {
        struct pollfd more = { .fd = tells.fd, .events = POLLIN };

        if (last_count == 1 && poll(&more, 1, REMOVAL_MS) == 1)
                look_v1();
        return last_count > 1;
}

bool oom_was_killed(int status) {
        if (own >= 0 && look() < 0 && !killed) {
                killed = was_out;
                if (!killed && !killed_by_us && status == 128 + SIGKILL)
                        killed = is_v1 ? was_last_killed_v1() : was_last_killed_v2();
        }
        source_close(&tells);
        if (is_v1)
                fd_close(own);
        own = -EBADF;
        parent = fd_close(parent);
        return killed;
}
