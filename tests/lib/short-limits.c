/* SPDX-License-Identifier: Apache-2.0 */
/* api_limits() of kistd-faults: KIST_TEST_LIMITS="IDLE HEADER BODY CONNECTIONS" (seconds and a number). See src/api/limits.h. */

#include <stdio.h>
#include <stdlib.h>

#include "api/limits.h"

struct api_limits api_limits(void) {
        struct api_limits l = { .idle = 60, .header = 90, .body = 120, .connections = 2048 };
        const char *asked = getenv("KIST_TEST_LIMITS");

        if (asked && sscanf(asked, "%u %u %u %u", &l.idle, &l.header, &l.body, &l.connections) != 4)
                abort();
        return l;
}
