/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The rows of all_commands[], by the file that has them, and the little that their files share. */

#include <stdio.h>

#include "cli/command.h"

struct client;
struct err;

extern const struct command command_run, command_create, command_start, command_attach, command_exec;          /* run.c */
extern const struct command command_stop, command_restart, command_kill, command_pause, command_unpause;       /* life.c */
extern const struct command command_rm, command_wait, command_rename;                                          /* life.c */
extern const struct command command_ps, command_logs, command_top, command_inspect;                            /* look.c */
extern const struct command command_images, command_pull, command_rmi, command_tag, command_history, command_load; /* images.c */
extern const struct command command_cp, command_export, command_diff, command_commit, command_save;            /* copy.c */
extern const struct command command_version, command_info, command_events;                                     /* system.c */

extern const struct command command_network_create, command_network_ls, command_network_inspect, command_network_connect,
        command_network_disconnect, command_network_rm, command_network_prune; /* networks.c */

/* --filter a=b --filter a=c → {"a":["b","c"]} as text (the caller frees), NULL when none was given; `reference` (may be NULL) is one more
 * filter, of that name. Ends the program on a malformed one. */
char *filters_text(const struct args *a, const char *reference);

/* POST /images/create, with progress: bars when `out` is a terminal, lines elsewhere, nothing when it is NULL. */
int pull_image(struct client *c, const char *reference, const char *platform, FILE *out, struct err *err);
