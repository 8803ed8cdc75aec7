/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Container Device Interface: devices by name. Files of the administrator say what a container gets with "vendor.com/class=name": nodes, mounts,
 * variables, groups. cdi.c finds the devices, cdi-edits.c changes a container's spec. */

#include <jansson.h>
#include <stdbool.h>

struct err;
struct spec;

#define CDI_DEFAULT_DIRS "/etc/cdi", "/var/run/cdi"

/* Is it "vendor/class=name" by CDI's grammar? */
bool cdi_is_name(const char *text);
/* HostConfig.DeviceRequests: only their form; what they name is looked up at start. ERR_INVALID. */
int cdi_check_requests(const json_t *requests, struct err *err);
/* At start: all that the container asked for becomes a part of its spec. dirs: array of paths, the last one counts most. ERR_INVALID names the device
 * that is not there, or what its file asks for and cannot get. */
int cdi_apply(struct spec *s, const json_t *dirs, struct err *err);

/* What there is now: [{"Source": "cdi", "ID": "vendor.com/class=name"}], each once. */
json_t *cdi_list(const json_t *dirs);

/* cdi-edits.c: one containerEdits; `of` is for messages. */
int cdi_edit(struct spec *s, const json_t *edits, const char *of, struct err *err);
