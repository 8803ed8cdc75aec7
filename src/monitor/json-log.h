/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The container's log file in Docker's "json-file" form: one JSON object per line of output,
 *   {"log":"text\n","stream":"stdout","time":"2026-11-21T22:56:11.123456789Z"}
 * A line of more than JSON_LOG_LINE_MAX bytes becomes several objects, of which only the last has the "\n".
 * Or in the form of the "local" driver, which costs less and is the one of Kubernetes: F: the line is whole; P: the next entry goes on with it.
 *   2026-11-21T22:56:11.123456789Z stdout F text
 *
 * A log that cannot be written (disk full) loses lines, not the container: each function does what it can and tries again with
 * the next line. No heap, no stdio. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        JSON_LOG_LINE_MAX = 16384,
        JSON_LOG_BUFFER = 32768,
        JSON_LOG_NAME_MAX = 96, /* 64 of the id, "-local.log", ".1000" and room */
        JSON_LOG_FILES_MAX = 1000,
};

struct forward;

/* All zero but `fd`: no log. */
struct json_log {
        bool local;              /* that form; else JSON */
        bool unkept;             /* lines are only forwarded */
        const char *attributes;  /* behind the time of each object: `,"attrs":{…}`; borrowed, may be NULL */
        struct forward *forward; /* borrowed; NULL: to nobody */
        int dir_fd; /* borrowed */
        int fd;
        uint64_t size;      /* of the file */
        uint64_t object_at; /* where in the file the object begins that is being put together; UINT64_MAX: none is */
        bool broken;        /* … and its beginning could not be written */
        uint64_t max_size;
        uint32_t max_files;
        uint32_t out_size;
        char name[JSON_LOG_NAME_MAX];
        /* The buffers come last: their pages are touched only as far as they are used. */
        char out[JSON_LOG_BUFFER];
        struct json_log_line {
                uint32_t size;
                char data[JSON_LOG_LINE_MAX];
        } lines[2]; /* the unfinished line of each stream */
};

/* Append to "ID-json.log" (or, when `local` is set, "ID-local.log") in dir_fd. max_size 0: no bound; else the file is moved to ".1" (".1" to ".2", …) before the first object that
 * would begin at or behind max_size, and max_files files are kept. Negative errno when it cannot be opened. */
int json_log_open(struct json_log *l, int dir_fd, const char *id, uint64_t max_size, uint32_t max_files);
void json_log_close(struct json_log *l);

/* What stream 1 or 2 wrote. Whole lines are in the file when this returns. */
void json_log_append(struct json_log *l, int stream, const char *data, size_t size);
/* The stream has ended: its unfinished line is one, too. */
void json_log_end(struct json_log *l, int stream);

/* Somebody moved the file away: open it anew by its name. */
int json_log_reopen(struct json_log *l);
