/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum kind { FLAG, TEXT, LIST };

static const struct row {
        unsigned commands;
        const char *name;
        char letter;
        enum kind kind;
        size_t offset;
        const char *value, *help;
} rows[] = {
#define AT(member) offsetof(struct options, member)
        { OF_GLOBAL, "root", 0, TEXT, AT(root), "DIR", "where containers are kept (default /run/kist-runtime)" },
        { OF_GLOBAL, "log", 0, TEXT, AT(log), "FILE", "append errors to FILE, too" },
        { OF_GLOBAL, "log-format", 0, TEXT, AT(log_format), "text|json", "of that file (default text)" },
        { OF_GLOBAL, "debug", 0, FLAG, AT(debug), NULL, "say what is done" },
        { OF_GLOBAL, "systemd-cgroup", 0, FLAG, AT(systemd_cgroup), NULL, "cgroups are scopes of systemd; cgroupsPath is SLICE:PREFIX:NAME" },
        { OF_GLOBAL, "cgroup-manager", 0, TEXT, AT(cgroup_manager), "cgroupfs|systemd", "the same by name (default cgroupfs)" },
        { OF_GLOBAL, "rootless", 0, TEXT, AT(rootless_mode), "true|false|auto", "without root's privileges (default auto)" },
        { OF_GLOBAL, "criu", 0, TEXT, AT(criu), "PROGRAM", "the criu to checkpoint and restore with (default: the one in the system's path)" },
        { OF_GLOBAL, "version", 'v', FLAG, AT(version), NULL, "print the version" },
        { ~0u, "help", 'h', FLAG, AT(help), NULL, "print this" },
        { OF_CREATE | OF_RUN | OF_SPEC | OF_RESTORE, "bundle", 'b', TEXT, AT(bundle), "DIR", "the bundle (default: the current directory)" },
        { OF_CREATE | OF_RUN | OF_EXEC | OF_RESTORE, "console-socket", 0, TEXT, AT(console_socket), "SOCKET", "hand the terminal to who listens there" },
        { OF_CREATE | OF_RUN | OF_EXEC | OF_RESTORE, "pid-file", 0, TEXT, AT(pid_file), "FILE", "write the process id to FILE" },
        { OF_CREATE | OF_RUN | OF_EXEC, "preserve-fds", 0, TEXT, AT(preserve_fds), "N", "hand on N open files besides stdio: 3, 4, …" },
        { OF_CREATE | OF_RUN | OF_RESTORE, "no-pivot", 0, FLAG, AT(no_pivot), NULL, "refused: it would leave a way out of the root" },
        { OF_CREATE | OF_RUN, "no-new-keyring", 0, FLAG, AT(no_new_keyring), NULL, "keep the session keyring (always so)" },
        { OF_CREATE | OF_RUN | OF_EXEC | OF_RESTORE, "no-subreaper", 0, FLAG, AT(no_subreaper), NULL, "adopt no orphans of the container (always so)" },
        { OF_RUN | OF_EXEC | OF_RESTORE, "detach", 'd', FLAG, AT(detach), NULL, "do not wait for the process" },
        { OF_RUN, "keep", 0, FLAG, AT(keep), NULL, "do not delete the container when it has ended" },
        { OF_KILL, "all", 'a', FLAG, AT(all), NULL, "signal all processes of the container" },
        { OF_DELETE, "force", 'f', FLAG, AT(force), NULL, "kill it first; a missing one is no error" },
        { OF_LIST, "quiet", 'q', FLAG, AT(quiet), NULL, "names only" },
        { OF_LIST | OF_PS, "format", 'f', TEXT, AT(format), "table|json", "how to print (default table)" },
        { OF_EXEC, "process", 'p', TEXT, AT(process), "FILE", "the spec's process object, instead of a command" },
        { OF_EXEC, "tty", 't', FLAG, AT(tty), NULL, "give it a terminal" },
        { OF_EXEC, "cwd", 0, TEXT, AT(cwd), "DIR", "working directory" },
        { OF_EXEC, "env", 'e', LIST, AT(env), "NAME=VALUE", "set a variable (repeatable)" },
        { OF_EXEC, "user", 'u', TEXT, AT(user), "UID[:GID]", "ids of the process" },
        { OF_EXEC, "additional-gids", 'g', TEXT, AT(additional_gids), "GID,…", "supplementary groups" },
        { OF_EXEC, "cap", 'c', LIST, AT(caps), "CAP_NAME", "add a capability (repeatable)" },
        { OF_EXEC, "no-new-privs", 0, FLAG, AT(no_new_privs), NULL, "no gain of privileges by execve(2)" },
        { OF_EXEC, "ignore-paused", 0, FLAG, AT(ignore_paused), NULL, "in a paused container, too: it begins when that is resumed" },
        { OF_EVENTS, "stats", 0, FLAG, AT(stats), NULL, "the figures once, and no more" },
        { OF_EVENTS, "interval", 0, TEXT, AT(interval), "TIME", "between figures (default 5s)" },
        { OF_UPDATE, "blkio-weight", 0, TEXT, AT(limits.blkio_weight), "10…1000", "weight of its block I/O" },
        { OF_UPDATE, "cpu-period", 0, TEXT, AT(limits.cpu_period), "USEC", "period of its processor quota" },
        { OF_UPDATE, "cpu-quota", 0, TEXT, AT(limits.cpu_quota), "USEC", "processor time in a period; -1: no limit" },
        { OF_UPDATE, "cpu-burst", 0, TEXT, AT(limits.cpu_burst), "USEC", "unused time that it may save up" },
        { OF_UPDATE, "cpu-share", 0, TEXT, AT(limits.cpu_share), "N", "its weight against others" },
        { OF_UPDATE, "cpu-rt-period", 0, TEXT, AT(limits.cpu_rt_period), "USEC", "period of its realtime quota" },
        { OF_UPDATE, "cpu-rt-runtime", 0, TEXT, AT(limits.cpu_rt_runtime), "USEC", "realtime in a period" },
        { OF_UPDATE, "cpu-idle", 0, TEXT, AT(limits.cpu_idle), "0|1", "only what nobody else wants" },
        { OF_UPDATE, "cpuset-cpus", 0, TEXT, AT(limits.cpuset_cpus), "LIST", "processors it may use" },
        { OF_UPDATE, "cpuset-mems", 0, TEXT, AT(limits.cpuset_mems), "LIST", "memory nodes it may use" },
        { OF_UPDATE, "memory", 0, TEXT, AT(limits.memory), "SIZE", "memory limit" },
        { OF_UPDATE, "memory-reservation", 0, TEXT, AT(limits.memory_reservation), "SIZE", "memory that is not reclaimed first" },
        { OF_UPDATE, "memory-swap", 0, TEXT, AT(limits.memory_swap), "SIZE", "memory and swap together; -1: no limit" },
        { OF_UPDATE, "pids-limit", 0, TEXT, AT(limits.pids_limit), "N", "how many processes" },
        { OF_UPDATE, "resources", 'r', TEXT, AT(resources), "FILE", "the spec's linux.resources object; -: standard input" },
        { OF_CHECKPOINT | OF_RESTORE, "image-path", 0, TEXT, AT(image_path), "DIR", "the images (default: checkpoint)" },
        { OF_CHECKPOINT | OF_RESTORE, "work-path", 0, TEXT, AT(work_path), "DIR", "where criu's log stays (default: it goes)" },
        { OF_CHECKPOINT, "parent-path", 0, TEXT, AT(parent_path), "DIR", "images of a --pre-dump that these build on, from --image-path on" },
        { OF_CHECKPOINT, "leave-running", 0, FLAG, AT(leave_running), NULL, "the container goes on" },
        { OF_CHECKPOINT | OF_RESTORE, "tcp-established", 0, FLAG, AT(tcp_established), NULL, "with open TCP connections" },
        { OF_CHECKPOINT, "tcp-skip-in-flight", 0, FLAG, AT(tcp_skip_in_flight), NULL, "without TCP connections that are being made" },
        { OF_CHECKPOINT | OF_RESTORE, "ext-unix-sk", 0, FLAG, AT(ext_unix_sk), NULL, "with Unix sockets that lead outside" },
        { OF_CHECKPOINT | OF_RESTORE, "shell-job", 0, FLAG, AT(shell_job), NULL, "with our terminal" },
        { OF_CHECKPOINT | OF_RESTORE, "file-locks", 0, FLAG, AT(file_locks), NULL, "with locks of files" },
        { OF_CHECKPOINT, "pre-dump", 0, FLAG, AT(pre_dump), NULL, "memory only, and the container goes on: what changes until the checkpoint comes with that" },
        { OF_CHECKPOINT | OF_RESTORE, "lazy-pages", 0, FLAG, AT(lazy_pages), NULL, "memory comes when it is asked for (see criu lazy-pages)" },
        { OF_CHECKPOINT, "page-server", 0, TEXT, AT(page_server), "ADDRESS:PORT", "send memory to criu page-server there, on the loopback; with --lazy-pages, be it" },
        { OF_CHECKPOINT, "status-fd", 0, TEXT, AT(status_fd), "FD", "a zero byte goes there when --lazy-pages can begin" },
        { OF_CHECKPOINT | OF_RESTORE, "manage-cgroups-mode", 0, TEXT, AT(manage_cgroups), "MODE", "what criu does with cgroups: soft, full, strict, ignore, none" },
        { OF_CHECKPOINT | OF_RESTORE, "empty-ns", 0, LIST, AT(empty_ns), "network", "leave out what is in the namespace" },
        { OF_CHECKPOINT | OF_RESTORE, "auto-dedup", 0, FLAG, AT(auto_dedup), NULL, "take out of images what is there twice or restored" },
        { OF_SPEC, "rootless", 0, FLAG, AT(rootless), NULL, "for an ordinary user" },
#undef AT
};

static const struct row *find(unsigned bits, const char *name, size_t n, char letter) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                bool same = letter ? rows[i].letter == letter : strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0;

                if (same && (rows[i].commands & bits))
                        return &rows[i];
        }
        return NULL;
}

static int set_flag(bool *flag, const char *name, const char *value, struct err *err) {
        if (!value || strcmp(value, "true") == 0)
                *flag = true;
        else if (strcmp(value, "false") == 0)
                *flag = false;
        else
                return err_set(err, ERR_INVALID, -EINVAL, "option --%s takes no value", name);
        return 0;
}

static int store(const struct row *row, const char *value, struct options *o, struct err *err) {
        void *at = (char *) o + row->offset;
        struct list *list = at;

        switch (row->kind) {
        case FLAG:
                return set_flag(at, row->name, value, err);
        case TEXT:
                *(const char **) at = value;
                return 0;
        case LIST:
                if (list->n == LIST_MAX)
                        return err_set(err, ERR_TOO_LARGE, -E2BIG, "more than %d times --%s", LIST_MAX, row->name);
                list->at[list->n++] = value;
                return 0;
        }
        return 0;
}

/* argv[*at] starts with "-": one option and its value. */
static int parse_one(char **argv, int argc, int *at, unsigned bits, struct options *o, struct err *err) {
        const char *arg = argv[(*at)++], *value = NULL;
        const struct row *row;

        if (arg[1] == '-') {
                size_t n = strcspn(arg + 2, "=");

                row = find(bits, arg + 2, n, 0);
                if (arg[2 + n])
                        value = arg + 2 + n + 1;
        } else {
                row = find(bits, NULL, 0, arg[1]);
                if (arg[2])
                        value = arg + 2 + (arg[2] == '=');
        }
        if (!row)
                return err_set(err, ERR_INVALID, -EINVAL, "unknown option %s", arg);
        if (row->kind != FLAG && !value) {
                if (*at >= argc)
                        return err_set(err, ERR_INVALID, -EINVAL, "option %s needs a value", arg);
                value = argv[(*at)++];
        }
        return store(row, value, o, err);
}

int options_parse(char **argv, int argc, int *at, unsigned bits, bool only_options, bool rest_is_verbatim, struct options *o, char **args,
                  int *n_args, struct err *err) {
        bool verbatim = false;

        while (*at < argc) {
                char *arg = argv[*at];

                if (!verbatim && strcmp(arg, "--") == 0) {
                        verbatim = true;
                        (*at)++;
                } else if (!verbatim && arg[0] == '-' && arg[1]) {
                        int r = parse_one(argv, argc, at, bits, o, err);

                        if (r < 0)
                                return r;
                } else if (only_options) {
                        return 0;
                } else {
                        args[(*n_args)++] = arg;
                        verbatim = verbatim || rest_is_verbatim;
                        (*at)++;
                }
        }
        return 0;
}

void options_print(unsigned bits) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char left[64];

                if (!(rows[i].commands & bits))
                        continue;
                snprintf(left, sizeof(left), "%s%c%s --%s%s%s", rows[i].letter ? "-" : " ", rows[i].letter ?: ' ', rows[i].letter ? "," : " ",
                         rows[i].name, rows[i].value ? " " : "", rows[i].value ?: "");
                printf("  %-32s %s\n", left, rows[i].help);
        }
}
