/* SPDX-License-Identifier: Apache-2.0 */

/* An image of the lower layers of another. It says of when its last layer was made, not of now: the same cut is the same image. */

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "image/derive.h"

static void truncate_list(json_t *list, size_t n) {
        while (json_array_size(list) > n)
                json_array_remove(list, json_array_size(list) - 1);
}

static int make(struct derive *d, const void *how, char ret_id[72], struct err *err) {
        const struct image_cut *c = how;
        json_t *history, *created;
        int r = derive_from(d, c->image, err);

        if (r < 0)
                return r;
        if (json_array_size(d->layers) <= c->n_layers)
                return err_set(err, ERR_INTERNAL, -EINVAL, "image %s has no more than %zu layers", c->image, c->n_layers);
        truncate_list(d->layers, c->n_layers);
        truncate_list(json_get_array(json_get_object(d->config, "rootfs"), "diff_ids"), c->n_layers);
        history = json_get_array(d->config, "history");
        truncate_list(history, c->n_history);
        created = json_object_get(json_array_get(history, c->n_history ? c->n_history - 1 : 0), "created");
        if (created)
                json_object_set(d->config, "created", created);
        if (c->n_history == 0)
                json_object_del(d->config, "history");
        json_object_set(d->config, "config", (json_t *) c->config);
        return derive_commit(d, c->name, ret_id, err);
}

int image_cut(struct image_store *s, const struct image_cut *c, char ret_id[72], struct err *err) {
        return derive_run(s, make, c, ret_id, err);
}
