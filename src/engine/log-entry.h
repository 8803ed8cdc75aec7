/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One line of a log's file:
 *   {"log":"text\n","stream":"stdout","time":"2026-11-21T23:20:20.123456789Z","attrs":{"tag":"x"}}     attrs: with some options only
 *   2026-11-21T23:20:20.123456789Z stdout F text                                                      F: to its end; P: to be continued */

#include <stddef.h>
#include <stdint.h>

struct log_entry {
        int stream; /* 1 or 2 */
        int64_t time_ns;
        const char *time; /* as written; borrowed from the line */
        size_t time_size;
        const char *text; /* decoded, in place: it lies in the line's own bytes */
        size_t size;
        const char *attributes; /* JSON; NULL: none */
        size_t attributes_size;
};

/* `line`, an object or the other form (without its newline, changed in place) → *ret. What the monitor wrote is decoded by hand; any other JSON of that meaning by the library.
 * −EINVAL: neither; the line was torn, for example by the death of the host. */
int log_entry_decode(char *line, size_t size, struct log_entry *ret);
