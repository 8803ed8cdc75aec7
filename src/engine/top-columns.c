/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of ps(1) and the options that choose them, as far as they make sense of a container's processes: those that choose processes
 * ("-e", "a", "x") are read and change nothing, since all of the container's are shown and no other. */

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/top.h"

typedef void (*column_fn)(const struct top_clock *c, const struct top_process *p, char *ret, size_t size);

struct top_column {
        const char *names; /* of -o, with blanks between and around */
        const char *title;
        column_fn write; /* NULL: the command line */
};

static unsigned long long cpu_s(const struct top_clock *c, const struct top_process *p) {
        return (p->user_ticks + p->system_ticks) / (unsigned long long) c->ticks_per_s;
}

static int64_t start_s(const struct top_clock *c, const struct top_process *p) {
        return c->boot_s + (int64_t) (p->start_ticks / (unsigned long long) c->ticks_per_s);
}

static int64_t age_s(const struct top_clock *c, const struct top_process *p) {
        int64_t age = c->now_s - start_s(c, p);

        return age > 0 ? age : 0;
}

static void write_id(uint32_t id, char *ret, size_t size) {
        if (id == 0)
                snprintf(ret, size, "root");
        else
                snprintf(ret, size, "%u", id);
}

/* Names are the container's business: its /etc/passwd is not read. */
static void write_user(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        write_id(p->uid, ret, size);
}

static void write_group(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        write_id(p->gid, ret, size);
}

static void write_stime(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        time_t start = (time_t) start_s(c, p);
        struct tm tm;

        localtime_r(&start, &tm);
        strftime(ret, size, age_s(c, p) < 24 * 3600 ? "%H:%M" : "%b%d", &tm);
}

static void write_lstart(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        time_t start = (time_t) start_s(c, p);
        struct tm tm;

        localtime_r(&start, &tm);
        strftime(ret, size, "%a %b %e %H:%M:%S %Y", &tm);
}

static void write_tty(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        if (major((dev_t) p->tty) >= 136 && major((dev_t) p->tty) <= 143)
                snprintf(ret, size, "pts/%u", minor((dev_t) p->tty));
        else
                snprintf(ret, size, "?");
}

static void write_time(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        unsigned long long s = cpu_s(c, p);

        snprintf(ret, size, "%02llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
}

static void write_bsd_time(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        unsigned long long s = cpu_s(c, p);

        snprintf(ret, size, "%llu:%02llu", s / 60, s % 60);
}

static void write_elapsed(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        long long s = age_s(c, p);

        if (s >= 86400)
                snprintf(ret, size, "%lld-%02lld:%02lld:%02lld", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
        else if (s >= 3600)
                snprintf(ret, size, "%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
        else
                snprintf(ret, size, "%02lld:%02lld", s / 60, s % 60);
}

/* In tenths of a percent of one CPU since it was started. */
static unsigned long long cpu_permille(const struct top_clock *c, const struct top_process *p) {
        int64_t age = age_s(c, p);

        return age ? (p->user_ticks + p->system_ticks) * 1000 / (unsigned long long) c->ticks_per_s / (unsigned long long) age : 0;
}

static void write_cpu(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        snprintf(ret, size, "%llu.%llu", cpu_permille(c, p) / 10, cpu_permille(c, p) % 10);
}

static void write_c(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        snprintf(ret, size, "%llu", cpu_permille(c, p) / 10);
}

static void write_memory(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        unsigned long long permille = c->memory_kib ? (unsigned long long) p->rss_pages * (unsigned long long) c->page_kib * 1000 / c->memory_kib : 0;

        snprintf(ret, size, "%llu.%llu", permille / 10, permille % 10);
}

static void write_stat(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        snprintf(ret, size, "%c%s%s%s%s", p->state, p->nice < 0 ? "<" : p->nice > 0 ? "N" : "", p->session == p->pid ? "s" : "", p->threads > 1 ? "l" : "",
                 p->foreground_pgrp == p->pgrp ? "+" : "");
}

static void write_name(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {
        snprintf(ret, size, "%s", p->name);
}

#define NUMBER(name, format, value)                                                                                 \
        static void name(const struct top_clock *c, const struct top_process *p, char *ret, size_t size) {           \
                snprintf(ret, size, format, value);                                                                  \
        }
NUMBER(write_pid, "%d", p->pid)
NUMBER(write_ppid, "%d", p->ppid)
NUMBER(write_pgid, "%d", p->pgrp)
NUMBER(write_sid, "%d", p->session)
NUMBER(write_uid, "%u", p->uid)
NUMBER(write_gid, "%u", p->gid)
NUMBER(write_nice, "%d", p->nice)
NUMBER(write_priority, "%d", 39 - p->priority)
NUMBER(write_threads, "%d", p->threads)
NUMBER(write_processor, "%d", p->processor)
NUMBER(write_state, "%c", p->state)
NUMBER(write_vsz, "%llu", p->vsize_bytes / 1024)
NUMBER(write_rss, "%ld", p->rss_pages *c->page_kib)
NUMBER(write_sz, "%llu", p->vsize_bytes / 1024 / (unsigned long long) c->page_kib)
NUMBER(write_seconds, "%lld", (long long) age_s(c, p))

static const struct top_column columns[] = {
        { " pid tgid ", "PID", write_pid },
        { " ppid ", "PPID", write_ppid },
        { " pgid pgrp ", "PGID", write_pgid },
        { " sid sess session ", "SID", write_sid },
        { " user euser uname ruser ", "USER", write_user },
        { " uid euid ruid ", "UID", write_uid },
        { " group egroup rgroup ", "GROUP", write_group },
        { " gid egid rgid ", "GID", write_gid },
        { " c ", "C", write_c },
        { " %cpu pcpu ", "%CPU", write_cpu },
        { " %mem pmem ", "%MEM", write_memory },
        { " vsz vsize ", "VSZ", write_vsz },
        { " rss rssize rsz ", "RSS", write_rss },
        { " sz ", "SZ", write_sz },
        { " tty tt ", "TT", write_tty },
        { " tname ", "TTY", write_tty },
        { " stat ", "STAT", write_stat },
        { " s state ", "S", write_state },
        { " stime ", "STIME", write_stime },
        { " start start_time bsdstart ", "START", write_stime },
        { " lstart ", "STARTED", write_lstart },
        { " time cputime ", "TIME", write_time },
        { " bsdtime ", "TIME", write_bsd_time },
        { " etime ", "ELAPSED", write_elapsed },
        { " etimes ", "ELAPSED", write_seconds },
        { " ni nice ", "NI", write_nice },
        { " pri ", "PRI", write_priority },
        { " nlwp thcount ", "NLWP", write_threads },
        { " psr ", "PSR", write_processor },
        { " comm ucmd ucomm ", "COMMAND", write_name },
        { " args command ", "COMMAND", NULL },
        { " cmd ", "CMD", NULL },
};

static int add_column(struct top_format *f, const char *name, size_t n, const char *title, struct err *err) {
        char wanted[32];

        if (f->n == TOP_COLUMNS_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "top: more than %d columns", TOP_COLUMNS_MAX);
        snprintf(wanted, sizeof(wanted), " %.*s ", (int) (n < 24 ? n : 24), name);
        for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
                if (n > 0 && strstr(columns[i].names, wanted)) {
                        f->columns[f->n] = &columns[i];
                        snprintf(f->titles[f->n++], sizeof(f->titles[0]), "%s", title && *title ? title : columns[i].title);
                        return 0;
                }
        return err_set(err, ERR_INVALID, -EINVAL, "top: ps has no column \"%.*s\" here", (int) (n < 64 ? n : 64), name);
}

/* "pid,user=NAME,args"; a title takes the rest of the text. */
static int add_columns(struct top_format *f, const char *list, struct err *err) {
        int r = 0;

        while (r == 0) {
                size_t n = strcspn(list, ",=");

                if (list[n] == '=' && !strpbrk(list + n, ",")) /* "a=TITLE" at the end */
                        return add_column(f, list, n, list + n + 1, err);
                if (list[n] == '=') {
                        auto_free char *title = strndup(list + n + 1, strcspn(list + n + 1, ","));

                        r = add_column(f, list, n, title, err);
                        list += n + strcspn(list + n, ",");
                } else {
                        r = add_column(f, list, n, NULL, err);
                        list += n;
                }
                if (!*list)
                        return r;
                list++;
        }
        return r;
}

/* What ps shows when only a style is named. */
static const char *const layout_full = "user=UID,pid,ppid,c,stime,tname,time,cmd";
static const char *const layout_extra = "user=UID,pid,ppid,c,sz,rss,psr,stime,tname,time,cmd";
static const char *const layout_plain = "pid,tname,time,comm=CMD";
static const char *const layout_bsd = "pid,tname,stat,bsdtime,args";
static const char *const layout_user = "user,pid,%cpu,%mem,vsz,rss,tname,stat,start,bsdtime,args";

struct styles {
        bool full, extra, user, bsd;
};

static int unknown(const char *word, struct err *err) {
        return err_set(err, ERR_INVALID, -EINVAL, "top: ps option \"%.64s\" is not known here; -ef, aux and -o COLUMN,… are", word);
}

/* One word of letters; *ret_list: the columns that follow an "o", NULL when there was none, "" when they are the next word. */
static int read_letters(const char *word, struct styles *s, const char **ret_list, struct err *err) {
        bool dash = *word == '-';

        *ret_list = NULL;
        for (const char *at = word + dash; *at; at++) {
                switch (*at) {
                case 'o':
                case 'O':
                        *ret_list = at + 1;
                        return *at == 'o' ? 0 : unknown(word, err);
                case 'f':
                        s->full |= dash; /* of BSD's it is a drawing of the tree */
                        s->bsd |= !dash;
                        break;
                case 'F':
                        s->extra = true;
                        break;
                case 'u':
                        s->user = true; /* "-aux" is meant as "aux" by all who write it */
                        break;
                case 'a':
                case 'x':
                case 'w':
                        s->bsd |= !dash || strchr(word, 'u');
                        break;
                case 'e':
                case 'A':
                case 'd':
                        break;
                default:
                        return unknown(word, err);
                }
        }
        return 0;
}

int top_format_parse(const char *ps_args, struct top_format *ret, struct err *err) {
        auto_free char *copy = strdup(ps_args && *ps_args ? ps_args : "-ef");
        struct top_format f = {};
        struct styles s = {};
        const char *list;
        char *save = NULL;
        int r;

        if (!copy)
                return err_errno(err, -ENOMEM, "top");
        for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
                if (str_starts_with(word, "--format=")) {
                        list = word + strlen("--format=");
                } else if (!strcmp(word, "--format")) {
                        list = "";
                } else if ((r = read_letters(word, &s, &list, err)) < 0) {
                        return r;
                }
                if (list && !*list)
                        list = strtok_r(NULL, " \t", &save);
                else if (!list)
                        continue;
                if (!list)
                        return err_set(err, ERR_INVALID, -EINVAL, "top: the columns for ps are missing");
                r = add_columns(&f, list, err);
                if (r < 0)
                        return r;
        }
        if (f.n == 0) {
                r = add_columns(&f, s.user ? layout_user : s.extra ? layout_extra : s.full ? layout_full : s.bsd ? layout_bsd : layout_plain, err);
                if (r < 0)
                        return r;
        }
        *ret = f;
        return 0;
}

json_t *top_format_titles(const struct top_format *f) {
        json_t *list = json_array();

        for (size_t i = 0; i < f->n; i++)
                json_array_append_new(list, json_string(f->titles[i]));
        return list;
}

json_t *top_format_line(const struct top_format *f, const struct top_clock *clock, const struct top_process *p) {
        json_t *list = json_array(), *text;

        for (size_t i = 0; i < f->n; i++) {
                char cell[96] = "";

                if (f->columns[i]->write) {
                        f->columns[i]->write(clock, p, cell, sizeof(cell));
                        text = json_string(cell);
                } else if (p->command && *p->command) {
                        text = json_string(p->command);
                } else {
                        text = json_sprintf("[%s]", p->name);
                }
                /* A name that is no UTF-8 is still a process. */
                json_array_append_new(list, text ? text : json_string("?"));
        }
        return list;
}
