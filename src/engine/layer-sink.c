/* SPDX-License-Identifier: Apache-2.0 */
/* Where unpacked layers of images go: into the storage, and out of it when nothing needs them. */

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/internal.h"
#include "storage/storage.h"

static bool sink_has(void *data, const char *diff_id) {
        return storage_has_layer(((struct engine *) data)->storage, diff_id);
}

static int sink_begin(void *data, char token[64], int *ret_dir_fd, struct err *err) {
        return storage_layer_begin(((struct engine *) data)->storage, token, ret_dir_fd, err);
}

static int sink_commit(void *data, const char *token, const char *diff_id, struct err *err) {
        return storage_layer_commit(((struct engine *) data)->storage, token, diff_id, err);
}

static void sink_abort(void *data, const char *token) {
        storage_layer_abort(((struct engine *) data)->storage, token);
}

static int sink_clone(void *data, int dir_fd, int *ret_fd, struct err *err) {
        return storage_idmap_clone(dir_fd, ((struct engine *) data)->worker_userns, false, ret_fd, err);
}

bool engine_layer_in_use(struct engine *e, const char *diff_id) {
        struct container **containers;
        bool used = false;
        size_t n;

        if (table_snapshot(&e->table, &containers, &n) < 0)
                return true;
        for (size_t i = 0; i < n; i++) {
                used |= strstr(containers[i]->row.diff_ids, diff_id) != NULL;
                container_unref(containers[i]);
        }
        free(containers);
        return used;
}

int engine_drop_layer(const char *diff_id, void *data) {
        struct engine *e = data;
        struct err err;
        int r;

        if (engine_layer_in_use(e, diff_id))
                return -EBUSY;
        r = storage_layer_remove(e->storage, diff_id, &err);
        if (r < 0)
                log_warning("%s", err.msg);
        return r;
}

static int sink_drop(void *data, const char *diff_id) {
        return engine_drop_layer(diff_id, data);
}

/* The layers that nothing needs, one per line: they are removed after the walk that found them. */
struct sweep {
        struct engine *engine;
        struct strbuf unneeded;
};

static int note_unneeded(const char *diff_id, void *data) {
        struct sweep *s = data;

        if (!image_layer_is_needed(s->engine->images, diff_id) && !engine_layer_in_use(s->engine, diff_id))
                strbuf_addf(&s->unneeded, "%s\n", diff_id);
        return 0;
}

void engine_sweep_layers(struct engine *e) {
        struct sweep s = { .engine = e };
        auto_free char *text = NULL;
        char *save = NULL;
        struct err err;

        strbuf_init(&s.unneeded, 1 << 20);
        if (storage_layers_each(e->storage, note_unneeded, &s, &err) < 0)
                log_warning("%s", err.msg);
        text = strbuf_take(&s.unneeded, NULL);
        for (char *id = text ? strtok_r(text, "\n", &save) : NULL; id; id = strtok_r(NULL, "\n", &save)) {
                log_info("removing layer %.19s: nothing needs it", id);
                engine_drop_layer(id, e);
        }
        strbuf_done(&s.unneeded);
}

void engine_fill_sink(struct engine *e, struct image_sink *sink) {
        *sink = (struct image_sink) {
                .has = sink_has,
                .begin = sink_begin,
                .commit = sink_commit,
                .abort = sink_abort,
                .clone = sink_clone,
                .drop = sink_drop,
                .userns_fd = e->worker_userns,
                .data = e,
        };
}
