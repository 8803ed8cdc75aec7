/* SPDX-License-Identifier: Apache-2.0 */
/* --tz: the zone's file of the host, copied into the container's directory and mounted over /etc/localtime. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "engine/files.h"
#include "engine/spec.h"

enum { ZONE_MAX = 256 << 10 };

int timezone_write(int dir_fd, const struct spec *s, struct err *err) {
        bool local = !strcmp(s->timezone, "local");
        auto_fd zones = -EBADF, file = -EBADF;
        auto_free char *data = NULL;
        size_t size;
        int r;

        if (!*s->timezone)
                return 0;
        zones = open(local ? "/etc" : "/usr/share/zoneinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (local)
                file = open("/etc/localtime", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        else if (zones >= 0)
                file = path_open_in(zones, s->timezone, O_RDONLY | O_NONBLOCK, 0);
        r = file < 0 ? -ENOENT : fd_read_file(file, ZONE_MAX, &data, &size);
        if (r < 0 || size < 4 || memcmp(data, "TZif", 4) != 0)
                return err_set(err, ERR_INVALID, -ENOENT, "Timezone: this host knows no time zone \"%s\"", s->timezone);
        r = file_write_atomic_at(dir_fd, "localtime", data, size, 0644, false);
        return r < 0 ? err_errno(err, r, "time zone of a container") : 0;
}

char *timezone_target(int rootfs_fd) {
        auto_fd there = path_open_in(rootfs_fd, "/etc/localtime", O_PATH, 0), link = -EBADF;
        char target[PATH_MAX];
        ssize_t n;

        if (there != -ENOENT)
                return NULL;
        link = path_open_in(rootfs_fd, "/etc/localtime", O_PATH | O_NOFOLLOW, 0);
        n = link < 0 ? -1 : readlinkat(link, "", target, sizeof(target) - 1);
        if (n <= 0 || *target != '/')
                return NULL;
        target[n] = '\0';
        return strstr(target, "/..") ? NULL : strdup(target);
}
