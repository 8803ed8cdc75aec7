/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What GET /info and the metrics both tell. */

#include <stddef.h>

struct engine;

struct info_counts {
        int all, running, paused, stopped;
};
struct info_counts info_count_containers(struct engine *e);

/* The host's distribution, by os-release(5): its name ("Linux" when there is none) and its version, or "". */
void info_os_release(char *ret, size_t size, char *ret_version, size_t version_size);
