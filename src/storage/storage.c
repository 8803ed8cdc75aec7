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
        pthread_mutex_init(&s->live_lock, NULL);
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
        pthread_mutex_destroy(&s->live_lock);
        free(s);
}

static char *find_live(struct storage *s, const char *name) {
        for (size_t i = 0; i < SCRATCH_LIVE_MAX; i++)
                if (!strcmp(s->live[i], name))
                        return s->live[i];
        return NULL;
}

int scratch_name(struct storage *s, char ret[SCRATCH_NAME_SIZE], const char *kind) {
        char hex[2 * 12 + 1];
        int r = str_random_hex(hex, 12);

        if (r < 0)
                return r;
        snprintf(ret, SCRATCH_NAME_SIZE, "%s-%s", kind, hex);
        pthread_mutex_lock(&s->live_lock);
        {
                char *slot = find_live(s, "");

                if (slot)
                        memcpy(slot, ret, SCRATCH_NAME_SIZE);
                else
                        s->n_unnamed++;
        }
        pthread_mutex_unlock(&s->live_lock);
        return 0;
}

void scratch_done(struct storage *s, const char *name) {
        char *slot;

        pthread_mutex_lock(&s->live_lock);
        slot = find_live(s, name);
        if (slot)
                *slot = '\0';
        else if (s->n_unnamed > 0)
                s->n_unnamed--;
        pthread_mutex_unlock(&s->live_lock);
}

int storage_strays(struct storage *s, bool remove, int (*found)(const char *name, int result, void *data), void *data, struct err *err) {
        int copy = openat(s->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);

        if (!dir) {
                r = err_errno(err, errno, "listing \"tmp\"");
                fd_close(copy);
                return r;
        }
        for (struct dirent *d; r == 0 && (d = readdir(dir));) {
                bool live;

                if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
                        continue;
                pthread_mutex_lock(&s->live_lock);
                live = s->n_unnamed > 0 || find_live(s, d->d_name);
                pthread_mutex_unlock(&s->live_lock);
                /* One that was let go of after it was listed is gone by now. */
                if (!live && faccessat(s->tmp_fd, d->d_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        r = found(d->d_name, remove ? path_remove_tree_at(s->tmp_fd, d->d_name) : 0, data);
        }
        closedir(dir);
        return r;
}

int scratch_bury(struct storage *s, int dir_fd, const char *name) {
        char grave[SCRATCH_NAME_SIZE];
        int r = scratch_name(s, grave, "dead");

        if (r < 0)
                return r;
        r = renameat(dir_fd, name, s->tmp_fd, grave) < 0 ? -errno : path_remove_tree_at(s->tmp_fd, grave);
        scratch_done(s, grave);
        return r;
}
