/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;
typedef struct sd_bus sd_bus;

/* To the system's manager, or the user's: by its own socket, else by the bus. The caller has sd_bus_flush_close_unref() to call. */
int bus_open(bool user, sd_bus **ret, struct err *err);

/* settings: "NAME=VALUE" of properties.c, n of them. On success err->msg, of kind ERR_NONE, is the path of its cgroup. */
int bus_start(sd_bus *bus, const char *unit, const char *slice, pid_t pid, char **settings, int n, struct err *err);
int bus_set(sd_bus *bus, const char *unit, char **settings, int n, struct err *err);
int bus_stop(sd_bus *bus, const char *unit, struct err *err);
