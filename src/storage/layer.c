/* SPDX-License-Identifier: Apache-2.0 */

/* Layers come into being whole: they are unpacked in "tmp", written back to the disk, and renamed into place. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"

#define DIGEST_PREFIX "sha256:"
#define SCRATCH_PREFIX "layer-"

static bool is_hex(const char *s, size_t size) {
        return strlen(s) == size && strspn(s, "0123456789abcdef") == size;
}

const char *layer_hex(const char *diff_id) {
        const char *hex;

        if (!diff_id || !str_starts_with(diff_id, DIGEST_PREFIX))
                return NULL;
        hex = diff_id + strlen(DIGEST_PREFIX);
        return is_hex(hex, LAYER_HEX_SIZE) ? hex : NULL;
}

static int bad_diff_id(const char *diff_id, struct err *err) {
        return err_set(err, ERR_INVALID, -EINVAL, "\"%.80s\" is not a diff id", diff_id ? diff_id : "");
}

/* The name comes back from the caller: it must not leave "tmp". */
static bool scratch_is_valid(const char *name) {
        return str_starts_with(name, SCRATCH_PREFIX) && is_hex(name + strlen(SCRATCH_PREFIX), 24);
}

bool storage_has_layer(struct storage *s, const char *diff_id) {
        const char *hex = layer_hex(diff_id);
        struct stat st;

        return hex && fstatat(s->layers_fd, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int storage_layer_begin(struct storage *s, char ret_name[64], int *ret_fd, struct err *err) {
        char name[SCRATCH_NAME_SIZE];
        auto_fd fd = -EBADF;
        int r = scratch_name(s, name, "layer");

        if (r < 0)
                return err_errno(err, r, "new layer");
        if (mkdirat(s->tmp_fd, name, 0755) < 0) {
                r = err_errno(err, errno, "new layer: making a directory");
                scratch_done(s, name);
                return r;
        }
        fd = openat(s->tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* What "/" of the image is, unless the layer says otherwise: not a matter of our umask. */
        if (fd < 0 || fchmod(fd, 0755) < 0) {
                r = err_errno(err, errno, "new layer");
                unlinkat(s->tmp_fd, name, AT_REMOVEDIR);
                scratch_done(s, name);
                return r;
        }
        memcpy(ret_name, name, sizeof(name));
        *ret_fd = move_fd(fd);
        return 0;
}

int storage_layer_commit(struct storage *s, const char *name, const char *diff_id, struct err *err) {
        const char *hex = layer_hex(diff_id);
        auto_fd fd = -EBADF;

        if (!hex)
                return bad_diff_id(diff_id, err);
        if (!scratch_is_valid(name))
                return err_set(err, ERR_INVALID, -EINVAL, "layer %s: \"%.64s\" is no scratch directory", diff_id, name);
        fd = openat(s->tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "layer %s: scratch directory", diff_id);
        /* The name says that the content is whole: so the content comes first, and after it the name. A disk that filled up
         * after the last write(2) returned says so here. */
        if (!storage_has_layer(s, diff_id) && syncfs(fd) < 0)
                return err_errno(err, errno, "layer %s: writing to disk", diff_id);
        if (renameat2(s->tmp_fd, name, s->layers_fd, hex, RENAME_NOREPLACE) < 0) {
                int r = -errno;

                if (r != -EEXIST)
                        return err_errno(err, r, "layer %s", diff_id);
                storage_layer_abort(s, name);
                return 0;
        }
        scratch_done(s, name);
        if (fsync(s->layers_fd) < 0)
                return err_errno(err, errno, "layer %s: writing to disk", diff_id);
        return 0;
}

void storage_layer_abort(struct storage *s, const char *name) {
        /* What cannot be deleted now is deleted by the next storage_open(). */
        if (!scratch_is_valid(name))
                return;
        path_remove_tree_at(s->tmp_fd, name);
        scratch_done(s, name);
}

int storage_layer_remove(struct storage *s, const char *diff_id, struct err *err) {
        const char *hex = layer_hex(diff_id);
        int r;

        if (!hex)
                return bad_diff_id(diff_id, err);
        r = scratch_bury(s, s->layers_fd, hex);
        if (r == -ENOENT)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "no layer %s", diff_id);
        return r < 0 ? err_errno(err, r, "layer %s: deleting", diff_id) : 0;
}

/* A file with n links within the layer is met n times: counting the n-th part each time needs no memory. */
static int add_blocks(int dir_fd, const char *name, bool is_dir, void *data) {
        uint64_t *total = data;
        struct stat st;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        *total += (uint64_t) st.st_blocks * 512 / (is_dir || st.st_nlink == 0 ? 1 : (uint64_t) st.st_nlink);
        return 0;
}

int storage_tree_size(int dir_fd, uint64_t *ret) {
        uint64_t total;
        struct stat st;
        int r;

        if (fstat(dir_fd, &st) < 0)
                return -errno;
        total = (uint64_t) st.st_blocks * 512;
        r = path_walk_tree(dir_fd, false, add_blocks, &total);
        if (r == 0)
                *ret = total;
        return r;
}

int storage_layer_size(struct storage *s, const char *diff_id, uint64_t *ret, struct err *err) {
        const char *hex = layer_hex(diff_id);
        auto_fd fd = -EBADF;
        int r;

        if (!hex)
                return bad_diff_id(diff_id, err);
        fd = openat(s->layers_fd, hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, -ENOENT, "no layer %s", diff_id)
                                       : err_errno(err, errno, "layer %s", diff_id);
        r = storage_tree_size(fd, ret);
        return r < 0 ? err_errno(err, r, "layer %s: measuring", diff_id) : 0;
}

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

int storage_layers_each(struct storage *s, int (*fn)(const char *diff_id, void *data), void *data, struct err *err) {
        __attribute__((cleanup(closedirp))) DIR *dir = NULL;
        int fd = openat(s->layers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char diff_id[sizeof(DIGEST_PREFIX) + LAYER_HEX_SIZE];
        struct dirent *d;

        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                int r = err_errno(err, errno, "listing layers");

                fd_close(fd);
                return r;
        }
        while ((errno = 0, d = readdir(dir))) {
                int r;

                if (!is_hex(d->d_name, LAYER_HEX_SIZE))
                        continue;
                snprintf(diff_id, sizeof(diff_id), "%s%.*s", DIGEST_PREFIX, LAYER_HEX_SIZE, d->d_name);
                r = fn(diff_id, data);
                if (r < 0)
                        return r;
        }
        return errno != 0 ? err_errno(err, errno, "listing layers") : 0;
}
