/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"

/* Whoever may enter these can run any set-id program of any image: nobody but root. */
enum { FORBIDDEN_MODE = 0067 };

static int open_private_dir(int dir_fd, const char *name, int *ret_fd, struct err *err) {
        auto_fd fd = -EBADF;
        struct stat st;

        if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
                return err_errno(err, errno, "data directory: making \"%s\"", name);
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, errno, "data directory: \"%s\"", name);
        if (st.st_uid != geteuid())
                return err_set(err, ERR_DENIED, -EPERM, "data directory: \"%s\" belongs to user %u", name, (unsigned) st.st_uid);
        if ((st.st_mode & FORBIDDEN_MODE) && fchmod(fd, 0700) < 0)
                return err_errno(err, errno, "data directory: \"%s\" is open to others, and cannot be closed", name);
        *ret_fd = move_fd(fd);
        return 0;
}

/* What cannot be deleted is left for the next start: it is in nobody's way. */
static void clear_scratch(int tmp_fd) {
        int r = path_remove_children(tmp_fd);

        if (r < 0)
                log_warning("data directory: cannot clear \"tmp\": %s", strerror(-r));
}

static int open_dirs(struct storage *s, int root_fd, struct err *err) {
        auto_fd layers = -EBADF;
        int r;

        r = open_private_dir(root_fd, "tmp", &s->tmp_fd, err);
        if (r < 0)
                return r;
        /* Two daemons in one directory would clear each other's scratch. The lock goes with the last reference to the fd. */
        if (flock(s->tmp_fd, LOCK_EX | LOCK_NB) < 0)
                return err_set(err, ERR_CONFLICT, -EBUSY, "data directory: another daemon uses it");
        clear_scratch(s->tmp_fd);
        r = open_private_dir(root_fd, "layers", &layers, err);
        if (r == 0)
                r = open_private_dir(layers, "sha256", &s->layers_fd, err);
        if (r == 0)
                r = open_private_dir(root_fd, "containers", &s->containers_fd, err);
        if (r < 0)
                return r;
        /* Stands in where an overlay needs one more layer than an image has. */
        if (mkdirat(layers, "empty", 0755) < 0 && errno != EEXIST)
                return err_errno(err, errno, "data directory: making the empty layer");
        s->empty_fd = openat(layers, "empty", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (s->empty_fd < 0 || fchmod(s->empty_fd, 0755) < 0)
                return err_errno(err, errno, "data directory: the empty layer");
        return 0;
}

int storage_open(int root_fd, struct storage **ret, struct err *err) {
        struct storage *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return err_errno(err, -ENOMEM, "data directory");
        s->tmp_fd = s->layers_fd = s->empty_fd = s->containers_fd = -EBADF;
        s->mount_ns = -EBADF;
        r = open_dirs(s, root_fd, err);
        if (r < 0) {
                storage_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

void storage_free(struct storage *s) {
        if (!s)
                return;
        fd_close(s->tmp_fd);
        fd_close(s->layers_fd);
        fd_close(s->empty_fd);
        fd_close(s->containers_fd);
        fd_close(s->mount_ns);
        free(s);
}

int scratch_name(char ret[SCRATCH_NAME_SIZE], const char *kind) {
        char hex[2 * 12 + 1];
        int r = str_random_hex(hex, 12);

        if (r < 0)
                return r;
        snprintf(ret, SCRATCH_NAME_SIZE, "%s-%s", kind, hex);
        return 0;
}

int scratch_bury(struct storage *s, int dir_fd, const char *name) {
        char grave[SCRATCH_NAME_SIZE];
        int r = scratch_name(grave, "dead");

        if (r < 0)
                return r;
        if (renameat(dir_fd, name, s->tmp_fd, grave) < 0)
                return -errno;
        return path_remove_tree_at(s->tmp_fd, grave);
}
