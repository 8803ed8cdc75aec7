/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A container on its way to run, and the stages of that (start.c has their order and what undoes each). A stage leaves what it made in here, where
 * starting_done() finds it; its undo is for what that does not free. */

#include <jansson.h>
#include <stdint.h>

#include "engine/cgroups.h"
#include "engine/container.h"
#include "engine/spec.h"

struct engine;
struct err;
struct monitor_link;
struct runtime;
struct sandbox;

struct starting {
        struct engine *e;
        struct container *c;
        struct container_row row; /* what is stored next */
        enum container_state was;
        json_t *body;
        struct spec spec;
        const struct runtime *runtime; /* NULL: our own */
        char *cgroup;
        struct scope_holder holder;
        uint32_t first_id;
        struct sandbox *sandbox; /* made ahead; NULL: its namespaces are made now */

        int dir, run_dir;
        int userns, netns, pidns, ipcns, rootfs, plan, log;
        char *shm; /* the source of /dev/shm, when another container's */
        char network_id[CONTAINER_ID_SIZE]; /* whose network it is, when another container's */
        char gateway[16];
        struct monitor_link *link;
        json_t *hooked; /* its configuration, when that has hooks; NULL: none of ours to run */
        bool hooks_began;
};

/* start-prepare.c: all that is gone with its fd, or of no harm when this process dies. */
int stage_prepare(struct starting *s, struct err *err);
void stage_undo_prepare(struct starting *s);
int stage_make_namespaces(struct starting *s, struct err *err);
int stage_mount_rootfs(struct starting *s, struct err *err);
int stage_mount_volumes(struct starting *s, struct err *err);
void stage_forget_volumes(struct starting *s);
int stage_connect_network(struct starting *s, struct err *err);
int stage_find_links(struct starting *s, struct err *err);
void stage_disconnect_network(struct starting *s);
int stage_publish_ports(struct starting *s, struct err *err);
void stage_unpublish_ports(struct starting *s);
int stage_write_files(struct starting *s, struct err *err);
int stage_make_plan(struct starting *s, struct err *err);

/* start-run.c: what outlives this process: the row that says so, the cgroup, the monitor and the container in it. */
int stage_make_cgroup(struct starting *s, struct err *err);
void stage_remove_cgroup(struct starting *s);
int stage_store_starting(struct starting *s, struct err *err);
int stage_spawn_monitor(struct starting *s, struct err *err);
void stage_drop_monitor(struct starting *s);
int stage_run_monitor(struct starting *s, struct err *err);
int stage_settle_cgroup(struct starting *s, struct err *err);
int stage_tell_names(struct starting *s, struct err *err);
int stage_store_running(struct starting *s, struct err *err);
int stage_listen_to_monitor(struct starting *s, struct err *err);
void stage_forget_link(struct starting *s);
