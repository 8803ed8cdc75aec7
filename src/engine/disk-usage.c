/* SPDX-License-Identifier: Apache-2.0 */
/* GET /system/df. */

#include <string.h>

#include "engine/internal.h"
#include "engine/size.h"
#include "engine/volumes.h"

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

/* What one entry of a list takes, and whether something needs it. */
struct share {
        json_int_t bytes;
        bool active;
};

static struct share image_share(const json_t *v) {
        return (struct share) { json_get_int(v, "Size", 0), json_get_int(v, "Containers", 0) > 0 };
}

static struct share container_share(const json_t *v) {
        const char *state = json_get_str(v, "State", "");

        return (struct share) { json_get_int(v, "SizeRw", 0), !strcmp(state, "running") || !strcmp(state, "paused") || !strcmp(state, "restarting") };
}

static struct share volume_share(const json_t *v) {
        const json_t *usage = json_object_get(v, "UsageData");

        return (struct share) { json_get_int(usage, "Size", 0), json_get_int(usage, "RefCount", 0) > 0 };
}

/* total < 0: the sum of the entries. Images share layers, so that theirs is not. */
static json_t *summary(const json_t *list, struct share (*share_of)(const json_t *), json_int_t total) {
        json_int_t sum = 0, unused = 0;
        int active = 0;
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) list, i, v) {
                struct share s = share_of(v);

                sum += s.bytes;
                unused += s.active ? 0 : s.bytes;
                active += s.active;
        }
        if (total >= 0 && unused > total)
                unused = total;
        return json_pack("{s:i, s:i, s:I, s:I}", "ActiveCount", active, "TotalCount", (int) json_array_size(list), "Reclaimable", unused, "TotalSize",
                         total < 0 ? sum : total);
}

static int add_images(struct engine *e, json_t *o, struct err *err) {
        json_int_t layers = (json_int_t) size_of_layers(e);
        json_t *images = NULL;
        int r = engine_image_list(e, &(struct engine_image_list) { .shared = true }, NULL, &images, err);

        if (r < 0)
                return r;
        json_object_set_new(o, "LayersSize", json_integer(layers));
        json_object_set_new(o, "ImagesUsage", summary(images, image_share, layers));
        json_object_set_new(o, "Images", images);
        return 0;
}

static int add_volumes(struct engine *e, const json_t *containers, json_t *o, struct err *err) {
        auto_json *volumes = NULL;
        json_t *list, *v;
        size_t i;
        int r = engine_volume_list(e, NULL, &volumes, err);

        if (r < 0)
                return r;
        list = json_get_array(volumes, "Volumes");
        json_array_foreach(list, i, v)
                json_object_set_new(v, "UsageData", json_pack("{s:I, s:i}", "Size", (json_int_t) volume_size(e, json_get_str(v, "Name", "")), "RefCount",
                                                              count_users(containers, json_get_str(v, "Name", ""))));
        json_object_set_new(o, "VolumesUsage", summary(list, volume_share, -1));
        json_object_set(o, "Volumes", list);
        return 0;
}

int engine_disk_usage(struct engine *e, unsigned types, json_t **ret, struct err *err) {
        auto_json *o = json_pack("{s:i, s:n, s:n, s:n, s:n}", "LayersSize", 0, "Images", "Containers", "Volumes", "BuildCache"), *containers = NULL;
        int r = 0;

        if (!o)
                return err_errno(err, -ENOMEM, "disk usage");
        if (types & ENGINE_USAGE_IMAGES)
                r = add_images(e, o, err);
        /* Volumes are counted by the containers that have them. */
        if (r == 0 && types & (ENGINE_USAGE_CONTAINERS | ENGINE_USAGE_VOLUMES))
                r = engine_list(e, true, 0, types & ENGINE_USAGE_CONTAINERS, NULL, &containers, err);
        if (r == 0 && types & ENGINE_USAGE_CONTAINERS) {
                json_object_set(o, "Containers", containers);
                json_object_set_new(o, "ContainersUsage", summary(containers, container_share, -1));
        }
        if (r == 0 && types & ENGINE_USAGE_VOLUMES)
                r = add_volumes(e, containers, o, err);
        if (r == 0 && types & ENGINE_USAGE_BUILD_CACHE) {
                json_object_set_new(o, "BuildCache", json_array());
                json_object_set_new(o, "BuildCacheUsage", summary(NULL, image_share, -1));
        }
        if (r < 0)
                return r;
        *ret = take_ptr(&o);
        return 0;
}
