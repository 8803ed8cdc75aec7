/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The rows of all_commands[], by the file that has them, and the little that their files share. */

#include <jansson.h>
#include <stdio.h>

#include "cli/command.h"

struct client;
struct err;

extern const struct command command_run, command_create, command_start, command_attach, command_exec;          /* run.c */
extern const struct command command_stop, command_restart, command_kill, command_pause, command_unpause;       /* life.c */
extern const struct command command_rm, command_wait, command_rename;                                          /* life.c */
extern const struct command command_ps;                                                                        /* ps.c */
extern const struct command command_port;                                                                      /* ports.c */
extern const struct command command_logs, command_top;                                                         /* look.c */
extern const struct command command_inspect, command_container_inspect, command_image_inspect, command_volume_inspect; /* inspect.c */
extern const struct command command_images, command_history;                                                   /* image-list.c */
extern const struct command command_volume_ls, command_volume_create, command_volume_rm, command_volume_update; /* volumes.c */
extern const struct command command_volume_export, command_volume_import, command_volume_clone, command_volume_snapshot; /* volume-files.c */
extern const struct command command_image_checkout; /* image-make.c */
extern const struct command command_image_bootstrap; /* bootstrap.c */
extern const struct command command_container_prune, command_image_prune, command_volume_prune, command_system_prune; /* prune.c */
extern const struct command command_system_fsck; /* fsck.c */
extern const struct command command_system_df;                                                                 /* disk-usage.c */
extern const struct command command_stats;                                                                     /* stats.c */
extern const struct command command_update;                                                                    /* update.c */
extern const struct command command_push, command_login, command_logout; /* registry.c */
extern const struct command command_import, command_search, command_container_exists, command_healthcheck_run; /* extra.c */
extern const struct command command_manifest_create, command_manifest_annotate, command_manifest_inspect, command_manifest_push, command_manifest_rm; /* manifest.c */
extern const struct command command_registry_delete, command_registry_referrers; /* remote.c */
extern const struct command command_pull, command_rmi, command_tag, command_load; /* images.c */
extern const struct command command_cp, command_export, command_diff, command_commit, command_save;            /* copy.c */
extern const struct command command_version, command_events;                                                   /* system.c */
extern const struct command command_info;                                                                      /* info.c */

extern const struct command command_network_create, command_network_ls, command_network_inspect, command_network_connect,
        command_network_disconnect, command_network_rm, command_network_prune; /* networks.c */
extern const struct command command_network_audit; /* fsck.c */
extern const struct command command_dial_stdio, command_completion;                                            /* dial.c, completion.c */
extern const struct command command_context_create, command_context_update, command_context_export, command_context_import; /* context-files.c */
extern const struct command command_context_ls, command_context_inspect, command_context_show, command_context_use, command_context_rm; /* context.c */

/* --filter a=b --filter a=c → {"a":["b","c"]} as text (the caller frees), NULL when none was given; `reference` (may be NULL) is one more
 * filter, of that name. Ends the program on a malformed one. */
char *filters_text(const struct args *a, const char *reference);

/* The columns of `ps` of one object of GET /containers/json. */
json_t *container_columns(const json_t *container);
/* Of one object of GET /images/json, a row for each name: appended to `list`. */
int image_rows(const json_t *image, json_t *list, struct err *err);
/* Of a volume, with "UsageData" or without. */
json_t *volume_columns(const json_t *volume);
/* A tar from the daemon to a file (NULL: standard output), which is there in the end only when it is whole. Returns the exit status. */
struct path;
int fetch_tar(struct client *c, const char *what, const struct path *url, const char *file);
json_t *option_pairs(const struct args *a, const char *option); /* KEY=VALUE … as an object */

/* Prints the warning and a question on standard output and reads the answer: true for y and Y; at the end of the input false. */
bool confirm(const char *warning);

/* POST /images/create, with those options of `pull` that say how (NULL: none was given), and with progress: bars when `out` is a terminal, lines elsewhere, nothing when it is NULL. */

int pull_image(struct client *c, const char *reference, const char *platform, const struct args *how, FILE *out, struct err *err);

/* POST /images/create from an archive: the name of the image in the query; the archive's bytes, with progress as pull_image(). */
void query_name(struct path *path, const char *reference);
/* A file to be read, and no directory: an fd, or negative errno. */
int open_archive(const char *file);
int send_archive(struct client *c, const struct path *path, int fd, FILE *out, struct err *err);
