/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs.h"

#include "base/json.h"
#include "worker/job.h"

enum { HEADERS_OF_ENTRY = 4096 };

static uint64_t limit_of(const json_t *limits, const char *key, uint64_t otherwise) {
        int64_t v = json_get_int(limits, key, 0);

        return v > 0 ? (uint64_t) v : otherwise;
}

struct job_limits job_limits_of(const json_t *job) {
        const json_t *limits = json_get_object(job, "limits");

        return (struct job_limits) {
                .bytes = limit_of(limits, "bytes", WORKER_LIMIT_BYTES),
                .entries = limit_of(limits, "entries", WORKER_LIMIT_ENTRIES),
                .ratio = limit_of(limits, "ratio", WORKER_LIMIT_RATIO),
        };
}

uint64_t job_limits_plain(const struct job_limits *l) {
        uint64_t headers = l->entries < UINT64_MAX / HEADERS_OF_ENTRY ? l->entries * HEADERS_OF_ENTRY : UINT64_MAX;

        return l->bytes < UINT64_MAX - headers ? l->bytes + headers : UINT64_MAX;
}
