/* SPDX-License-Identifier: Apache-2.0 */
/* A directory is in another one when the way up by ".." leads there, over the borders of mounts; or when its path in its file system does, whichever part
 * of that file system is mounted where: a bind mount of /etc/cron.d has no way up to /etc. */

#include "engine/host-places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

enum { LINKS_MAX = 40, UP_MAX = PATH_MAX, MOUNTINFO_MAX = 16 << 20 };

static bool is_same(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* As the kernel names it now; on the heap. NULL: it has no name here. */
static char *name_of(int fd) {
        char link[64], path[PATH_MAX];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path));
        return n > 0 && n < (ssize_t) sizeof(path) && *path == '/' ? strndup(path, (size_t) n) : NULL;
}

/* --- the way up --- */

/* The directory that something lies in which is none itself. */
static int open_parent(int fd, const struct stat *st) {
        auto_free char *path = name_of(fd);
        char *slash = path ? strrchr(path, '/') : NULL;
        auto_fd dir = -EBADF;
        struct stat again;

        if (!slash)
                return -ESTALE;
        *slash = '\0';
        dir = open(slash == path ? "/" : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || fstatat(dir, slash + 1, &again, AT_SYMLINK_NOFOLLOW) < 0 || !is_same(st, &again))
                return -ESTALE; /* it was moved a moment ago */
        return move_fd(dir);
}

static bool climbs_to(int dir_fd, const struct stat *top) {
        auto_fd at = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        struct stat st, last = { 0 };

        for (int i = 0; i < UP_MAX && at >= 0 && fstat(at, &st) == 0; i++) {
                int up;

                if (is_same(&st, top))
                        return true;
                if (i > 0 && is_same(&st, &last))
                        return false;
                last = st;
                up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
                fd_close(at);
                at = up;
        }
        return true; /* it cannot be told */
}

/* --- paths in file systems --- */

struct fs_path {
        char device[32]; /* "8:1" */
        char *path;      /* from the file system's own root */
};

/* "36 25 0:31 /part /mnt rw,relatime shared:9 - ext4 /dev/vda rw": the fields, cut off. See proc(5). */
static bool split_mount(char *line, char *fields[5]) {
        char *save = NULL;

        for (size_t i = 0; i < 5; i++)
                if (!(fields[i] = strtok_r(i == 0 ? line : NULL, " ", &save)))
                        return false;
        str_unescape_octal(fields[3]);
        str_unescape_octal(fields[4]);
        return true;
}

/* false: it is not mounted here, or has no name */
static bool find_fs_path(int fd, const char *mountinfo, struct fs_path *ret) {
        auto_free char *path = name_of(fd), *line = NULL;
        const char *at = mountinfo, *below;
        char id[32], *fields[5];
        struct statx stx;
        size_t n;

        if (!path || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 || !(stx.stx_mask & STATX_MNT_ID))
                return false;
        snprintf(id, sizeof(id), "%llu ", (unsigned long long) stx.stx_mnt_id);
        while (at && !str_starts_with(at, id))
                at = (at = strchr(at, '\n')) ? at + 1 : NULL;
        line = at ? strndup(at, strcspn(at, "\n")) : NULL;
        if (!line || !split_mount(line, fields))
                return false;
        n = strcmp(fields[4], "/") != 0 ? strlen(fields[4]) : 0;
        below = path + n;
        if (strncmp(path, fields[4], n) != 0 || (*below && *below != '/'))
                return false;
        snprintf(ret->device, sizeof(ret->device), "%s", fields[2]);
        ret->path = str_format("%s%s", strcmp(fields[3], "/") != 0 ? fields[3] : "", strcmp(below, "/") != 0 ? below : "");
        return ret->path;
}

/* Paths have no slash at their end: "" is the top. */
static bool is_in(const struct fs_path *inner, const struct fs_path *outer) {
        size_t n = strlen(outer->path);

        return !strcmp(inner->device, outer->device) && strncmp(inner->path, outer->path, n) == 0 &&
               (!inner->path[n] || inner->path[n] == '/');
}

/* --- both --- */

/* What a path leads to; or, missing, the directory that it would be made in. */
static int open_or_parent(const char *path, int *ret, bool *ret_missing) {
        auto_free char *at = strdup(path);
        int links = 0;

        *ret_missing = false;
        while (at) {
                auto_fd fd = open(*at ? at : "/", O_PATH | O_CLOEXEC);
                char target[PATH_MAX], *slash = strrchr(at, '/'), *next;
                ssize_t n;

                if (fd >= 0) {
                        *ret = move_fd(fd);
                        return 0;
                }
                if (errno != ENOENT || !slash || !*at)
                        return -errno;
                *ret_missing = true;
                n = readlink(at, target, sizeof(target) - 1);
                if (n <= 0) {
                        *slash = '\0';
                        continue;
                }
                /* A link that leads nowhere: whatever is made is made there. */
                if (++links > LINKS_MAX)
                        return -ELOOP;
                target[n] = '\0';
                next = *target == '/' ? strdup(target) : str_format("%.*s/%s", (int) (slash - at), at, target);
                free(at);
                at = next;
        }
        return -ENOMEM;
}

int host_source_open(const char *path, struct host_source *ret) {
        bool missing;
        int fd, r = open_or_parent(path, &fd, &missing);

        if (r == 0)
                r = host_source_of_fd(fd, ret);
        if (r == 0)
                ret->missing = missing;
        return r;
}

int host_source_of_fd(int fd, struct host_source *ret) {
        auto_host_source s = { .fd = fd, .dir_fd = -EBADF };
        struct statfs fs;
        int r;

        if (fstat(s.fd, &s.st) < 0 || fstatfs(s.fd, &fs) < 0)
                return -errno;
        s.magic = (long) fs.f_type;
        s.dir_fd = S_ISDIR(s.st.st_mode) ? fcntl(s.fd, F_DUPFD_CLOEXEC, 3) : open_parent(s.fd, &s.st);
        if (s.dir_fd < 0)
                return -ESTALE; /* no fd left, or it is being moved */
        r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &s.mountinfo, NULL);
        if (r < 0)
                return r;
        *ret = s;
        s = (struct host_source) HOST_SOURCE_NONE; /* moved */
        return 0;
}

void host_source_done(struct host_source *s) {
        fd_close(s->fd);
        fd_close(s->dir_fd);
        free(s->mountinfo);
}

enum host_relation host_source_relation(const struct host_source *s, const struct host_place *place) {
        auto_fd fd = open(place->path, O_PATH | O_CLOEXEC), dir = -EBADF;
        bool around = !s->missing && S_ISDIR(s->st.st_mode), within = place->kind == HOST_PLACE_TREE;
        struct fs_path of_source = { 0 }, of_place = { 0 };
        auto_free char *source_path = NULL, *place_path = NULL;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || (place->kind == HOST_PLACE_SOCKET && !S_ISSOCK(st.st_mode)))
                return HOST_APART;
        if (is_same(&s->st, &st))
                return !s->missing ? HOST_SAME : within ? HOST_WITHIN : HOST_APART;
        if (within && S_ISDIR(st.st_mode) && climbs_to(s->dir_fd, &st))
                return HOST_WITHIN;
        if (place->magic && s->magic == place->magic)
                return HOST_ALIKE;
        dir = around && !S_ISDIR(st.st_mode) ? open_parent(fd, &st) : -EBADF;
        if (around && (S_ISDIR(st.st_mode) || dir >= 0) && climbs_to(dir >= 0 ? dir : fd, &s->st))
                return HOST_AROUND;
        if (find_fs_path(s->fd, s->mountinfo, &of_source))
                source_path = of_source.path;
        if (find_fs_path(fd, s->mountinfo, &of_place))
                place_path = of_place.path;
        if (!source_path || !place_path)
                return HOST_APART;
        if (within && is_in(&of_source, &of_place))
                return HOST_WITHIN;
        return around && is_in(&of_place, &of_source) ? HOST_AROUND : HOST_APART;
}
