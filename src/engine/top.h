/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What `top` is made of: one process as /proc shows it (top-process.c), and the columns of ps(1) that can be asked for (top-columns.c). */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct top_process {
        pid_t pid;
        char state;
        uint32_t uid, gid; /* as the container knows them; or the host's, when they are not in its range */
        int ppid, pgrp, session, tty, foreground_pgrp, priority, nice, threads, processor;
        unsigned flags;
        unsigned long long user_ticks, system_ticks, start_ticks, vsize_bytes;
        long rss_pages;
        char name[64];
        char *command; /* blanks for NULs; NULL or "": has none */
};

/* ids: the container's range begins at `first` on the host; first UINT32_MAX: its ids are the host's. False: it is gone. */
bool top_process_read(pid_t pid, uint32_t first, struct top_process *ret);
void top_process_done(struct top_process *p);

/* The figures that are the same for all processes of one answer. */
struct top_clock {
        int64_t now_s, boot_s; /* since 1970 */
        long ticks_per_s, page_kib;
        uint64_t memory_kib;
};
void top_clock_read(struct top_clock *ret);

enum { TOP_COLUMNS_MAX = 32 };
struct top_column;
struct top_format {
        const struct top_column *columns[TOP_COLUMNS_MAX];
        char titles[TOP_COLUMNS_MAX][32];
        size_t n;
};

/* The options of ps(1): "-ef" (also for NULL and ""), "aux", "-o pid,comm=NAME", … ERR_INVALID names the one that is not known. */
int top_format_parse(const char *ps_args, struct top_format *ret, struct err *err);
json_t *top_format_titles(const struct top_format *f);
json_t *top_format_line(const struct top_format *f, const struct top_clock *clock, const struct top_process *p);
