/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A container's lines on their way to syslog or to the journal. A receiver that is away loses them: it never ends the container, and what was asked
 * to be kept is in the log's file. It is connected again at most once a second. With mode=non-blocking one that is slow holds nobody up: what it does not take at
 * once waits in a queue of max-buffer-size bytes, and a line that does not fit into that is lost. No heap, no stdio. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/line-queue.h"
#include "monitor/loop.h"
#include "monitor/protocol.h"

struct err;

struct forward {
        struct monitor_log how;
        struct source socket; /* its fd is negative: not connected */
        int64_t retry_at_ms;
        struct line_queue queue; /* mode=non-blocking */
};

/* Reads struct monitor_log from `memfd` (borrowed) and, when it names a receiver, connects. */
int forward_open(struct forward *f, int memfd, struct err *err);
/* What waits is sent as far as it is taken within a second. */
void forward_close(struct forward *f);
/* `time` as time_format() writes it; !whole: the next one goes on with this line. */
void forward_line(struct forward *f, int stream, const char *text, size_t size, bool whole, const char *time);
