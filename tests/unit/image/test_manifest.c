/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/fetcher.h"
#include "image/manifest.h"
#include "image/progress.h"

#define D(c) "sha256:" c c c c c c c c c c c c c c c c
#define D1 D("0123")
#define D2 D("4567")
#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker.distribution."
#define CONFIG "\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" D1 "\",\"size\":10}"
#define LAYER(type, digest, size) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size "}"
#define GZIP LAYER(OCI "layer.v1.tar+gzip", D2, "20")

static int check(const char *media_type, const char *text, json_t **ret, enum media_type *ret_type, struct err *err) {
        return manifest_check_type(media_type, text, strlen(text), "m", ret_type, ret, err);
}

static void manifests_are_read(void **state) {
        static const struct {
                const char *media_type, *text;
                size_t n_layers;
        } rows[] = {
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[" GZIP "]}", 1 },
                { OCI "manifest.v1+json; charset=utf-8", "{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\"," CONFIG ",\"layers\":[]}", 0 },
                { DOCKER "manifest.v2+json",
                  "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER "manifest.v2+json\",\"config\":{\"mediaType\":\"application/vnd.docker.container.image.v1+json\","
                  "\"digest\":\"" D1 "\",\"size\":10},\"layers\":[" LAYER("application/vnd.docker.image.rootfs.diff.tar.gzip", D2, "20") "," GZIP "]}",
                  2 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_json *object = NULL;
                auto_manifest m = { 0 };
                enum media_type type;
                struct err err = { 0 };

                assert_int_equal(check(rows[i].media_type, rows[i].text, &object, &type, &err), 0);
                assert_int_equal(manifest_parse(object, type, "m", &m, &err), 0);
                assert_int_equal(m.n_layers, rows[i].n_layers);
                assert_int_equal(m.config.size, 10);
        }
}

static void what_is_not_the_manifest_of_an_image_is_refused(void **state) {
        static const struct {
                const char *media_type, *text, *message;
        } rows[] = {
                { "", "{}", "media type \"\"" },
                { "text/html", "<html>", "media type \"text/html\"" },
                { OCI "manifest.v1+json", "[]", "schemaVersion 2" },
                { OCI "manifest.v1+json", "{}", "schemaVersion 2" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2,\"schemaVersion\":2}", "not valid JSON" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2}", "no \"config\"" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG "}", "no \"layers\"" },
                /* CVE-2021-41190: one text, two meanings. */
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}", "ambiguous" },
                { OCI "index.v1+json", "{\"schemaVersion\":2," CONFIG ",\"manifests\":[]}", "ambiguous" },
                { OCI "index.v1+json", "{\"schemaVersion\":2,\"layers\":null,\"manifests\":[]}", "ambiguous" },
                { OCI "index.v1+json", "{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\",\"manifests\":[]}", "calls itself" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2,\"mediaType\":5," CONFIG ",\"layers\":[]}", "calls itself" },
                { DOCKER "manifest.v2+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "calls itself" },
                { DOCKER "manifest.v1+prettyjws", "{\"schemaVersion\":1}", "schema 1" },
                { DOCKER "manifest.v1+json", "{\"schemaVersion\":1}", "schema 1" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\",\"digest\":\"" D1
                                          "\",\"size\":10},\"layers\":[]}", "helm" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER("application/wasm", D2, "20") "]}", "application/wasm" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", D2, "20") "]}", "elsewhere" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(OCI "layer.nondistributable.v1.tar", D2, "20") "]}", "elsewhere" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(OCI "layer.v1.tar", "sha256:../../../x", "20") "]}", "not a sha256 digest" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(OCI "layer.v1.tar", D2, "-1") "]}", "no size" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(OCI "layer.v1.tar", D2, "\"20\"") "]}", "no size" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(OCI "layer.v1.tar", D2, "0") "]}", "is empty" },
                { OCI "manifest.v1+json", "{\"schemaVersion\":2," CONFIG ",\"layers\":[1]}", "without a digest" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_json *object = NULL;
                auto_manifest m = { 0 };
                enum media_type type;
                struct err err = { 0 };
                int r = check(rows[i].media_type, rows[i].text, &object, &type, &err);

                if (r == 0)
                        r = manifest_parse(object, type, "m", &m, &err);
                print_message("# %s\n", err.msg);
                assert_true(r < 0);
                assert_non_null(strstr(err.msg, rows[i].message));
        }
}

static void too_many_layers_are_refused(void **state) {
        auto_json *object = NULL, *layers = json_array();
        auto_manifest m = { 0 };
        struct err err;

        for (int i = 0; i < MANIFEST_LAYERS_MAX + 1; i++)
                json_array_append_new(layers, json_loads(GZIP, 0, NULL));
        object = json_pack("{s:i, s:{s:s, s:s, s:i}, s:O}", "schemaVersion", 2, "config", "mediaType", OCI "config.v1+json", "digest", D1, "size", 1, "layers",
                           layers);
        assert_int_equal(manifest_parse(object, MEDIA_OCI_MANIFEST, "m", &m, &err), -E2BIG);
        json_array_remove(layers, 0);
        assert_int_equal(manifest_parse(object, MEDIA_OCI_MANIFEST, "m", &m, &err), 0);
}

#define ENTRY(type, digest, platform) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":5" platform "}"
#define PLATFORM(os, arch, variant) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" variant "}"
#define M OCI "manifest.v1+json"

static void the_best_platform_is_chosen(void **state) {
        static const struct {
                const char *want, *entries, *digest; /* digest NULL: none matches */
        } rows[] = {
                { "linux/amd64", ENTRY(M, D1, PLATFORM("linux", "arm64", "")) "," ENTRY(M, D2, PLATFORM("linux", "amd64", "")), D2 },
                { "linux/amd64", ENTRY(M, D1, PLATFORM("linux", "amd64", "")) "," ENTRY(M, D2, PLATFORM("linux", "amd64", "")), D1 },
                { "linux/amd64", ENTRY(M, D1, PLATFORM("linux", "amd64", ",\"variant\":\"v3\"")) "," ENTRY(M, D2, PLATFORM("linux", "amd64", "")), D2 },
                { "linux/amd64", ENTRY(M, D1, PLATFORM("linux", "x86_64", "")), D1 },
                { "linux/arm/v7", ENTRY(M, D1, PLATFORM("linux", "arm", ",\"variant\":\"v5\"")) "," ENTRY(M, D2, PLATFORM("linux", "arm", ",\"variant\":\"v6\"")), D2 },
                { "linux/amd64", ENTRY(M, D1, "") "," ENTRY(M, D2, PLATFORM("linux", "amd64", "")), D2 },
                { "linux/amd64", ENTRY(M, D1, ""), D1 },
                { "linux/amd64", ENTRY(M, D1, PLATFORM("unknown", "unknown", "")), NULL },
                { "linux/amd64", ENTRY(M, D1, ",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}"), NULL },
                { "linux/amd64", ENTRY(M, D1, PLATFORM("windows", "amd64", "")), NULL },
                { "linux/amd64", ENTRY(OCI "index.v1+json", D1, PLATFORM("linux", "amd64", "")), NULL },
                { "linux/amd64", "1,null,[],{}", NULL },
                { "linux/amd64", "", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_free char *text = str_format("{\"manifests\":[%s]}", rows[i].entries);
                auto_json *index = json_loads(text, 0, NULL);
                char digest[DIGEST_TEXT_SIZE];
                struct platform want;
                struct descriptor d;
                enum media_type type;
                struct err err;
                int r;

                print_message("# %zu\n", i);
                assert_non_null(index);
                assert_int_equal(platform_parse(rows[i].want, &want, &err), 0);
                r = index_choose(index, &want, "m", &d, &type, &err);
                if (!rows[i].digest) {
                        assert_int_equal(r, -ENOENT);
                        assert_string_equal(err.msg, "no matching manifest for linux/amd64 in the manifest list entries");
                        continue;
                }
                assert_int_equal(r, 0);
                digest_format(&d.digest, digest);
                assert_string_equal(digest, rows[i].digest);
                assert_int_equal(type, MEDIA_OCI_MANIFEST);
        }
}

static void configs_are_checked(void **state) {
        static const struct {
                const char *text, *message; /* message NULL: good */
        } rows[] = {
                { "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]}}", NULL },
                { "{\"created\":\"nonsense\",\"rootfs\":{\"type\":\"layers\"},\"config\":null}", NULL },
                { "{}", "no rootfs" },
                { "[]", "no rootfs" },
                { "{\"rootfs\":{\"type\":\"tree\"}}", "no rootfs" },
                { "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:../../etc\"]}}", "not a sha256 digest" },
                { "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[5]}}", "not a sha256 digest" },
                { "{\"rootfs\":{\"type\":\"layers\"},\"config\":[]}", "not an object" },
                { "{\"rootfs\":", "not valid JSON" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_image_config c = { 0 };
                struct err err = { 0 };
                int r = image_config_parse(rows[i].text, strlen(rows[i].text), "c", &c, &err);

                print_message("# %s: %s\n", rows[i].text, err.msg);
                assert_int_equal(r < 0, rows[i].message != NULL);
                if (rows[i].message)
                        assert_non_null(strstr(err.msg, rows[i].message));
        }
}

static void only_this_machine_is_loopback(void **state) {
        static const char *const yes[] = { "localhost", "localhost:5000", "127.0.0.1", "127.0.0.1:5000", "127.9.8.7:1", "[::1]", "[::1]:5000" };
        static const char *const no[] = { "localhost.example", "example:5000", "127.0.0.1.example", "127.1", "10.0.0.1:5000", "[::2]:5000", "[::1].example",
                                          "localhostx:1", "docker.io", "1127.0.0.1" };

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
                assert_true(registry_is_loopback(yes[i]));
        for (size_t i = 0; i < ARRAY_SIZE(no); i++)
                assert_false(registry_is_loopback(no[i]));
}

static void the_bar_is_that_of_docker(void **state) {
        static const struct {
                uint64_t current, total;
                const char *bar;
        } rows[] = {
                { 0, 1000, "[>                                                  ]       0B/1kB" },
                { 500, 1000, "[=========================>                         ]     500B/1kB" },
                { 4321000, 4321000, "[==================================================>]  4.321MB/4.321MB" },
                { 2000, 1000, "[==================================================>]      2kB/1kB" },
                { 7, 0, "[>                                                  ]       7B/0B" },
                { UINT64_MAX, UINT64_MAX, "[==================================================>]  18.45EB/18.45EB" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char bar[120];

                progress_bar(rows[i].current, rows[i].total, bar, sizeof(bar));
                assert_string_equal(bar, rows[i].bar);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(manifests_are_read),
                cmocka_unit_test(what_is_not_the_manifest_of_an_image_is_refused),
                cmocka_unit_test(too_many_layers_are_refused),
                cmocka_unit_test(the_best_platform_is_chosen),
                cmocka_unit_test(configs_are_checked),
                cmocka_unit_test(only_this_machine_is_loopback),
                cmocka_unit_test(the_bar_is_that_of_docker),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
