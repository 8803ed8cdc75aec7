/* SPDX-License-Identifier: Apache-2.0 */

/* Everything between the bytes of a request and the engine that needs no socket: versions, routes, queries, credentials, status codes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/auth.h"
#include "api/query.h"
#include "api/route.h"
#include "api/status.h"
#include "base/err.h"
#include "base/json.h"

static void negotiates_versions(void **state) {
        static const struct {
                const char *url, *path;
                unsigned minor;
                const char *refused;
        } rows[] = {
                { "/_ping", "/_ping", 52 },
                { "/v1.24/_ping", "/_ping", 24 },
                { "/v1.51/images/v1.2/json", "/images/v1.2/json", 51 },
                { "/v1.23/_ping", .refused = "too old" },
                { "/v0.99/_ping", .refused = "too old" },
                { "/v1.53/_ping", .refused = "too new" },
                { "/v2.0/_ping", .refused = "too new" },
                /* No version: paths that no route has. */
                { "/v1/_ping", "/v1/_ping", 52 },
                { "/v1.24", "/v1.24", 52 },
                { "/v1.9999/_ping", "/v1.9999/_ping", 52 },
                { "/v1.2x/_ping", "/v1.2x/_ping", 52 },
                { "/volumes", "/volumes", 52 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *path = NULL;
                unsigned minor = 0;
                struct err err;
                int r = route_version(rows[i].url, &minor, &path, &err);

                if (rows[i].refused) {
                        assert_int_equal(r, -EINVAL);
                        assert_non_null(strstr(err.msg, rows[i].refused));
                } else {
                        assert_int_equal(r, 0);
                        assert_string_equal(path, rows[i].path);
                        assert_int_equal(minor, rows[i].minor);
                }
        }
}

static void matches_patterns(void **state) {
        static const struct {
                const char *pattern, *path, *capture; /* NULL: does not match; "": matches without a capture */
        } rows[] = {
                { "/info", "/info", "" },
                { "/info", "/info/", NULL },
                { "/info", "/inf", NULL },
                { "/containers/{name}/json", "/containers/a/json", "a" },
                { "/containers/{name}/json", "/containers//json", NULL },
                { "/containers/{name}/json", "/containers/json", NULL },
                { "/containers/{name}/json", "/containers/a/b/json", NULL },
                { "/containers/{name}", "/containers/a", "a" },
                { "/containers/{name}", "/containers/", NULL },
                { "/images/{name*}/json", "/images/json", NULL },
                { "/images/{name*}/json", "/images/json/json", "json" },
                { "/images/{name*}/json", "/images/h:5000/a/b/json", "h:5000/a/b" },
                { "/images/{name*}", "/images/a/b", "a/b" },
                { "/images/{name*}/json", "/image/", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *capture = NULL;
                size_t size = 0;

                assert_int_equal(route_match(rows[i].pattern, rows[i].path, &capture, &size), rows[i].capture != NULL);
                if (rows[i].capture && *rows[i].capture) {
                        assert_int_equal(size, strlen(rows[i].capture));
                        assert_memory_equal(capture, rows[i].capture, size);
                }
        }
}

/* No row may be hidden behind an earlier one of the same method. */
static void reaches_every_route(void **state) {
        for (size_t i = 0; i < api_n_routes; i++) {
                char path[128];
                const char *open = strchr(api_routes[i].pattern, '{'), *close = strchr(api_routes[i].pattern, '}'), *capture;
                size_t size;

                assert_true((api_routes[i].handle != NULL) != (api_routes[i].refusal != NULL));
                assert_true((api_routes[i].body == ROUTE_BODY_UPLOAD) == (api_routes[i].upload != NULL));
                if (open)
                        snprintf(path, sizeof(path), "%.*sX%s", (int) (open - api_routes[i].pattern), api_routes[i].pattern, close + 1);
                else
                        snprintf(path, sizeof(path), "%s", api_routes[i].pattern);
                assert_ptr_equal(route_find(api_routes, api_n_routes, api_routes[i].method, path, 51, &capture, &size), &api_routes[i]);
        }
}

static struct query query_of(const char *key, const char *value) {
        return (struct query) { .args = { { key, value } }, .n = 1 };
}

static void decodes_truth(void **state) {
        static const struct {
                const char *text;
                int wanted; /* −1: refused */
        } rows[] = {
                { "1", 1 }, { "true", 1 }, { "True", 1 }, { "TRUE", 1 }, { "t", 1 }, { "0", 0 }, { "false", 0 }, { "False", 0 }, { "", 0 },
                { "2", -1 }, { "truex", -1 }, { " true", -1 }, { "maybe", -1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct query q = query_of("all", rows[i].text);
                bool value = false;
                struct err err;

                assert_int_equal(query_bool(&q, "all", true, &value, &err), rows[i].wanted < 0 ? -EINVAL : 0);
                if (rows[i].wanted >= 0)
                        assert_int_equal(value, rows[i].wanted);
                assert_int_equal(query_bool(&q, "missing", true, &value, &err), 0);
                assert_true(value);
        }
}

static void decodes_numbers_and_times(void **state) {
        static const struct {
                const char *text;
                int64_t number, time; /* INT64_MIN: refused */
        } rows[] = {
                { "5", 5, 5000000000 },
                { "-3", -3, INT64_MIN },
                { "--3", INT64_MIN, INT64_MIN },
                { "101", INT64_MIN, 101000000000 },
                { "1.5", INT64_MIN, 1500000000 },
                { "1.000000001", INT64_MIN, 1000000001 },
                { "1.", INT64_MIN, INT64_MIN },
                { "1.0000000001", INT64_MIN, INT64_MIN },
                { "0x1", INT64_MIN, INT64_MIN },
                { "99999999999999999999", INT64_MIN, INT64_MIN },
                { "9223372036", INT64_MIN, INT64_MIN },
                { "", 7, 0 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct query q = query_of("n", rows[i].text);
                int64_t value = -1;
                struct err err;
                int r = query_int(&q, "n", -10, 100, 7, &value, &err);

                assert_int_equal(r < 0, rows[i].number == INT64_MIN);
                if (r == 0)
                        assert_int_equal(value, rows[i].number);
                r = query_time(&q, "n", &value, &err);
                assert_int_equal(r < 0, rows[i].time == INT64_MIN);
                if (r == 0)
                        assert_int_equal(value, rows[i].time);
        }
}

static void decodes_filters(void **state) {
        static const struct {
                const char *text, *wanted; /* NULL: refused */
        } rows[] = {
                { "{}", "{}" },
                { "{\"name\":[\"a\",\"b\"]}", "{\"name\":[\"a\",\"b\"]}" },
                { "{\"name\":{\"a\":true,\"b\":false}}", "{\"name\":[\"a\"]}" },
                { "{\"name\":\"a\"}", NULL },
                { "{\"name\":[1]}", NULL },
                { "{\"name\":{\"a\":1}}", NULL },
                { "[]", NULL },
                { "{", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct query q = query_of("filters", rows[i].text);
                auto_json *filters = NULL;
                auto_free char *text = NULL;
                struct err err;
                int r = query_filters(&q, &filters, &err);

                assert_int_equal(r, rows[i].wanted ? 0 : -EINVAL);
                if (!rows[i].wanted)
                        continue;
                text = json_text(filters);
                assert_string_equal(text, rows[i].wanted);
        }
}

static void decodes_credentials(void **state) {
        static const struct {
                const char *header;
                int wanted;
                const char *username, *password;
        } rows[] = {
                { NULL, 0 },
                { "", 0 },
                { "e30=", 0 },
                { "e30", 0 },
                { "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InDDuz8_In0=", 0, "u", "p\xc3\xbb??" },
                { "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InDDuz8/In0=", 0, "u", "p\xc3\xbb??" },
                { "eyJ1c2VybmFtZSI6InUi", -EINVAL },
                { "e30==", -EINVAL },
                { "e30===", -EINVAL },
                { "e31=", -EINVAL },
                { "=", -EINVAL },
                { "e 0=", -EINVAL },
                { "bnVsbA==", -EINVAL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct api_auth auth;
                struct err err;

                assert_int_equal(api_auth_decode(rows[i].header, &auth, &err), rows[i].wanted);
                if (rows[i].username) {
                        assert_string_equal(auth.username, rows[i].username);
                        assert_string_equal(auth.password, rows[i].password);
                } else {
                        assert_null(auth.username);
                        assert_null(auth.password);
                }
                api_auth_done(&auth);
        }
}

static void gives_each_kind_a_status(void **state) {
        struct err err;
        char text[sizeof(err.msg)];

        for (int kind = ERR_INVALID; kind < _ERR_KIND_MAX; kind++)
                assert_in_range(api_status_of((enum err_kind) kind), 300, 599);
        assert_int_equal(api_status_of(ERR_CONFLICT), 409);
        assert_int_equal(api_status_of((enum err_kind) 999), 500);
        err_set(&err, ERR_NO_COMMAND, -ENOENT, "exec: x: executable file not found in $PATH");
        api_status_message(&err, text, sizeof(text));
        assert_string_equal(text, err.msg);
        err_set(&err, ERR_NO_COMMAND, -ENOENT, "exec: /x: no such file or directory"); /* says the same to a client */
        api_status_message(&err, text, sizeof(text));
        assert_string_equal(text, err.msg);
        err_set(&err, ERR_NOT_EXECUTABLE, -EACCES, "exec: x: Permission denied");
        api_status_message(&err, text, sizeof(text));
        assert_string_equal(text, "exec: x: Permission denied: permission denied");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(negotiates_versions),
                cmocka_unit_test(matches_patterns),
                cmocka_unit_test(reaches_every_route),
                cmocka_unit_test(decodes_truth),
                cmocka_unit_test(decodes_numbers_and_times),
                cmocka_unit_test(decodes_filters),
                cmocka_unit_test(decodes_credentials),
                cmocka_unit_test(gives_each_kind_a_status),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
