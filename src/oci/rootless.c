/* SPDX-License-Identifier: Apache-2.0 */

/* Without the host's root: as an ordinary user, or as the root of a user namespace that a caller (Podman) has made. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/oci.h"

/* The first user namespace maps all ids on themselves. */
static bool in_user_namespace(void) {
        auto_fd fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
        unsigned long inside, outside, count;
        char text[128] = "";

        if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%lu %lu %lu", &inside, &outside, &count) != 3)
                return false;
        return inside != 0 || outside != 0 || count != 4294967295;
}

bool rootless(const struct options *o) {
        if (o->rootless_mode && strcmp(o->rootless_mode, "auto") != 0)
                return strcmp(o->rootless_mode, "true") == 0;
        return geteuid() != 0 || in_user_namespace();
}

char *rootless_state_path(const struct options *o) {
        const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

        return runtime_dir && *runtime_dir == '/' && rootless(o) ? str_format("%s/kist-runtime", runtime_dir) : NULL;
}
