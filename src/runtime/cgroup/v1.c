/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

enum { CPUSET_MAX = 8192 }; /* "0,2,4,…" of a host with thousands of processors */

/* Is the file "\n" or nothing? Such a cpuset takes no process. */
static int read_list(int dir_fd, const char *path, const char *file, char *buf, bool *ret_empty) {
        int r = cgroup_file_read(dir_fd, path, file, buf, CPUSET_MAX);

        if (r < 0)
                return r;
        buf[strcspn(buf, "\n")] = '\0';
        *ret_empty = !*buf;
        return 0;
}

/* From the top down: each level takes what the level above it has, and must not have more. */
static int fill_one(int dir_fd, const char *path, const char *file) {
        char value[CPUSET_MAX] = "", own[CPUSET_MAX], part[CGROUP_FILE_MAX];
        bool empty;
        int r = read_list(dir_fd, path, file, own, &empty);

        if (r < 0 || !empty)
                return r;
        r = read_list(dir_fd, ".", file, value, &empty);
        for (const char *p = path; r == 0 && p; p = *p ? p + 1 : NULL) {
                p += strcspn(p, "/");
                snprintf(part, sizeof(part), "%.*s", (int) (p - path), path);
                r = read_list(dir_fd, part, file, own, &empty);
                if (r == 0 && empty)
                        r = cgroup_file_write(dir_fd, part, file, value);
                else if (r == 0)
                        memcpy(value, own, sizeof(value));
                /* A parent that nobody could use so far: from now on its children are born with what it has. */
                if (r == 0 && empty && *p)
                        r = cgroup_file_write(dir_fd, part, "cgroup.clone_children", "1");
        }
        return r;
}

int v1_fill_cpuset(int dir_fd, const char *path, struct err *err) {
        static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                int r = fill_one(dir_fd, path, files[i]);

                if (r < 0)
                        return err_errno(err, r, "cgroup %s: filling %s from above", path, files[i]);
        }
        return 0;
}
