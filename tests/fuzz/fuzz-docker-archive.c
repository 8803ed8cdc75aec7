/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/docker-archive.h"
#include "image/load-layers.h"
#include "image/manifest.h"

enum { EVENTS_MAX = 64, INPUT_MAX = 1 << 20 };

/* A manifest that is made of what an archive says is one that we take. */
static void require_manifest(const char *text) {
        auto_manifest m = { 0 };
        auto_json *object = NULL;
        enum media_type type;
        struct err err;

        FUZZ_REQUIRE(manifest_check_type(media_type_name(MEDIA_OCI_MANIFEST), text, strlen(text), "input", &type, &object, &err) == 0);
        FUZZ_REQUIRE(manifest_parse(object, type, "input", &m, &err) == 0 || *err.msg);
}

/* {"events": [what a load worker tells of members], "image": one of manifest.json}; every digest in the events is one of a layer that came. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        auto_json *input = NULL, *members = json_object();
        struct load_layer came[EVENTS_MAX] = { 0 }, *list[EVENTS_MAX];
        struct load_layers layers = { .list = list };
        auto_free char *manifest = NULL;
        struct err err;
        json_t *event;
        size_t i;

        if (!members || json_parse((const char *) data, size, INPUT_MAX, "input", &input, &err) < 0)
                return 0;
        json_array_foreach(json_get_array(input, "events"), i, event) {
                if (docker_archive_member(members, event, &err) < 0)
                        FUZZ_REQUIRE(err.kind != ERR_NONE && !strchr(err.msg, '\n'));
                if (layers.n < EVENTS_MAX && digest_parse(json_get_str(event, "digest", NULL), &came[layers.n].unpacked.blob)) {
                        came[layers.n].unpacked.blob_size = 10;
                        list[layers.n] = &came[layers.n];
                        layers.n++;
                }
        }
        if (docker_archive_manifest(members, (const int[]) { -1, -1 }, &layers, json_object_get(input, "image"), &manifest, &err) == 0)
                require_manifest(manifest);
        else
                FUZZ_REQUIRE(err.kind != ERR_NONE && *err.msg && !strchr(err.msg, '\n'));
        return 0;
}
