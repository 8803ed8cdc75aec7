/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of kistd-faults: KIST_TEST_LIMITS="IDLE HEADER BODY CONNECTIONS" (seconds and a number; src/api/limits.h), KIST_TEST_BRIDGE_PORTS=N
 * (src/network/limits.h). */

#include <stdio.h>
#include <stdlib.h>

#include "api/limits.h"
#include "network/limits.h"

struct api_limits api_limits(void) {
        struct api_limits l = { .idle = 60, .header = 90, .body = 120, .connections = 2048 };
        const char *asked = getenv("KIST_TEST_LIMITS");

        if (asked && sscanf(asked, "%u %u %u %u", &l.idle, &l.header, &l.body, &l.connections) != 4)
                abort();
        return l;
}

unsigned network_bridge_ports(void) {
        const char *asked = getenv("KIST_TEST_BRIDGE_PORTS");

        return asked ? (unsigned) strtoul(asked, NULL, 10) : 900;
}
