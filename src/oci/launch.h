/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "oci/container.h"
#include "runtime/exec/exec.h"

struct err;
struct notify;
struct options;

/* Make a container from a bundle. `gate`: its process waits at a fifo until command_start(), and outlives us; else it waits for
 * launch_release(), and dies with us. On failure nothing is left. */
struct launched {
        struct container container;
        struct exec_process process; /* pty is -1 when the terminal went to the console socket */
};
int launch_container(const struct options *o, const char *id, bool gate, struct launched *ret, struct err *err);
/* Kill it, if it lives, and remove everything of it. */
int launch_undo(const struct options *o, struct launched *l, struct err *err);
void launched_done(struct launched *l);

/* --- shared by create, run and exec --- */

/* Flags that would change the meaning, and that we do not have; and how many files are to be handed on: --preserve-fds. */
int launch_check_options(const struct options *o, unsigned *ret_preserve, struct err *err);
/* A terminal needs somebody to hold it: a listener, or us while we wait. */
int launch_check_terminal(const struct options *o, bool terminal, bool detached, struct err *err);
/* Hand p->pty to the console socket, if there is one. */
int launch_send_console(const struct options *o, struct exec_process *p, struct err *err);
int launch_write_pid_file(const struct options *o, pid_t pid, struct err *err);

/* host-limits.c: where root may not raise limits, lower what the process object asks for to what there is, with a warning. */
void launch_fit_host(const struct options *o, json_t *process);

/* foreground.c: wait for the process; pass signals on to it and, when p->pty is there, bytes between it and our stdio; messages, when there
 * is a `notify` (may be NULL).
 * Returns the exit status, 128 + the signal when it was killed. Signals are to be blocked by foreground_block() before the process is started. */
void foreground_block(void);
/* A terminal is born with the size of ours, unless the process object says another: its program may ask before we can tell. */
void foreground_set_size(json_t *process);
int foreground_wait(struct exec_process *p, struct notify *notify, struct err *err);
