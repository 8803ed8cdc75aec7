/* SPDX-License-Identifier: Apache-2.0 */

/* Names of scopes and slices. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "systemd/properties.h"
#include "systemd/systemd.h"

#define SLICE ".slice"

/* "a-b.slice": parts that are not empty, with '-' between; "-.slice" is the root of them all. */
static bool slice_is_valid(const char *s) {
        size_t n = strlen(s), suffix = strlen(SLICE);

        if (!unit_name_is_valid(s) || n <= suffix || strcmp(s + n - suffix, SLICE) != 0)
                return false;
        if (strcmp(s, "-" SLICE) == 0)
                return true;
        return *s != '-' && s[n - suffix - 1] != '-' && !strstr(s, "--");
}

int scope_parse(const char *text, const char *id, bool user, struct scope *ret, struct err *err) {
        struct scope s = { .user = user };
        auto_free char *own = text && *text ? NULL : str_format(":kist:%s", id), *slice = NULL;
        const char *all = own ?: text, *prefix = all ? strchr(all, ':') : NULL, *name = prefix ? strchr(prefix + 1, ':') : NULL;
        int n;

        if (!all)
                return err_errno(err, -ENOMEM, "linux.cgroupsPath");
        if (!name || strchr(name + 1, ':') || !name[1])
                return err_set(err, ERR_INVALID, -EINVAL, "linux.cgroupsPath: \"%s\" is not SLICE:PREFIX:NAME, as systemd's driver wants it", all);
        slice = strndup(all, (size_t) (prefix - all));
        if (!slice)
                return err_errno(err, -ENOMEM, "linux.cgroupsPath");
        n = snprintf(s.slice, sizeof(s.slice), "%s", *slice ? slice : user ? "user.slice" : "system.slice");
        if ((size_t) n >= sizeof(s.slice) || !slice_is_valid(s.slice))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.cgroupsPath: \"%s\" is not the name of a slice", slice);
        prefix++;
        n = snprintf(s.unit, sizeof(s.unit), "%.*s%s%s.scope", (int) (name - prefix), prefix, name > prefix ? "-" : "", name + 1);
        if ((size_t) n >= sizeof(s.unit) || !unit_name_is_valid(s.unit))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.cgroupsPath: \"%s\" makes no name of a unit", all);
        *ret = s;
        return 0;
}

char *scope_cgroup_path(const struct scope *s) {
        struct strbuf path;
        size_t stem = strlen(s->slice) - strlen(SLICE);

        strbuf_init(&path, 64 << 10);
        /* Each slice is in that of its name without the last part. */
        if (strcmp(s->slice, "-" SLICE) != 0)
                for (size_t i = 1; i <= stem; i++)
                        if (i == stem || s->slice[i] == '-')
                                strbuf_addf(&path, "%.*s" SLICE "/", (int) i, s->slice);
        strbuf_adds(&path, s->unit);
        return strbuf_take(&path, NULL);
}
