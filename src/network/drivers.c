/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "network/driver.h"

static const struct network_driver *const drivers[] = { &driver_bridge, &driver_macvlan, &driver_ipvlan };

const struct network_driver *driver_find(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
                if (!name || !*name || !strcmp(drivers[i]->name, name))
                        return drivers[i];
        return NULL;
}

const char *network_driver_name(const char *name) {
        const struct network_driver *d = driver_find(name);

        return d ? d->name : NULL;
}

bool network_driver_has_parent(const char *name) {
        const struct network_driver *d = driver_find(name);

        return d && d->has_parent;
}
