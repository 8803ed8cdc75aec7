/* SPDX-License-Identifier: Apache-2.0 */
/* POST /images/prune. */

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/filters.h"
#include "engine/internal.h"
#include "engine/prune.h"
#include "engine/size.h"

/* Only images without a name, unless dangling=false is said. */
static int read_dangling(const json_t *filters, bool *ret, struct err *err) {
        const char *value = filter_value(filters, "dangling", 0);

        *ret = !value || !strcmp(value, "true") || !strcmp(value, "1");
        if (value && !*ret && strcmp(value, "false") && strcmp(value, "0"))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid dangling filter: \"%s\"", value);
        return 0;
}

static bool is_prunable(const struct image *image, const json_t *filters, bool dangling, int64_t until_ns) {
        if (dangling && image->tags && *image->tags)
                return false;
        return image->created_unix_ns < until_ns && filter_labels(filters, "label", image->labels);
}

/* The ids first, one per line: removing one changes the list. */
static int list_prunable(struct engine *e, const json_t *filters, bool dangling, int64_t until_ns, struct strbuf *ids, struct err *err) {
        struct image **images = NULL;
        size_t n = 0;
        int r = image_list(e->images, false, &images, &n, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (is_prunable(images[i], filters, dangling, until_ns))
                        strbuf_addf(ids, "%s\n", images[i]->id);
                image_free(images[i]);
        }
        free(images);
        return 0;
}

int engine_image_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "dangling", "until", "label", "label!", NULL };
        auto_free char *text = NULL;
        auto_json *deleted = json_array();
        auto_strbuf ids = { 0 };
        json_int_t reclaimed;
        uint64_t before, after;
        char *save = NULL;
        int64_t until_ns;
        bool dangling;
        int r = filters_check(filters, known, err);

        strbuf_init(&ids, 16 << 20);
        if (r < 0 || (r = prune_read_until(filters, &until_ns, err)) < 0 || (r = read_dangling(filters, &dangling, err)) < 0 ||
            (r = list_prunable(e, filters, dangling, until_ns, &ids, err)) < 0)
                return r;
        text = strbuf_take(&ids, NULL);
        before = text && *text ? size_of_layers(e) : 0;
        for (char *id = text ? strtok_r(text, "\n", &save) : NULL; id; id = strtok_r(NULL, "\n", &save)) {
                auto_json *gone = NULL;
                struct err why;

                /* One that a container has stays, and is no failure. */
                if (engine_image_has_users(e, id))
                        continue;
                if (engine_image_remove(e, id, true, &gone, &why) == 0)
                        json_array_extend(deleted, gone);
                else if (why.kind != ERR_CONFLICT && why.kind != ERR_NOT_FOUND)
                        log_warning("image %.19s: %s", id, why.msg);
        }
        after = json_array_size(deleted) ? size_of_layers(e) : before;
        reclaimed = (json_int_t) (before > after ? before - after : 0);
        prune_event(e, "image", reclaimed);
        *ret = json_pack("{s:O, s:I}", "ImagesDeleted", deleted, "SpaceReclaimed", reclaimed);
        return *ret ? 0 : err_errno(err, -ENOMEM, "pruning images");
}
