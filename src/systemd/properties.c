/* SPDX-License-Identifier: Apache-2.0 */
#include "systemd/properties.h"

#include <string.h>

#include "base/mem.h"
#include "systemd/systemd.h"

/* Those for annotations can be given by who may name an image or a pod: nothing that runs a program, loads another unit, or lifts a limit. */
static const struct property properties[] = {
        { "AllowedCPUs", PROPERTY_SET, false },
        { "AllowedMemoryNodes", PROPERTY_SET, false },
        { "BlockIOWeight", PROPERTY_NUMBER, false },
        { "CPUQuotaPerSecUSec", PROPERTY_NUMBER, false },
        { "CPUQuotaPeriodUSec", PROPERTY_NUMBER, false },
        { "CPUShares", PROPERTY_NUMBER, false },
        { "CPUWeight", PROPERTY_NUMBER, false },
        { "DeviceAllow", PROPERTY_PAIRS, false },
        { "DevicePolicy", PROPERTY_TEXT, false },
        { "IOWeight", PROPERTY_NUMBER, false },
        { "MemoryHigh", PROPERTY_NUMBER, false },
        { "MemoryLimit", PROPERTY_NUMBER, false },
        { "MemoryLow", PROPERTY_NUMBER, false },
        { "MemoryMax", PROPERTY_NUMBER, false },
        { "MemoryMin", PROPERTY_NUMBER, false },
        { "MemorySwapMax", PROPERTY_NUMBER, false },
        { "TasksMax", PROPERTY_NUMBER, false },
        { "After", PROPERTY_UNITS, true },
        { "Before", PROPERTY_UNITS, true },
        { "CollectMode", PROPERTY_TEXT, true },
        { "DefaultDependencies", PROPERTY_FLAG, true },
        { "Description", PROPERTY_TEXT, true },
        { "RuntimeMaxUSec", PROPERTY_NUMBER, true },
        { "TimeoutStopUSec", PROPERTY_NUMBER, true },
};

const struct property *property_find(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
                if (strcmp(properties[i].name, name) == 0)
                        return &properties[i];
        return NULL;
}

bool unit_name_is_valid(const char *name) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
        size_t n = strlen(name);
        const char *dot = strrchr(name, '.');

        return n > 0 && n <= UNIT_NAME_MAX && strspn(name, allowed) == n && dot && dot > name && dot[1];
}
