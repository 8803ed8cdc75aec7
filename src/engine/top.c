/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container, read from the engine's own /proc: the container is never joined, and nothing of it is run. */

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/timestamp.h"
#include "engine/internal.h"
#include "runtime/cgroup/cgroup.h"

enum { COMMAND_MAX = 4096 };

struct process {
        uint32_t uid;
        int ppid, tty;
        unsigned long long user_ticks, system_ticks, start_ticks;
        char name[64];
        char *command; /* blanks for NULs */
};

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

/* Gone meanwhile: false. */
static bool read_process(pid_t pid, struct process *p) {
        auto_free char *stat_text = NULL;
        auto_fd dir = -EBADF;
        char path[32], *open, *close;
        struct stat st;
        size_t n = 0;

        snprintf(path, sizeof(path), "/proc/%d", pid);
        dir = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || fstat(dir, &st) < 0 || !(stat_text = read_proc(dir, "stat", 2048, &n)))
                return false;
        /* The name may hold anything, brackets too: it ends at the last one. */
        open = strchr(stat_text, '(');
        close = strrchr(stat_text, ')');
        if (!open || !close || close < open)
                return false;
        *close = '\0';
        snprintf(p->name, sizeof(p->name), "[%s]", open + 1);
        if (sscanf(close + 1, " %*c %d %*d %*d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu", &p->ppid, &p->tty, &p->user_ticks, &p->system_ticks,
                   &p->start_ticks) != 5)
                return false;
        p->uid = st.st_uid;
        p->command = read_proc(dir, "cmdline", COMMAND_MAX, &n);
        while (p->command && n > 0 && p->command[n - 1] == '\0')
                n--;
        for (size_t i = 0; p->command && i < n; i++)
                if (!isprint((unsigned char) p->command[i]) && !((unsigned char) p->command[i] & 0x80))
                        p->command[i] = ' ';
        return true;
}

static int64_t boot_unix_s(void) {
        struct timespec boot, now;

        clock_gettime(CLOCK_BOOTTIME, &boot);
        clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec - boot.tv_sec;
}

/* Ids are shown as the container knows them. */
static json_t *user_text(const struct engine *e, const struct container_row *row, uint32_t uid) {
        uint32_t first = row->id_slot ? e->first_id + row->id_slot * ENGINE_ID_RANGE : 0;

        if (row->id_slot && (uid < first || uid - first >= ENGINE_ID_RANGE))
                return json_sprintf("%u", uid);
        return uid == first ? json_string("root") : json_sprintf("%u", uid - first);
}

static json_t *line(const struct engine *e, const struct container_row *row, pid_t pid, const struct process *p) {
        long hz = sysconf(_SC_CLK_TCK);
        unsigned long long ticks = p->user_ticks + p->system_ticks, seconds = ticks / (unsigned long long) hz;
        time_t start = (time_t) (boot_unix_s() + (int64_t) (p->start_ticks / (unsigned long long) hz));
        int64_t age = time_now_ns() / 1000000000 - start;
        char stime[16], tty[24] = "?";
        struct tm tm;

        localtime_r(&start, &tm);
        strftime(stime, sizeof(stime), age < 24 * 3600 ? "%H:%M" : "%b%d", &tm);
        if (major((dev_t) p->tty) >= 136 && major((dev_t) p->tty) <= 143)
                snprintf(tty, sizeof(tty), "pts/%u", minor((dev_t) p->tty));
        return json_pack("[o, o, o, o, s, s, o, s]", user_text(e, row, p->uid), json_sprintf("%d", pid), json_sprintf("%d", p->ppid),
                         json_sprintf("%llu", age > 0 ? seconds * 100 / (unsigned long long) age : 0), stime, tty,
                         json_sprintf("%02llu:%02llu:%02llu", seconds / 3600, seconds / 60 % 60, seconds % 60), p->command && *p->command ? p->command : p->name);
}

int engine_top(struct engine *e, const char *name, const char *ps_args, json_t **ret, struct err *err) {
        auto_container *c = NULL;
        auto_free char *cgroup = NULL;
        auto_free pid_t *pids = NULL;
        struct container_row row;
        json_t *lines;
        size_t n = 0;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        if (ps_args && *ps_args && strcmp(ps_args, "-ef") != 0 && strcmp(ps_args, "ef") != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "top: ps options \"%s\" are not supported by this version; -ef is", ps_args);
        container_peek(c, &row);
        if (row.state != CONTAINER_RUNNING && row.state != CONTAINER_PAUSED)
                return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", row.id);
        cgroup = engine_cgroup_path(e, &row);
        r = cgroup ? cgroup_pids(e->cgroups, cgroup, &pids, &n, err) : err_errno(err, -ENOMEM, "top");
        if (r < 0)
                return r;
        lines = json_array();
        for (size_t i = 0; i < n; i++) {
                struct process p = {};

                if (read_process(pids[i], &p))
                        json_array_append_new(lines, line(e, &row, pids[i], &p));
                free(p.command);
        }
        *ret = json_pack("{s:[s,s,s,s,s,s,s,s], s:o}", "Titles", "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD", "Processes", lines);
        return *ret ? 0 : err_errno(err, -ENOMEM, "top");
}
