/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "image/digest.h"
#include "image/image.h"
#include "image/platform.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DIGEST "sha256:" HEX64
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void parses_with_docker_defaults(void **state) {
        static const struct {
                const char *text, *registry, *repository, *tag, *digest, *familiar;
        } rows[] = {
                { "busybox", "docker.io", "library/busybox", "latest", "", "busybox:latest" },
                { "busybox:1.36", "docker.io", "library/busybox", "1.36", "", "busybox:1.36" },
                { "docker.io/busybox", "docker.io", "library/busybox", "latest", "", "busybox:latest" },
                { "index.docker.io/busybox", "docker.io", "library/busybox", "latest", "", "busybox:latest" },
                { "docker.io/library/busybox:a", "docker.io", "library/busybox", "a", "", "busybox:a" },
                { "user/app", "docker.io", "user/app", "latest", "", "user/app:latest" },
                { "a/b/c:Tag_1.x-", "docker.io", "a/b/c", "Tag_1.x-", "", "a/b/c:Tag_1.x-" },
                { "localhost/x", "localhost", "x", "latest", "", "localhost/x:latest" },
                { "localhost", "docker.io", "library/localhost", "latest", "", "localhost:latest" },
                { "localhost:5000", "docker.io", "library/localhost", "5000", "", "localhost:5000" },
                { "localhost:5000/a/b:1", "localhost:5000", "a/b", "1", "", "localhost:5000/a/b:1" },
                { "127.0.0.1:5000/a", "127.0.0.1:5000", "a", "latest", "", "127.0.0.1:5000/a:latest" },
                { "[::1]:5000/a", "[::1]:5000", "a", "latest", "", "[::1]:5000/a:latest" },
                { "[fe80::1]/a", "[fe80::1]", "a", "latest", "", "[fe80::1]/a:latest" },
                { "kist.local/busybox", "kist.local", "busybox", "latest", "", "kist.local/busybox:latest" },
                { "Upper/x", "Upper", "x", "latest", "", "Upper/x:latest" },
                { "a__b/c-d.e_f---g", "docker.io", "a__b/c-d.e_f---g", "latest", "", "a__b/c-d.e_f---g:latest" },
                { "a@" DIGEST, "docker.io", "library/a", "", DIGEST, "a@" DIGEST },
                { "a:1@" DIGEST, "docker.io", "library/a", "1", DIGEST, "a:1@" DIGEST },
                { "r.example/a@" DIGEST, "r.example", "a", "", DIGEST, "r.example/a@" DIGEST },
                { "docker.io/a.b/c", "docker.io", "a.b/c", "latest", "", "docker.io/a.b/c:latest" },
                { "docker.io/library/" HEX64, "docker.io", "library/" HEX64, "latest", "", "docker.io/library/" HEX64 ":latest" },
                { "x:" A64 A64, "docker.io", "library/x", A64 A64, "", "x:" A64 A64 },
                { "sha256:abcd", "docker.io", "library/sha256", "abcd", "", "sha256:abcd" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct image_reference r, again;
                struct err err = { 0 };
                char text[600];

                print_message("# %s\n", rows[i].text);
                assert_int_equal(image_reference_parse(rows[i].text, &r, &err), 0);
                assert_string_equal(r.registry, rows[i].registry);
                assert_string_equal(r.repository, rows[i].repository);
                assert_string_equal(r.tag, rows[i].tag);
                assert_string_equal(r.digest, rows[i].digest);
                image_reference_familiar(&r, text, sizeof(text));
                assert_string_equal(text, rows[i].familiar);
                /* What is written reads as the same, in both forms. */
                assert_int_equal(image_reference_parse(text, &again, &err), 0);
                assert_memory_equal(&r, &again, sizeof(r));
                image_reference_canonical(&r, text, sizeof(text));
                assert_int_equal(image_reference_parse(text, &again, &err), 0);
                assert_memory_equal(&r, &again, sizeof(r));
        }
}

static void refuses_what_is_not_a_reference(void **state) {
        static const char *const rows[] = {
                "", ":", "@", "/", "a/", "/a", "a//b", "a:", "a:b:c", "a@", "a@sha256:abc", "a@sha512:" A64 A64, "a@" DIGEST "0", "a@SHA256:" HEX64,
                "a@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "Foo", "docker.io/Foo", "localhost:5000/Foo:x", "a b", "a\n",
                "-a", "a-", ".a", "a.", "a..b", "a___b", "a._b", "_a", "a:.x", "a:-x", "a:x/y", "a:x y", "x:" A64 A64 "a", HEX64, "é", "a:é", "..",
                "../etc/passwd", "a/../b", "localhost:/a", "localhost:x/a", "-r.example/a", "r.example-/a", "r..example/a", "[::1/a", "[zz::]/a", "[1]/a",
                "http://r.example/a", "r.example:99:9/a", "a@" DIGEST "@" DIGEST, "a@" DIGEST ":1", "a%2e", "a\\b", "a?b", "a#b",
                A64 A64 A64 "/" A64 /* 257 characters */,
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct image_reference r;
                struct err err = { 0 };

                print_message("# %s\n", rows[i]);
                assert_int_equal(image_reference_parse(rows[i], &r, &err), -EINVAL);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_non_null(strstr(err.msg, "invalid reference format"));
        }
}

static void a_reference_without_end_is_refused(void **state) {
        static char huge[100001];
        struct image_reference r;
        struct err err;

        memset(huge, 'a', sizeof(huge) - 1);
        assert_int_equal(image_reference_parse(huge, &r, &err), -EINVAL);
}

static void the_longest_reference_is_taken(void **state) {
        char text[512], *at = text;
        struct image_reference r;
        struct err err;

        at = stpcpy(at, "r.io/");
        at = memset(at, 'a', 250), at += 250;
        at = stpcpy(at, ":" A64 A64 "@" DIGEST);
        assert_int_equal(image_reference_parse(text, &r, &err), 0);
        assert_int_equal(strlen(r.repository), 250);
        assert_int_equal(strlen(r.tag), 128);
}

static void digests_are_only_sha256_in_lower_case(void **state) {
        static const char *const bad[] = {
                "", "sha256:", HEX64, "sha256:../../../../etc/passwd", "sha256:" HEX64 "a", "sha256:" HEX64 "/", "sha512:" HEX64, "SHA256:" HEX64,
                "sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
                " " DIGEST, DIGEST " ", "sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        };
        char text[DIGEST_TEXT_SIZE];
        struct digest d;

        assert_true(image_digest_is_valid(DIGEST));
        assert_false(image_digest_is_valid(NULL));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(image_digest_is_valid(bad[i]));
        digest_of("", 0, &d);
        digest_format(&d, text);
        assert_string_equal(text, DIGEST);
}

static void platforms_are_read_in_many_spellings(void **state) {
        static const struct {
                const char *text, *normal; /* NULL: refused */
        } rows[] = {
                { "linux/amd64", "linux/amd64" }, { "linux/x86_64", "linux/amd64" }, { "Linux/AMD64/v1", "linux/amd64" }, { "linux/amd64/v3", "linux/amd64/v3" },
                { "linux/aarch64", "linux/arm64" }, { "linux/arm64/v8", "linux/arm64" }, { "linux/arm", "linux/arm/v7" }, { "linux/armhf", "linux/arm/v7" },
                { "linux/armel", "linux/arm/v6" }, { "linux/arm/6", "linux/arm/v6" }, { "linux/i386", "linux/386" }, { "windows/amd64", "windows/amd64" },
                { "linux", NULL }, { "linux/", NULL }, { "/amd64", NULL }, { "linux/amd64/", NULL }, { "linux/amd64/v1/x", NULL }, { "linux/a b", NULL },
                { "linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct platform p;
                struct err err;
                char text[100];
                int r = platform_parse(rows[i].text, &p, &err);

                print_message("# %s\n", rows[i].text);
                assert_int_equal(r, rows[i].normal ? 0 : -EINVAL);
                if (r < 0)
                        continue;
                platform_format(&p, text, sizeof(text));
                assert_string_equal(text, rows[i].normal);
        }
}

static void an_arm_takes_its_own_variant_or_an_older(void **state) {
        static const struct {
                const char *want, *better, *worse; /* worse NULL: better does not serve at all */
        } rows[] = {
                { "linux/arm/v7", "linux/arm/v7", "linux/arm/v6" }, { "linux/arm/v7", "linux/arm/v6", "linux/arm/v5" },
                { "linux/arm/v6", "linux/arm/v7", NULL },           { "linux/amd64", "linux/amd64/v3", NULL },
                { "linux/amd64/v3", "linux/amd64/v3", "linux/amd64" }, { "linux/amd64", "linux/arm64", NULL },
                { "linux/amd64", "windows/amd64", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct platform want, better, worse;
                struct err err;

                platform_parse(rows[i].want, &want, &err);
                platform_parse(rows[i].better, &better, &err);
                if (!rows[i].worse) {
                        assert_int_equal(platform_score(&want, &better), 0);
                        continue;
                }
                platform_parse(rows[i].worse, &worse, &err);
                assert_true(platform_score(&want, &better) > platform_score(&want, &worse));
                assert_true(platform_score(&want, &worse) > 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(parses_with_docker_defaults),
                cmocka_unit_test(refuses_what_is_not_a_reference),
                cmocka_unit_test(a_reference_without_end_is_refused),
                cmocka_unit_test(the_longest_reference_is_taken),
                cmocka_unit_test(digests_are_only_sha256_in_lower_case),
                cmocka_unit_test(platforms_are_read_in_many_spellings),
                cmocka_unit_test(an_arm_takes_its_own_variant_or_an_older),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
