/* SPDX-License-Identifier: Apache-2.0 */
/* GET /system/df. */

#include <string.h>

#include "engine/internal.h"
#include "engine/volumes.h"
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

/* How many of the containers have it mounted. */
static int count_users(const json_t *containers, const char *volume) {
        json_t *c, *m;
        size_t i, k;
        int n = 0;

        json_array_foreach((json_t *) containers, i, c)
                json_array_foreach(json_object_get(c, "Mounts"), k, m)
                        n += !strcmp(json_get_str(m, "Name", ""), volume);
        return n;
}

int engine_disk_usage(struct engine *e, json_t **ret, struct err *err) {
        auto_json *images = NULL, *containers = NULL, *volumes = NULL;
        json_t *list, *v;
        size_t i;
        struct sum layers = { .engine = e };
        int r;

        if ((r = storage_layers_each(e->storage, add_layer, &layers, err)) < 0 || (r = engine_image_list(e, NULL, &images, err)) < 0 ||
            (r = engine_list(e, true, 0, true, NULL, &containers, err)) < 0)
                return r;
        if ((r = engine_volume_list(e, NULL, &volumes, err)) < 0)
                return r;
        list = json_get_array(volumes, "Volumes");
        json_array_foreach(list, i, v)
                json_object_set_new(v, "UsageData", json_pack("{s:I, s:i}", "Size", (json_int_t) volume_size(e, json_get_str(v, "Name", "")), "RefCount",
                                                              count_users(containers, json_get_str(v, "Name", ""))));
        *ret = json_pack("{s:I, s:O, s:O, s:O, s:[]}", "LayersSize", (json_int_t) layers.bytes, "Images", images, "Containers", containers, "Volumes", list, "BuildCache");
        return *ret ? 0 : err_errno(err, -ENOMEM, "disk usage");
}
