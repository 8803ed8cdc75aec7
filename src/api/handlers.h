/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the table of routes (routes.c) points to: one file per resource. */

#include "api/request.h"

/* system.c */
int handle_ping(struct request *q, struct err *err);
int handle_version(struct request *q, struct err *err);
int handle_info(struct request *q, struct err *err);
int handle_disk_usage(struct request *q, struct err *err);
int handle_fsck(struct request *q, struct err *err);
int handle_events(struct request *q, struct err *err);

/* containers.c */
int handle_container_list(struct request *q, struct err *err);
int handle_container_create(struct request *q, struct err *err);
int handle_container_inspect(struct request *q, struct err *err);
int handle_container_start(struct request *q, struct err *err);
int handle_container_stop(struct request *q, struct err *err);
int handle_container_restart(struct request *q, struct err *err);
int handle_container_kill(struct request *q, struct err *err);
int handle_container_pause(struct request *q, struct err *err);
int handle_container_unpause(struct request *q, struct err *err);
int handle_container_rename(struct request *q, struct err *err);
int handle_container_resize(struct request *q, struct err *err);
int handle_container_remove(struct request *q, struct err *err);
int handle_container_update(struct request *q, struct err *err);
int handle_container_prune(struct request *q, struct err *err);
int handle_container_top(struct request *q, struct err *err);

/* container-streams.c */
int handle_container_wait(struct request *q, struct err *err);
int handle_container_logs(struct request *q, struct err *err);
int handle_container_stats(struct request *q, struct err *err);

/* attach.c, exec.c */
int handle_container_attach(struct request *q, struct err *err);
int handle_container_attach_websocket(struct request *q, struct err *err); /* attach-websocket.c */
void websocket_session_free(struct websocket_session *s);
int handle_exec_create(struct request *q, struct err *err);
int handle_exec_start(struct request *q, struct err *err);
int handle_exec_inspect(struct request *q, struct err *err);
int handle_exec_resize(struct request *q, struct err *err);
/* "h" and "w" of the query: rows and columns of a terminal. */
int request_terminal_size(struct request *q, uint16_t *ret_rows, uint16_t *ret_columns, struct err *err);

/* archive.c, image-archive.c */
int handle_archive_get(struct request *q, struct err *err);
int handle_archive_head(struct request *q, struct err *err);
int handle_archive_put(struct request *q, struct err *err);
extern const struct route_upload archive_upload;
int handle_container_export(struct request *q, struct err *err);
int handle_container_changes(struct request *q, struct err *err);
int handle_commit(struct request *q, struct err *err);
int handle_image_save(struct request *q, struct err *err);

/* images.c, image-streams.c */
int handle_login(struct request *q, struct err *err);
int handle_distribution(struct request *q, struct err *err);
int handle_remote_manifest(struct request *q, struct err *err);
int handle_remote_manifest_push(struct request *q, struct err *err);
int handle_remote_manifest_delete(struct request *q, struct err *err);
int handle_referrers(struct request *q, struct err *err);
int handle_image_search(struct request *q, struct err *err); /* distribution.c */
int handle_image_list(struct request *q, struct err *err);
int handle_image_inspect(struct request *q, struct err *err);
int handle_image_history(struct request *q, struct err *err);
int handle_image_checkout(struct request *q, struct err *err);
int handle_image_tag(struct request *q, struct err *err);
int handle_image_remove(struct request *q, struct err *err);
int handle_image_prune(struct request *q, struct err *err);
int handle_image_pull(struct request *q, struct err *err);
int handle_image_create(struct request *q, struct err *err); /* image-create.c: pull or import */
extern const struct route_upload image_create_upload;
int handle_image_push(struct request *q, struct err *err);
int handle_image_load(struct request *q, struct err *err);
extern const struct route_upload image_load_upload;
void image_upload_free(struct image_upload *u);

/* networks.c */
int handle_network_list(struct request *q, struct err *err);
int handle_network_inspect(struct request *q, struct err *err);
int handle_network_create(struct request *q, struct err *err);
int handle_network_audit(struct request *q, struct err *err); /* system.c */
int handle_network_prune(struct request *q, struct err *err);
int handle_network_connect(struct request *q, struct err *err);
int handle_network_disconnect(struct request *q, struct err *err);
int handle_network_remove(struct request *q, struct err *err);

/* volumes.c */
int handle_volume_list(struct request *q, struct err *err);
int handle_volume_create(struct request *q, struct err *err);
int handle_volume_inspect(struct request *q, struct err *err);
int handle_volume_remove(struct request *q, struct err *err);
int handle_volume_prune(struct request *q, struct err *err);
/* volume-files.c */
int handle_volume_export(struct request *q, struct err *err);
int handle_volume_import(struct request *q, struct err *err);
extern const struct route_upload volume_import_upload;
int handle_volume_clone(struct request *q, struct err *err);
int handle_volume_snapshot(struct request *q, struct err *err);
