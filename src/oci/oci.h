/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* kist-runtime: the command line of an OCI runtime. One file per command; main.c has the table of commands, options.c the table of
 * options. Commands and flags are those that containerd, CRI-O, Podman and Docker give to any runtime. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define OCI_VERSION "1.3.0"
#define PROGRAM "kist-runtime"

enum { LIST_MAX = 256 };

/* What may be given more than once. */
struct list {
        const char *at[LIST_MAX];
        size_t n;
};

/* All options of all commands; options.c says which belong to which. */
struct options {
        /* before the command */
        const char *root, *log, *log_format, *cgroup_manager, *rootless_mode, *criu;
        bool debug, systemd_cgroup, help, version;
        /* after it */
        const char *bundle, *console_socket, *pid_file, *preserve_fds, *format, *process, *cwd, *user, *additional_gids, *resources, *interval;
        const char *image_path, *work_path, *parent_path, *manage_cgroups, *status_fd, *page_server;
        bool leave_running, tcp_established, tcp_skip_in_flight, ext_unix_sk, shell_job, file_locks, pre_dump, lazy_pages, auto_dedup;
        struct list empty_ns;
        bool no_pivot, no_new_keyring, no_subreaper, detach, keep, all, force, quiet, tty, no_new_privs, rootless, stats, ignore_paused;
        struct {
                const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period, *cpu_rt_runtime, *cpu_idle, *cpuset_cpus,
                        *cpuset_mems, *memory, *memory_reservation, *memory_swap, *pids_limit;
        } limits;
        struct list env, caps;
};

struct command {
        const char *name, *arguments, *help;
        int min, max;              /* how many arguments; max -1: any number */
        unsigned bit;              /* which rows of the options table it takes */
        bool enters;               /* a process of it will be inside the container: see self.c */
        bool rest_is_verbatim;     /* after the first argument, nothing is an option any more */
        /* The exit status, or a negative errno with *err filled. */
        int (*run)(const struct options *o, char **args, int n_args, struct err *err);
        int failure; /* the exit status of an error of ours; 0: 1 */
};

enum command_bit {
        OF_GLOBAL = 1 << 0,
        OF_CREATE = 1 << 1,
        OF_START = 1 << 2,
        OF_RUN = 1 << 3,
        OF_STATE = 1 << 4,
        OF_KILL = 1 << 5,
        OF_DELETE = 1 << 6,
        OF_SPEC = 1 << 7,
        OF_EXEC = 1 << 8,
        OF_LIST = 1 << 9,
        OF_PS = 1 << 10,
        OF_PAUSE = 1 << 11,
        OF_FEATURES = 1 << 12,
        OF_UPDATE = 1 << 13,
        OF_EVENTS = 1 << 14,
        OF_CHECKPOINT = 1 << 15,
        OF_RESTORE = 1 << 16,
};

int command_create(const struct options *o, char **args, int n_args, struct err *err);
int command_start(const struct options *o, char **args, int n_args, struct err *err);
int command_run(const struct options *o, char **args, int n_args, struct err *err);
int command_state(const struct options *o, char **args, int n_args, struct err *err);
int command_kill(const struct options *o, char **args, int n_args, struct err *err);
int command_delete(const struct options *o, char **args, int n_args, struct err *err);
int command_spec(const struct options *o, char **args, int n_args, struct err *err);
int command_exec(const struct options *o, char **args, int n_args, struct err *err);
int command_list(const struct options *o, char **args, int n_args, struct err *err);
int command_ps(const struct options *o, char **args, int n_args, struct err *err);
int command_pause(const struct options *o, char **args, int n_args, struct err *err);
int command_resume(const struct options *o, char **args, int n_args, struct err *err);
int command_events(const struct options *o, char **args, int n_args, struct err *err);
int command_update(const struct options *o, char **args, int n_args, struct err *err);
int command_checkpoint(const struct options *o, char **args, int n_args, struct err *err);
int command_restore(const struct options *o, char **args, int n_args, struct err *err);
int command_features(const struct options *o, char **args, int n_args, struct err *err);

/* options.c: read options of `bits` from argv[*at…]. Arguments are collected in args (room for argc). With `only_options` it stops at the
 * first argument, which is where the command's name is. */
int options_parse(char **argv, int argc, int *at, unsigned bits, bool only_options, bool rest_is_verbatim, struct options *o, char **args,
                  int *n_args, struct err *err);
void options_print(unsigned bits);

/* rootless.c */
bool rootless(const struct options *o);
/* Where such a user's containers are kept by default; NULL when the usual place is right. The caller frees. */
char *rootless_state_path(const struct options *o);

/* For an ordinary user: become root of the user namespace that the config asks for, with a mount namespace to set it up in, and take it out of
 * the config, as it is entered already. Its maps are written by newuidmap(1) and newgidmap(1), from what /etc/subuid and /etc/subgid allow. */
int rootless_enter(json_t *config, struct err *err);

/* self.c */
int self_protect(char **argv, struct err *err);

/* report.c: the last words. stderr, and the log file in its format when there is one. */
void report_error(const struct options *o, const struct err *err);
/* To the log, or to stderr when there is none. */
void report_warning(const struct options *o, const struct err *err);
/* With --debug only, to the same places. */
void report_debug(const struct options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whole text on stdout; -EIO and such when nobody could be told. */
int report_text(const char *text, struct err *err);
