/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A container's root as a directory fd that a worker is given, with the user namespace in which its ids are the container's own. */

#include <stdbool.h>

struct container;
struct engine;
struct err;

struct root_view {
        int root;
        int userns;     /* the worker's */
        bool own_userns;
};
#define ROOT_VIEW_NONE ((struct root_view) { .root = -EBADF, .userns = -EBADF })

/* As the container's processes see it, with all that is mounted there. ERR_CONFLICT when it does not run. */
int root_view_live(struct engine *e, struct container *c, struct root_view *ret, struct err *err);
/* Of a container that does not run: to be written to with c->op held, until the view is closed. */
int root_view_writable(struct engine *e, struct container *c, struct root_view *ret, struct err *err);
/* The image and the changes, nothing mounted; nothing can be written. Whether it runs does not matter. */
int root_view_files(struct engine *e, struct container *c, bool with_changes, struct root_view *ret, struct err *err);
void root_view_close(struct root_view *v);
#define auto_root_view __attribute__((cleanup(root_view_close))) struct root_view

/* Live while it runs, else the files. */
int root_view_read(struct engine *e, struct container *c, struct root_view *ret, struct err *err);
bool root_view_is_live(struct container *c);
