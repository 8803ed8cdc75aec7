/* SPDX-License-Identifier: Apache-2.0 */

/* A new image from an old one and a layer of a container's changes. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "image/derive.h"

#define LAYER_FILE "layer"
enum { EMPTY_TAR_MAX = 1024 };

static int make_layer(struct derive *d, const struct image_commit *c, bool *ret_any, struct err *err) {
        auto_fd fd = openat(d->dir_fd, LAYER_FILE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        char name[DIGEST_HEX_SIZE];
        struct digest digest;
        uint64_t size;
        int r;

        if (fd < 0)
                return err_errno(err, -errno, "layer of a new image");
        r = c->layer(c->data, fd, err);
        if (r < 0)
                return r;
        r = digest_of_file(fd, &digest, &size);
        if (r < 0)
                return err_errno(err, r, "layer of a new image");
        *ret_any = size > EMPTY_TAR_MAX;
        if (!*ret_any)
                return 0;
        digest_format_hex(&digest, name);
        if (renameat(d->dir_fd, LAYER_FILE, d->dir_fd, name) < 0)
                return err_errno(err, -errno, "layer of a new image");
        return derive_add_layer(d, &digest, size, LAYER_TAR, &digest, err);
}

static int make(struct derive *d, const void *how, char ret_id[72], struct err *err) {
        const struct image_commit *c = how;
        bool any = false;
        int r = derive_from(d, c->base_id, err);

        if (r < 0)
                return err_prefix(err, "image of the container");
        r = make_layer(d, c, &any, err);
        if (r >= 0)
                r = derive_add_history(d, c->created_by, c->author, c->comment, !any, err);
        if (r < 0)
                return r;
        json_object_set(d->config, "config", (json_t *) c->config);
        return derive_commit(d, c->name, ret_id, err);
}

int image_commit(struct image_store *s, const struct image_commit *c, char ret_id[72], struct err *err) {
        return derive_run(s, make, c, ret_id, err);
}
