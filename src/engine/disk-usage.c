/* SPDX-License-Identifier: Apache-2.0 */
/* GET /system/df. */

#include "engine/internal.h"
#include "storage/storage.h"

struct sum {
        struct engine *engine;
        uint64_t bytes;
};

static int add_layer(const char *diff_id, void *data) {
        struct sum *s = data;
        uint64_t size = 0;

        if (storage_layer_size(s->engine->storage, diff_id, &size, NULL) == 0)
                s->bytes += size;
        return 0;
}

int engine_disk_usage(struct engine *e, json_t **ret, struct err *err) {
        auto_json *images = NULL, *containers = NULL;
        struct sum layers = { .engine = e };
        int r;

        if ((r = storage_layers_each(e->storage, add_layer, &layers, err)) < 0 || (r = engine_image_list(e, NULL, &images, err)) < 0 ||
            (r = engine_list(e, true, 0, true, NULL, &containers, err)) < 0)
                return r;
        *ret = json_pack("{s:I, s:O, s:O, s:[], s:[]}", "LayersSize", (json_int_t) layers.bytes, "Images", images, "Containers", containers, "Volumes", "BuildCache");
        return *ret ? 0 : err_errno(err, -ENOMEM, "disk usage");
}
