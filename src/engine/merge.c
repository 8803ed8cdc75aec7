/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/merge.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"

static bool is_empty(const json_t *v) {
        if (!v || json_is_null(v))
                return true;
        if (json_is_string(v))
                return json_string_length(v) == 0;
        return json_is_array(v) ? json_array_size(v) == 0 : json_is_object(v) && json_object_size(v) == 0;
}

/* The image's names that the body does not assign come first, as dockerd orders them. */
static void merge_env(json_t *body, const json_t *image_env) {
        json_t *own = json_get_array(body, "Env"), *merged = json_array(), *v, *w;
        size_t i, k;

        json_array_foreach((json_t *) image_env, i, v) {
                const char *text = json_string_value(v);
                size_t n = text ? strcspn(text, "=") : 0;
                bool assigned = n == 0;

                json_array_foreach(own, k, w) {
                        const char *mine = json_string_value(w);

                        assigned |= mine && strcspn(mine, "=") == n && !strncmp(mine, text, n);
                }
                if (!assigned)
                        json_array_append(merged, v);
        }
        if (own)
                json_array_extend(merged, own);
        json_object_set_new(body, "Env", merged);
}

static void merge_map(json_t *body, const json_t *image_config, const char *key) {
        json_t *theirs = json_get_object(image_config, key), *own = json_get_object(body, key), *merged;

        if (!theirs)
                return;
        merged = json_copy(theirs);
        if (own)
                json_object_update(merged, own);
        json_object_set_new(body, key, merged);
}

static void merge_if_empty(json_t *body, const json_t *image_config, const char *key) {
        json_t *theirs = json_object_get(image_config, key);

        if (!is_empty(theirs) && is_empty(json_object_get(body, key)))
                json_object_set(body, key, theirs);
}

/* A command line entry point replaces the image's command too: its arguments were meant for the other one. */
static void merge_command(json_t *body, const json_t *image_config) {
        json_t *entrypoint = json_object_get(body, "Entrypoint");

        if (is_empty(entrypoint)) {
                merge_if_empty(body, image_config, "Cmd");
                if (!entrypoint || json_is_null(entrypoint))
                        merge_if_empty(body, image_config, "Entrypoint");
                return;
        }
        /* [""] says: none at all. */
        if (json_array_size(entrypoint) == 1 && is_empty(json_array_get(entrypoint, 0)))
                json_object_set_new(body, "Entrypoint", json_null());
}

/* Field by field: --health-interval alone keeps the image's command. */
static void merge_healthcheck(json_t *body, const json_t *image_config) {
        json_t *theirs = json_get_object(image_config, "Healthcheck"), *own = json_get_object(body, "Healthcheck"), *merged, *v;
        const char *key;

        if (!theirs)
                return;
        merged = json_copy(theirs);
        json_object_foreach(own, key, v)
                if (!is_empty(v) && !(json_is_integer(v) && json_integer_value(v) == 0))
                        json_object_set(merged, key, v);
        json_object_set_new(body, "Healthcheck", merged);
}

int merge_image(json_t *body, const json_t *image_config, struct err *err) {
        static const char *const single[] = { "User", "WorkingDir", "StopSignal", "Shell", "OnBuild" };
        static const char *const maps[] = { "ExposedPorts", "Volumes", "Labels" };

        if (image_config) {
                merge_env(body, json_get_array(image_config, "Env"));
                merge_command(body, image_config);
                merge_healthcheck(body, image_config);
                for (size_t i = 0; i < ARRAY_SIZE(single); i++)
                        merge_if_empty(body, image_config, single[i]);
                for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
                        merge_map(body, image_config, maps[i]);
        }
        if (is_empty(json_object_get(body, "Cmd")) && is_empty(json_object_get(body, "Entrypoint")))
                return err_set(err, ERR_INVALID, -EINVAL, "no command specified");
        return 0;
}
