/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/entry.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"

int entry_path(const char *raw, char *ret) {
        size_t used = 0, depth = 0;

        for (const char *p = raw; *p;) {
                size_t part = strcspn(p, "/");

                if (part == 2 && p[0] == '.' && p[1] == '.')
                        return -EXDEV;
                if (part > NAME_MAX)
                        return -ENAMETOOLONG;
                if (part > 0 && !(part == 1 && p[0] == '.')) {
                        if (used + 1 + part + 1 > ENTRY_PATH_SIZE || ++depth > ENTRY_DEPTH_MAX)
                                return -ENAMETOOLONG;
                        if (used > 0)
                                ret[used++] = '/';
                        memcpy(ret + used, p, part);
                        used += part;
                }
                p += part;
                p += strspn(p, "/");
        }
        ret[used] = '\0';
        return 0;
}

static bool has_whiteout_parent(const char *path, const char *name) {
        for (const char *p = path; p < name; p = strchr(p, '/') + 1)
                if (str_starts_with(p, ".wh."))
                        return true;
        return false;
}

enum entry_whiteout entry_whiteout(char *path) {
        char *slash = strrchr(path, '/'), *name = path + (slash ? slash + 1 - path : 0);

        if (str_starts_with(name, ".wh..wh.") || has_whiteout_parent(path, name)) {
                if (strcmp(name, ".wh..wh..opq") == 0 && !has_whiteout_parent(path, name)) {
                        *(slash ? slash : name) = '\0';
                        return ENTRY_OPAQUE;
                }
                /* ".wh..wh.plnk/1.2" is book-keeping as well. */
                return str_starts_with(path, ".wh..wh.") || str_starts_with(name, ".wh..wh.") ? ENTRY_AUFS : ENTRY_BAD;
        }
        if (!str_starts_with(name, ".wh."))
                return ENTRY_PLAIN;
        memmove(name, name + 4, strlen(name) - 3); /* with the NUL */
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return ENTRY_BAD;
        return ENTRY_WHITEOUT;
}
