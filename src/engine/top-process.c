/* SPDX-License-Identifier: Apache-2.0 */
/* One process, read from the engine's own /proc: the container is never joined, and nothing of it is run. */

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "base/timestamp.h"
#include "engine/internal.h"
#include "engine/top.h"

enum { COMMAND_MAX = 4096 };

static char *read_proc(int dir, const char *name, size_t max, size_t *ret_size) {
        auto_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
        char *text = malloc(max + 1);
        ssize_t n;

        if (fd < 0 || !text || (n = read(fd, text, max)) < 0) {
                free(text);
                return NULL;
        }
        text[n] = '\0';
        *ret_size = (size_t) n;
        return text;
}

static bool parse_stat(char *text, struct top_process *p) {
        /* The name may hold anything, brackets too: it ends at the last one. */
        char *open = strchr(text, '('), *close = strrchr(text, ')');

        if (!open || !close || close < open)
                return false;
        *close = '\0';
        snprintf(p->name, sizeof(p->name), "%s", open + 1);
        /* proc(5): the fields from the third on; 39 is the processor. */
        return sscanf(close + 1,
                      " %c %d %d %d %d %d %u %*u %*u %*u %*u %llu %llu %*d %*d %d %d %d %*d %llu %llu %ld %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u "
                      "%*d %d",
                      &p->state, &p->ppid, &p->pgrp, &p->session, &p->tty, &p->foreground_pgrp, &p->flags, &p->user_ticks, &p->system_ticks, &p->priority, &p->nice,
                      &p->threads, &p->start_ticks, &p->vsize_bytes, &p->rss_pages, &p->processor) == 16;
}

static uint32_t inside(uint32_t id, uint32_t first) {
        return first != UINT32_MAX && id >= first && id - first < ENGINE_ID_RANGE ? id - first : id;
}

bool top_process_read(pid_t pid, uint32_t first, struct top_process *ret) {
        struct top_process p = { .pid = pid };
        auto_free char *text = NULL;
        auto_fd dir = -EBADF;
        char path[32];
        struct stat st;
        size_t n = 0;

        snprintf(path, sizeof(path), "/proc/%d", pid);
        dir = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || fstat(dir, &st) < 0 || !(text = read_proc(dir, "stat", 2048, &n)) || !parse_stat(text, &p))
                return false;
        p.uid = inside(st.st_uid, first);
        p.gid = inside(st.st_gid, first);
        p.command = read_proc(dir, "cmdline", COMMAND_MAX, &n);
        while (p.command && n > 0 && p.command[n - 1] == '\0')
                n--;
        for (size_t i = 0; p.command && i < n; i++)
                if (!isprint((unsigned char) p.command[i]) && !((unsigned char) p.command[i] & 0x80))
                        p.command[i] = ' ';
        *ret = p;
        return true;
}

void top_process_done(struct top_process *p) {
        free(p->command);
        p->command = NULL;
}

void top_clock_read(struct top_clock *ret) {
        struct timespec boot, now;
        struct sysinfo si = {};

        clock_gettime(CLOCK_BOOTTIME, &boot);
        clock_gettime(CLOCK_REALTIME, &now);
        sysinfo(&si);
        *ret = (struct top_clock) {
                .now_s = now.tv_sec,
                .boot_s = now.tv_sec - boot.tv_sec,
                .ticks_per_s = sysconf(_SC_CLK_TCK),
                .page_kib = sysconf(_SC_PAGESIZE) / 1024,
                .memory_kib = (uint64_t) si.totalram * si.mem_unit / 1024,
        };
}
