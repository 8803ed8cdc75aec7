/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The monitor of one container: its state, and the requests that change it.
 *   control.c   connections of the daemon: messages in and out       requests.c   what each message does
 *   monitor.c   the loop and the order of the end                    exit-file.c  how it ended, for ever */

#include <stdbool.h>
#include <stdint.h>

#include "monitor/forward.h"
#include "monitor/process.h"

enum {
        START_SOCKET = 3,
        CONTROLS_MAX = 8, /* one daemon, and its predecessors whose end was not yet seen */
        MONITOR_FDS_MAX = MONITOR_FD_CGROUP_V1 + EXEC_SOURCES_MAX + EXEC_CGROUP_V1_MAX,
};

struct monitor {
        bool finished;            /* the container's MONITOR_EXITED was sent: no more requests */
        bool failed;              /* the start did not succeed */
        unsigned n_starts;        /* of init and execs */
        char id[MONITOR_ID_MAX];
        int state_dir, run_dir;
        int exit_file;            /* made ahead: see exit-file.c */
        struct source listener;
        struct process *execs[MONITOR_EXEC_MAX]; /* mmap each; NULL: free */
        struct json_log log;
        struct forward forward;
        struct process init;
};

extern struct monitor monitor;

/* Serve one container; returns the monitor's exit status. */
int monitor_run(int start_socket);

/* Fds that came with a message; those that a handler takes become −1. */
struct fd_list {
        int fds[MONITOR_FDS_MAX];
        size_t n;
};

/* --- control.c --- */

int control_add(int fd);
/* "monitor.sock" in run_dir. */
int control_listen(int run_dir, struct err *err);
/* Nobody can find us any more. */
void control_unlisten(void);
void control_broadcast(const void *message, size_t size);
/* A daemon is connected. */
bool control_is_connected(void);

/* exec_fds.runtime_hooks: asks the daemon that had us start the container, and waits. */
int control_ask_for_hooks(pid_t pid, void *data, struct err *err);

/* --- requests.c --- */

/* 0: answered with OK, or with STARTED when ret->pid is not 0. Else *err is the answer. */
int request_handle(const union monitor_message *m, size_t size, struct fd_list *fds, struct monitor_started *ret, struct err *err);
void request_free_exec(size_t slot);
void request_report(struct process *p);
void request_report_detached(const struct process *p);
unsigned request_count_execs(void);

/* --- exit-file.c --- */

int exit_file_prepare(int dir_fd, struct err *err);
int exit_file_write(int dir_fd, int fd, const struct monitor_exit_file *content);
void exit_file_discard(int dir_fd);
