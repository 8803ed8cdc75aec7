/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The daemon's part of monitor/protocol.h, for tests. Everything asserts: a driver that returns has succeeded. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/protocol.h"

struct driver {
        char path[64]; /* temporary directory with "state" and "run" in it */
        int state_dir, run_dir;
        int control; /* our end of the start socket, or a connection to monitor.sock */
        pid_t monitor;
        uint32_t next_tag;
};

/* Starts `exe_fd argv1` (argv1 may be NULL) as a monitor and takes its HELLO. */
void driver_open(struct driver *d, int exe_fd, const char *argv1);
/* Kills what still runs, removes the directory. */
void driver_close(struct driver *d);

/* Returns the monitor's exit status. */
int driver_wait_monitor(struct driver *d);
/* A second daemon. Replaces d->control. Returns its HELLO. */
struct monitor_hello driver_reconnect(struct driver *d);

/* Sends `m` with the next tag and its fds; the answer is left to driver_take_answer(). */
void driver_send(struct driver *d, union monitor_message *m, size_t size, const int *fds, size_t n_fds);
/* The next message. 0: the monitor closed the connection; else its size. */
ssize_t driver_receive(struct driver *d, union monitor_message *ret);
/* Send, and return the answer's type; asserts that the tag fits. EXITED messages that come in between are an error. */
uint32_t driver_ask(struct driver *d, union monitor_message *m, size_t size, const int *fds, size_t n_fds, union monitor_message *ret);

/* A START message; `fds`: by enum monitor_start_fd, −1: not given; state and run directory are filled in. */
struct driver_start {
        uint32_t flags;
        uint16_t rows, columns;
        uint64_t log_max_size;
        uint32_t log_max_files;
        int fds[MONITOR_FD_CGROUP_V1];
};
uint32_t driver_start(struct driver *d, const struct driver_start *s, int plan, union monitor_message *ret);
/* Returns our end of the attached stream. exec_id "": the container. */
int driver_attach(struct driver *d, const char *exec_id, uint32_t flags, const char *detach_keys);
uint32_t driver_exec(struct driver *d, const char *exec_id, int plan, uint32_t flags, bool detached, union monitor_message *ret);
uint32_t driver_signal(struct driver *d, const char *exec_id, int signal);
uint32_t driver_resize(struct driver *d, const char *exec_id, uint16_t rows, uint16_t columns);
/* Takes the next message, which must be the EXITED of exec_id; returns the status. */
int driver_expect_exited(struct driver *d, const char *exec_id);
void driver_expect_detached(struct driver *d, const char *exec_id);

/* All of "ID-json.log" with one stream's text glued together (only for text without escapes but "\n"); the caller frees. */
char *driver_log(const struct driver *d, const char *stream, size_t *ret_size);
/* Status in the file "exit", or −1 when there is none. */
int driver_exit_file(const struct driver *d);
bool driver_has_file(int dir, const char *name);

/* Read to the end; the caller frees. */
char *read_to_end(int fd, size_t *ret_size);
/* The same, out of Docker's frames: text of one stream (1 or 2). Asserts that the framing is right. */
char *unframe(const char *data, size_t size, int stream, size_t *ret_size);
/* Read until `text` was seen; asserts that it comes within seconds. */
void read_until(int fd, const char *text);
/* An unsealed memfd with this text. */
int text_fd(const char *text);
