/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/size.h"

#include <fcntl.h>
#include <string.h>

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

uint64_t size_of_layers(struct engine *e) {
        struct sum s = { .engine = e };

        return storage_layers_each(e->storage, add_layer, &s, NULL) < 0 ? 0 : s.bytes;
}

int size_add(struct engine *e, const struct container_row *row, json_t *entry) {
        auto_free char *text = strdup(row->diff_ids);
        auto_free char **diff_ids = NULL;
        auto_fd dir = -EBADF, upper = -EBADF;
        uint64_t written = 0, image = 0;
        size_t n = 0;

        if (storage_container_open(e->storage, row->id, &dir, NULL) == 0) {
                upper = openat(dir, "upper", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
                if (upper >= 0)
                        storage_tree_size(upper, &written);
        }
        diff_ids = text ? engine_split_lines(text, &n) : NULL;
        if (!diff_ids)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                uint64_t layer = 0;

                if (storage_layer_size(e->storage, diff_ids[i], &layer, NULL) == 0)
                        image += layer;
        }
        json_object_set_new(entry, "SizeRw", json_integer((json_int_t) written));
        json_object_set_new(entry, "SizeRootFs", json_integer((json_int_t) (written + image)));
        return 0;
}
