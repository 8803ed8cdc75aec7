/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "capture.h"
#include "cli/context-store.h"
#include "place.h"

/* sha256 of "box": where Docker's command keeps it, too. */
#define BOX_HASH "26f8567f2569182294c3fa5b9f9cb2270b554eef628b4c149cf82a42888ff4ae"

static json_t *make_meta(const char *name, const char *host) {
        return json_pack("{s:s, s:{s:s}, s:{s:{s:s, s:b}}}", "Name", name, "Metadata", "Description", "of a test", "Endpoints", "docker", "Host", host, "SkipTLSVerify", 0);
}

static void save(const char *name, const char *host) {
        auto_json *meta = make_meta(name, host);
        struct err err = { 0 };

        if (context_save(name, meta, &err) < 0)
                fail_msg("%s", err.msg);
}

static void names(void **state) {
        static const char *const good[] = { "ab", "my.ctx+1_-", "0a", "A9" };
        static const char *const bad[] = { "", "a", "default", ".a", "-a", "_a", "+a", "a/b", "../x", "a b", "a\nb", "a\033[2Jb", "\xc3\xa9\xc3\xa9", "a*", "a;b", "..", "/etc" };
        struct err err = { 0 };
        char longest[300];

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_int_equal(context_check_name(good[i], &err), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                json_t *meta = NULL;

                if (context_check_name(bad[i], &err) != -EINVAL)
                        fail_msg("\"%s\" is taken", bad[i]);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_int_equal(context_load(bad[i], &meta, &err), -EINVAL);
                assert_null(meta);
        }
        memset(longest, 'a', sizeof(longest));
        longest[201] = '\0';
        assert_int_equal(context_check_name(longest, &err), -EINVAL);
        longest[200] = '\0';
        assert_int_equal(context_check_name(longest, &err), 0);
}

/* Whatever a name is, its files lie in a directory whose name is a digest. */
static void no_name_leads_elsewhere(void **state) {
        static const char *const strange[] = { "../../../etc", "/etc/passwd", "..", "a/../../b", "" };

        for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
                auto_free char *meta = context_meta_directory(strange[i]), *tls = context_tls_directory(strange[i]), *begin = place_path("contexts/");

                assert_int_equal(strncmp(meta, begin, strlen(begin)), 0);
                assert_int_equal(strncmp(tls, begin, strlen(begin)), 0);
                assert_null(strstr(meta, ".."));
                assert_null(strstr(tls, ".."));
                assert_int_equal(strspn(strrchr(meta, '/') + 1, "0123456789abcdef"), 64);
        }
}

static void saved_found_listed_and_removed(void **state) {
        struct err err = { 0 };
        json_t *meta = NULL;
        auto_free char *text = NULL;

        assert_int_equal(context_load("box", &meta, &err), -ENOENT);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        save("box", "tcp://box:2376");
        save("az", "unix:///x");
        text = place_read("contexts/meta/" BOX_HASH "/meta.json");
        assert_non_null(strstr(text, "tcp://box:2376"));
        assert_int_equal(context_load("box", &meta, &err), 0);
        assert_string_equal(context_host(meta), "tcp://box:2376");
        json_decref(meta);
        assert_int_equal(context_tls_write("box", "key.pem", "SECRET", 6, &err), 0);
        assert_int_equal(place_mode("contexts/tls/" BOX_HASH "/docker/key.pem"), 0600);
        assert_int_equal(place_mode("contexts/tls/" BOX_HASH "/docker"), 0700);
        meta = context_all();
        assert_int_equal(json_array_size(meta), 2);
        assert_string_equal(json_get_str(json_array_get(meta, 0), "Name", ""), "az");
        json_decref(meta);
        assert_int_equal(context_tls_write("box", "key.pem", NULL, 0, &err), 0);
        assert_int_equal(place_mode("contexts/tls/" BOX_HASH "/docker/key.pem"), -1);
        assert_int_equal(context_tls_write("box", "key.pem", NULL, 0, &err), 0); /* there is none */
        assert_int_equal(context_tls_write("box", "ca.pem", "C", 1, &err), 0);
        assert_int_equal(context_remove("box", &err), 0);
        assert_int_equal(context_remove("az", &err), 0);
        assert_int_equal(place_mode("contexts/tls/" BOX_HASH), -1);
        assert_int_equal(place_mode("contexts/meta/" BOX_HASH), -1);
        assert_int_equal(context_load("box", &meta, &err), -ENOENT);
}

/* What is broken is said of, and hides no other. */
static void broken_files(void **state) {
        static const struct {
                const char *text, *want;
        } rows[] = {
                { "", "not valid JSON" }, { "{\"Name\":\"box\"", "not valid JSON" }, { "[]", "has no name" }, { "{}", "has no name" }, { "{\"Name\":5}", "has no name" },
                { "{\"Name\":\"box\",\"Name\":\"other\"}", "duplicate" }, { "\xff\xfe", "not valid JSON" },
        };
        struct err err = { 0 };

        save("box", "tcp://box");
        save("az", "tcp://az");
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                json_t *meta = NULL, *all;
                const char *said;

                place_write("contexts/meta/" BOX_HASH "/meta.json", rows[i].text, 0644);
                if (context_load("box", &meta, &err) >= 0)
                        fail_msg("%s is taken", rows[i].text);
                if (!strstr(err.msg, rows[i].want))
                        fail_msg("%s: %s", rows[i].text, err.msg);
                assert_null(meta);
                capture_begin();
                all = context_all();
                said = capture_end();
                assert_int_equal(json_array_size(all), 1);
                assert_string_equal(json_get_str(json_array_get(all, 0), "Name", ""), "az");
                assert_int_equal(strncmp(said, "kist: warning: ", 15), 0);
                assert_non_null(strstr(said, rows[i].want));
                json_decref(all);
        }
        assert_int_equal(context_remove("box", &err), 0);
        assert_int_equal(context_remove("az", &err), 0);
}

/* Members of other types than are meant are none. */
static void strange_members(void **state) {
        static const char *const rows[] = { "{\"Name\":\"box\"}", "{\"Name\":\"box\",\"Endpoints\":[]}", "{\"Name\":\"box\",\"Endpoints\":{\"docker\":\"x\"}}",
                                            "{\"Name\":\"box\",\"Endpoints\":{\"docker\":{\"Host\":7}}}", "{\"Name\":\"box\",\"Endpoints\":{\"kubernetes\":{\"Host\":\"x\"}}}" };
        struct err err = { 0 };

        save("box", "tcp://box");
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                json_t *meta = NULL;

                place_write("contexts/meta/" BOX_HASH "/meta.json", rows[i], 0644);
                assert_int_equal(context_load("box", &meta, &err), 0);
                assert_string_equal(context_host(meta), "");
                json_decref(meta);
        }
        assert_int_equal(context_remove("box", &err), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names),
                cmocka_unit_test(no_name_leads_elsewhere),
                cmocka_unit_test(saved_found_listed_and_removed),
                cmocka_unit_test(broken_files),
                cmocka_unit_test(strange_members),
        };
        return cmocka_run_group_tests(tests, place_make, place_remove);
}
