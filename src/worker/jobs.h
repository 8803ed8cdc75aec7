/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The modes, each for one process: they return when the job is done or the daemon is gone. What failed was told the daemon. */

#include <jansson.h>
#include <stdint.h>

struct control_message;
struct err;

struct job_limits {
        uint64_t bytes, entries, ratio;
};

/* "limits" of a job; what is missing or not positive has the default of job.h. */
struct job_limits job_limits_of(const json_t *job);

/* Bound on the plain stream: the files' bytes, and for each entry as much as its headers can take. */
uint64_t job_limits_plain(const struct job_limits *l);

int job_unpack(int control_fd, const struct control_message *m, struct err *err);
int job_load(int control_fd, const struct control_message *m, struct err *err);
/* The op "keep" of mode load. */
int job_keep(int control_fd, const json_t *job, const struct control_message *m, struct err *err);
int job_pack(int control_fd, const struct control_message *m, struct err *err);
int job_extract(int control_fd, const struct control_message *m, struct err *err);
int job_fetch(int control_fd, struct err *err);
