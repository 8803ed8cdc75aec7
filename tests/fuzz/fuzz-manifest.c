/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "image/manifest.h"

/* The text as a registry could send it under each media type, as an index, and as a config. */
static void as_type(enum media_type said, const uint8_t *data, size_t size) {
        const struct platform want = { .os = "linux", .arch = "amd64" };
        auto_manifest m = { 0 };
        auto_json *object = NULL;
        enum media_type type;
        struct descriptor d;
        struct err err;

        if (manifest_check_type(media_type_name(said), data, size, "input", &type, &object, &err) < 0) {
                FUZZ_REQUIRE(err.kind != ERR_NONE && *err.msg && !strchr(err.msg, '\n'));
                return;
        }
        FUZZ_REQUIRE(type == said && json_is_object(object));
        if (media_type_is_index(type)) {
                FUZZ_REQUIRE(!json_object_get(object, "layers"));
                if (index_choose(object, &want, "input", &d, &type, &err) == 0)
                        FUZZ_REQUIRE(media_type_is_manifest(type) && d.size <= MANIFEST_SIZE_MAX);
        } else {
                FUZZ_REQUIRE(!json_object_get(object, "manifests"));
                if (manifest_parse(object, type, "input", &m, &err) == 0)
                        FUZZ_REQUIRE(m.n_layers <= MANIFEST_LAYERS_MAX && m.config.size <= CONFIG_SIZE_MAX);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        auto_image_config c = { 0 };
        struct err err;

        for (int t = MEDIA_UNKNOWN; t < _MEDIA_MAX; t++)
                as_type((enum media_type) t, data, size);
        if (image_config_parse(data, size, "input", &c, &err) == 0)
                FUZZ_REQUIRE(c.n_diff_ids <= MANIFEST_LAYERS_MAX && json_is_object(c.json));
        return 0;
}
