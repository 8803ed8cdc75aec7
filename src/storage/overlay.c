/* SPDX-License-Identifier: Apache-2.0 */

/* What both ways of making an overlay have in common. */

#include "storage/overlay.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "storage/creds.h"

/* None of what lets a layer's attributes point elsewhere in the tree; and what the kernel was built with must not matter. */
#define FIXED_OPTIONS { "redirect_dir", "nofollow" }, { "index", "off" }, { "metacopy", "off" }, { "xino", "off" }

const struct overlay_option *overlay_options(const struct overlay *o) {
        static const struct overlay_option lasting[] = { FIXED_OPTIONS, { NULL, NULL } };
        static const struct overlay_option ephemeral[] = { FIXED_OPTIONS, { "volatile", NULL }, { NULL, NULL } };

        return o->of->ephemeral && o->own >= 0 ? ephemeral : lasting;
}

void overlay_lower_name(const struct overlay *o, size_t i, char ret[static 128]) {
        size_t n = o->of->n_diff_ids, changes = o->of->read_only ? 1 : 0;

        if (i < changes)
                snprintf(ret, 128, "directory of its changes");
        else if (i - changes < n)
                snprintf(ret, 128, "layer %s", o->of->diff_ids[n - 1 - (i - changes)]);
        else
                snprintf(ret, 128, "empty layer");
}

int overlay_error(const struct overlay *o, int num, const char *what, const char *said, struct err *err) {
        enum err_kind kind = num == -ENOSPC || num == -EDQUOT ? ERR_NO_SPACE : ERR_INTERNAL;

        return err_set(err, kind, num, "container %s: root file system: %s: %s%s%s%s", o->of->container_id, what, strerror(-num),
                *said ? " (" : "", said, *said ? ")" : "");
}

int overlay_with_creds(const struct overlay *o, int (*fn)(void *data), void *data) {
        struct creds before;
        int r;

        if (o->of->userns_fd < 0)
                return fn(data);
        r = creds_enter(o->of->first_id, &before);
        if (r < 0)
                return r;
        r = fn(data);
        creds_leave(&before);
        return r;
}
