/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where the output of a container goes: HostConfig.LogConfig, and what the monitor is told of it.
 *
 *   json-file   the log's file in Docker's form            local      the same in a shorter one
 *   syslog      to a syslog server, and into a local file  journald   to the journal, and into a local file
 *   none        nowhere
 *
 * The local file of syslog and journald is what `logs` reads ("cache-disabled": "true" does without). Files are bounded: by the driver's options,
 * or by the daemon's. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct container_row;
struct engine;
struct err;
struct spec;

enum log_driver { LOG_JSON_FILE, LOG_LOCAL, LOG_SYSLOG, LOG_JOURNALD, LOG_NONE, _LOG_DRIVER_MAX };

struct spec_log {
        enum log_driver driver;
        uint64_t max_size; /* 0: the daemon's */
        uint32_t max_files;
        bool no_cache;     /* syslog, journald: no local file */
        bool drop;         /* mode=non-blocking: a slow receiver loses lines … */
        uint64_t max_buffer; /* … when so many bytes wait for it; 0: not said */
        const json_t *options; /* borrowed from the body */
};

const char *log_driver_name(enum log_driver d);
/* {"Type", "Config"} → s->log. ERR_INVALID names the option. NULL or an empty type: json-file. */
int log_driver_read(const json_t *config, struct spec_log *ret, struct err *err);
/* A file is kept, in this form of its name: "json" or "local"; NULL: none is. */
const char *log_driver_file(const struct spec_log *l);
/* A sealed memfd with struct monitor_log; −1 in *ret when there is nothing to say. Looks names of hosts up. */
int log_driver_prepare(const struct spec *s, const struct container_row *row, int *ret, struct err *err);
/* For info: the array of names. */
json_t *log_driver_names(void);
