/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "engine/cdi-yaml.h"

/* Written out, with what anchors repeat. */
static unsigned count(const json_t *v, unsigned level) {
        const char *key;
        json_t *item;
        unsigned n = 1;
        size_t i;

        FUZZ_REQUIRE(level <= CDI_YAML_LEVELS_MAX * CDI_YAML_ANCHORS_MAX);
        if (json_is_string(v))
                FUZZ_REQUIRE(strlen(json_string_value(v)) == json_string_length(v));
        json_array_foreach((json_t *) v, i, item)
                n += count(item, level + 1);
        json_object_foreach((json_t *) v, key, item) {
                FUZZ_REQUIRE(strcmp(key, "<<") != 0);
                n += count(item, level + 1);
        }
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct err err = { 0 };
        json_t *value = NULL;

        if (cdi_yaml_parse((const char *) data, size, "file", &value, &err) == 0) {
                FUZZ_REQUIRE(count(value, 1) <= CDI_YAML_NODES_MAX);
                json_decref(value);
        } else {
                FUZZ_REQUIRE(!value && err.kind != ERR_NONE && *err.msg);
        }
        return 0;
}
