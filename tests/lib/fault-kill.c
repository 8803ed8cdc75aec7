/* SPDX-License-Identifier: Apache-2.0 */
/* fault_point() of kistd-faults: dies where KIST_FAULT says. See src/base/fault.h. */

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

void fault_point(const char *operation, const char *step) {
        static atomic_ulong passed;
        const char *asked = getenv("KIST_FAULT");
        char name[128];
        size_t n;

        if (!asked)
                return;
        n = (size_t) snprintf(name, sizeof(name), "%s.%s", operation, step);
        if (strncmp(asked, name, n) != 0 || (asked[n] && asked[n] != ':'))
                return;
        if (atomic_fetch_add(&passed, 1) + 1 == (asked[n] ? strtoul(asked + n + 1, NULL, 10) : 1))
                raise(SIGKILL);
}
