/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Limits of size for what containers write and for volumes, by project quota (storage_quota_set()). The row comes before the limit, and goes after
 * it: a limit without a row would stay for ever. Ids are out of a block that this data directory chose for itself, among those that nobody used; one that
 * somebody uses all the same is passed over. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct err;
struct storage_quota;

/* Whose it is: the directory of ROOT that it has. */
enum { PROJECT_OWNER_SIZE = 280 };
void project_of_container(const char *id, char ret[PROJECT_OWNER_SIZE]); /* "containers/<id>" */
void project_of_volume(const char *name, char ret[PROJECT_OWNER_SIZE]);  /* "volumes/NAME" */

/* Can there be limits where containers and volumes are? ERR_UNSUPPORTED. */
int projects_check(struct engine *e, struct err *err);
/* For an owner that is about to come into being. */
int project_take(struct engine *e, const char *owner, uint64_t bytes, struct storage_quota *ret, struct err *err);
/* For one that is gone, with its files. Who has none is fine. */
void project_release(struct engine *e, const char *owner);
/* −ENOENT: has no limit. */
int project_find(struct engine *e, const char *owner, struct storage_quota *ret);

/* The directory of one that has a limit: as it should be. Who has none is fine. *ret_changed, which may be NULL: it was not. */
int project_assert_container(struct engine *e, const char *id, int container_fd, bool *ret_changed, struct err *err);
int project_assert_volume(struct engine *e, const char *name, int data_fd, bool *ret_changed, struct err *err);

/* After a death of the daemon: those whose owner did not come into being, or is gone. */
void projects_recover(struct engine *e);
/* Calls fn for each row without an owner: for fsck, with images_lock (write) and volumes_lock held. */
void projects_strays(struct engine *e, void (*fn)(const char *owner, void *data), void *data);
