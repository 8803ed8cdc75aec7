/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What one client may take, in seconds and numbers. The tests' daemon, kistd-faults, is linked with tests/lib/short-limits.c in the place of limits.c,
 * so that a test need not wait for minutes. */

struct api_limits {
        unsigned idle;        /* without a byte while a request is read, or between requests */
        unsigned header;      /* from the end of the request before, or the connection's start, to the end of a request's header */
        unsigned body;        /* for a whole body; uploads excepted, as long as they move */
        unsigned connections; /* open at once, of one listening socket */
};

struct api_limits api_limits(void);
