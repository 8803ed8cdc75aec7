/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "capture.h"
#include "cli/config.h"
#include "cli/credentials.h"
#include "place.h"

/* The configuration is read once: the first test sees the broken file, the others fill the object that is in memory then. */
static void set_config(const char *text) {
        auto_json *object = json_loads(text, 0, NULL);

        assert_non_null(object);
        json_object_clear(config_object());
        json_object_update(config_object(), object);
}

/* docker-credential-NAME: a shell script. */
static void make_helper(const char *name, const char *script) {
        char file[100], text[1024];

        snprintf(file, sizeof(file), "docker-credential-%s", name);
        snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
        place_write(file, text, 0755);
}

static void a_broken_config_is_a_warning_and_then_empty(void **state) {
        struct err err = { 0 };
        json_t *got = NULL;

        place_write("config.json", "{\"auths\": {\"a.example\": {\"auth\": \"dTpw\"}}", 0600);
        capture_begin();
        assert_int_equal(credentials_get("a.example", &got, &err), 0);
        assert_int_equal(credentials_get("a.example", &got, &err), 0);
        assert_non_null(strstr(capture_end(), "config.json is not valid JSON"));
        assert_null(got);
        assert_int_equal(json_object_size(config_object()), 0);
}

static void the_registry_of_a_name(void **state) {
        static const char hub[] = "https://index.docker.io/v1/";
        static const struct {
                const char *reference, *registry;
        } rows[] = {
                { "busybox", hub },           { "library/busybox", hub },           { "docker.io/a", hub }, { "index.docker.io/a", hub }, { "", hub },
                { "/a", hub },                { "localhost/a", "localhost" },        { "localhost:5000/a:1", "localhost:5000" },
                { "quay.io/a/b", "quay.io" }, { "a.b@x/c", "a.b@x" },
        };
        static const struct {
                const char *server, *key;
        } keys[] = {
                { NULL, hub }, { "docker.io", hub }, { "https://index.docker.io/v1/", hub }, { "https://quay.io/v2/", "quay.io" }, { "localhost:5000", "localhost:5000" }, { "docker.io.evil", "docker.io.evil" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_free char *got = credentials_registry(rows[i].reference);

                assert_string_equal(got, rows[i].registry);
        }
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                auto_free char *got = credentials_key(keys[i].server);

                assert_string_equal(got, keys[i].key);
        }
}

static void what_config_json_holds(void **state) {
        struct err err = { 0 };
        json_t *got = NULL;

        set_config("{\"auths\": {\"https://a.example/v1/\": {\"auth\": \"dXNlcjpwOnc=\"}, \"t.example\": {\"auth\": \"dTo=\", \"identitytoken\": \"tok\"}}}");
        assert_int_equal(credentials_get("a.example", &got, &err), 0);
        assert_string_equal(json_get_str(got, "username", ""), "user");
        assert_string_equal(json_get_str(got, "password", ""), "p:w"); /* only the first colon parts them */
        assert_string_equal(json_get_str(got, "serveraddress", ""), "a.example");
        json_decref(got);
        assert_int_equal(credentials_get("t.example", &got, &err), 0);
        assert_string_equal(json_get_str(got, "identitytoken", ""), "tok");
        json_decref(got);
        /* The beginning of a name is not the name. */
        assert_int_equal(credentials_get("a.exampl", &got, &err), 0);
        assert_null(got);
        assert_int_equal(credentials_get("a.example.evil", &got, &err), 0);
        assert_null(got);
}

static void what_is_no_auth_is_refused_without_showing_it(void **state) {
        static const char *const packed[] = { "dXNlcg==" /* no colon */, "dTpw!", "%%%", "dXNlcjpwAHc=" /* a NUL in it */, "dTp", "=" };
        struct err err = { 0 };
        json_t *got = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(packed); i++) {
                char text[200];

                snprintf(text, sizeof(text), "{\"auths\": {\"a.example\": {\"auth\": \"%s\"}}}", packed[i]);
                set_config(text);
                if (credentials_get("a.example", &got, &err) != -EINVAL)
                        fail_msg("%s is taken", packed[i]);
                assert_non_null(strstr(err.msg, "a.example"));
                assert_null(strstr(err.msg, packed[i]));
                assert_null(got);
        }
        /* Other types than the ones that are meant are as if there were nothing. */
        static const char *const strange[] = { "{\"auths\": 1}", "{\"auths\": []}", "{\"auths\": {\"a.example\": \"x\"}}", "{\"auths\": {\"a.example\": {\"auth\": 5}}}",
                                               "{\"credHelpers\": {\"a.example\": 5}}", "{\"credsStore\": {}}", "{\"credHelpers\": \"x\"}" };
        for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
                set_config(strange[i]);
                assert_int_equal(credentials_get("a.example", &got, &err), 0);
                assert_null(got);
        }
}

static void a_helper_answers(void **state) {
        struct err err = { 0 };
        json_t *got = NULL;

        make_helper("good", "read -r r; [ \"$1\" = get ] && printf '{\"ServerURL\":\"%s\",\"Username\":\"me\",\"Secret\":\"s\"}\\n\\n' \"$r\"");
        make_helper("token", "cat >/dev/null; echo '{\"Username\":\"<token>\",\"Secret\":\"tok\"}'");
        make_helper("none", "echo 'credentials not found in native keychain'; exit 1");
        set_config("{\"credsStore\": \"none\", \"credHelpers\": {\"a.example\": \"good\", \"t.example\": \"token\"}, \"auths\": {\"b.example\": {\"auth\": \"dTpw\"}}}");
        assert_int_equal(credentials_get("a.example", &got, &err), 0);
        assert_string_equal(json_get_str(got, "username", ""), "me");
        json_decref(got);
        assert_int_equal(credentials_get("t.example", &got, &err), 0);
        assert_string_equal(json_get_str(got, "identitytoken", ""), "tok");
        json_decref(got);
        /* One that knows nothing leaves it to the file. */
        assert_int_equal(credentials_get("b.example", &got, &err), 0);
        assert_string_equal(json_get_str(got, "password", ""), "p");
        json_decref(got);
        assert_true(credentials_are_helped("whatever"));
}

static void a_helper_that_is_wrong_is_an_error(void **state) {
        static const struct {
                const char *name, *script, *want;
        } rows[] = {
                { "garbage", "cat >/dev/null; printf '\\377\\376garbage'", "its answer is not JSON" },
                { "silent", "cat >/dev/null", "its answer is not JSON" },
                { "number", "cat >/dev/null; echo 12", "its answer is not JSON" },
                { "fails", "cat >/dev/null; echo 'the keyring is locked'; exit 3", "the keyring is locked" },
                { "dies", "kill -9 $$", "failed" },
                { "floods", "cat >/dev/null; head -c 3000000 /dev/zero | tr '\\0' x", "docker-credential-floods get: it says more than 1048576 bytes" },
                { "endless", "cat >/dev/null; exec yes", "docker-credential-endless get: it says more than 1048576 bytes" },
                { "deaf", "exec 0<&-; exit 1", "failed" },
        };
        static const char *const names[] = { "../../bin/sh", "/bin/sh", "a b", "a;b", "-x", ".x", "x/../y", "$(x)" };
        struct err err = { 0 };
        json_t *got = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char text[100];

                make_helper(rows[i].name, rows[i].script);
                snprintf(text, sizeof(text), "{\"credsStore\": \"%s\"}", rows[i].name);
                set_config(text);
                if (credentials_get("a.example", &got, &err) >= 0)
                        fail_msg("%s is taken", rows[i].name);
                if (!strstr(err.msg, rows[i].want))
                        fail_msg("%s: %s", rows[i].name, err.msg);
                assert_null(got);
        }
        set_config("{\"credsStore\": \"not-there\"}");
        assert_true(credentials_get("a.example", &got, &err) < 0);
        assert_non_null(strstr(err.msg, "docker-credential-not-there"));
        /* A name is a word, never a path or more than one. */
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                set_config("{}");
                json_object_set_new(config_object(), "credsStore", json_string(names[i]));
                assert_int_equal(credentials_get("a.example", &got, &err), -EINVAL);
                assert_non_null(strstr(err.msg, "is not a name of a credential helper"));
        }
}

/* One second is enough for each of them to be what it is; those that answer must have had the time to. */
static void a_helper_has_its_time_and_no_more(void **state) {
        static const char *const late[] = {
                "exec sleep 1000", "cat >/dev/null; exec sleep 1000", "exec 0<&- 1>&-; exec sleep 1000", "echo '{\"Username\":\"me\",\"Secret\":\"s\"}'; exec sleep 1000",
        };
        struct err err = { 0 };
        json_t *got = NULL;
        time_t begin;
        size_t big = 8 << 20;
        auto_free char *password = malloc(big + 1);

        set_config("{\"credsStore\": \"late\"}");
        setenv("KIST_CREDENTIAL_HELPER_TIMEOUT", "1", 1);
        for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
                make_helper("late", late[i]);
                assert_int_equal(credentials_get("a.example", &got, &err), -ETIMEDOUT);
                assert_string_equal(err.msg, "docker-credential-late get: no answer within 1 s (KIST_CREDENTIAL_HELPER_TIMEOUT)");
                assert_null(got);
        }
        /* More than a socket takes, and nobody who reads it. */
        memset(password, 'p', big);
        password[big] = '\0';
        make_helper("late", "exec sleep 1000");
        assert_int_equal(credentials_store("a.example", "me", password, NULL, &err), -ETIMEDOUT);
        setenv("KIST_CREDENTIAL_HELPER_TIMEOUT", "100", 1);
        make_helper("late", "wc -c >\"$(dirname \"$0\")/size\"");
        assert_int_equal(credentials_store("a.example", "me", password, NULL, &err), 0);
        auto_free char *size = place_read("size");
        assert_int_equal(atol(size), strlen("{\"ServerURL\":\"a.example\",\"Username\":\"me\",\"Secret\":\"\"}") + big);
        /* It has ended: a child of its own that holds its output is not waited for. */
        make_helper("late", "cat >/dev/null; sleep 60 & echo '{\"Username\":\"me\",\"Secret\":\"s\"}'");
        begin = time(NULL);
        assert_int_equal(credentials_get("a.example", &got, &err), 0);
        assert_true(time(NULL) - begin < 50);
        assert_string_equal(json_get_str(got, "username", ""), "me");
        json_decref(got);
        got = NULL;
        for (const char *const *bad = (const char *const[]) { "0", "x", "-1", "1.5", "86401", NULL }; *bad; bad++) {
                setenv("KIST_CREDENTIAL_HELPER_TIMEOUT", *bad, 1);
                assert_int_equal(credentials_get("a.example", &got, &err), -EINVAL);
                assert_non_null(strstr(err.msg, "1 to 86400 seconds"));
        }
        unsetenv("KIST_CREDENTIAL_HELPER_TIMEOUT");
}

static void storing_and_erasing(void **state) {
        struct err err = { 0 };
        auto_free char *text = NULL, *line = NULL;
        json_t *got = NULL;

        set_config("{\"other\": {\"kept\": true}}");
        assert_int_equal(credentials_store("a.example", "me", "p:w", NULL, &err), 0);
        text = place_read("config.json");
        assert_non_null(strstr(text, "\"kept\": true"));
        assert_int_equal(place_mode("config.json"), 0600);
        assert_int_equal(credentials_get("a.example", &got, &err), 0);
        assert_string_equal(json_get_str(got, "password", ""), "p:w");
        json_decref(got);
        assert_int_equal(credentials_header("a.example/x:1", &line, &err), 0);
        assert_int_equal(strncmp(line, "X-Registry-Auth: ", 17), 0);
        assert_null(strpbrk(line + 17, "+/\r\n "));
        /* With a token the password is not kept. */
        assert_int_equal(credentials_store("a.example", "me", "secret", "tok", &err), 0);
        assert_int_equal(credentials_get("a.example", &got, &err), 0);
        assert_string_equal(json_get_str(got, "identitytoken", ""), "tok");
        assert_null(json_object_get(got, "password"));
        json_decref(got);
        assert_int_equal(credentials_erase("a.example", &err), 0);
        assert_int_equal(credentials_erase("a.example", &err), 0);
        assert_int_equal(credentials_get("a.example", &got, &err), 0);
        assert_null(got);
        /* A helper gets it instead, and nothing of it is in the file. */
        make_helper("keeps", "cat >\"$(dirname \"$0\")/kept\"");
        set_config("{\"credsStore\": \"keeps\"}");
        assert_int_equal(credentials_store("a.example", "me", "s\"x", NULL, &err), 0);
        free(text);
        text = place_read("kept");
        assert_string_equal(text, "{\"ServerURL\":\"a.example\",\"Username\":\"me\",\"Secret\":\"s\\\"x\"}");
        assert_null(json_object_get(config_object(), "auths"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_broken_config_is_a_warning_and_then_empty),
                cmocka_unit_test(the_registry_of_a_name),
                cmocka_unit_test(what_config_json_holds),
                cmocka_unit_test(what_is_no_auth_is_refused_without_showing_it),
                cmocka_unit_test(a_helper_answers),
                cmocka_unit_test(a_helper_that_is_wrong_is_an_error),
                cmocka_unit_test(a_helper_has_its_time_and_no_more),
                cmocka_unit_test(storing_and_erasing),
        };
        signal(SIGPIPE, SIG_IGN); /* as kist does: a helper may end without reading */
        return cmocka_run_group_tests(tests, place_make, place_remove);
}
