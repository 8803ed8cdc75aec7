/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "worker/challenge.h"

static void challenges_are_understood(void **state) {
        static const struct {
                const char *header;
                enum challenge_scheme scheme;
                const char *realm, *service;
        } rows[] = {
                { "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull\"", CHALLENGE_BEARER,
                  "https://auth.docker.io/token", "registry.docker.io" },
                { "bearer  service=r , Realm = \"https://x/t\"", CHALLENGE_BEARER, "https://x/t", "r" },
                { "Basic realm=\"a \\\"quoted\\\" word\"", CHALLENGE_BASIC, "a \"quoted\" word", "" },
                { "Basic", CHALLENGE_BASIC, "", "" },
                { "Basic realm=\"b\", Bearer realm=\"https://x/t\",service=\"s\"", CHALLENGE_BEARER, "https://x/t", "s" },
                { "Bearer realm=\"https://x/t\", Basic realm=\"b\"", CHALLENGE_BEARER, "https://x/t", "" },
                { "Negotiate YII0Q==, Basic realm=\"b\"", CHALLENGE_BASIC, "b", "" },
                { "Negotiate, NTLM", CHALLENGE_NONE, "", "" },
                { ",, Basic realm=\"b\",,", CHALLENGE_BASIC, "b", "" },
                { "", CHALLENGE_NONE, "", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct challenge c;

                assert_int_equal(challenge_parse(rows[i].header, &c), 0);
                assert_int_equal(c.scheme, rows[i].scheme);
                assert_string_equal(c.realm, rows[i].realm);
                assert_string_equal(c.service, rows[i].service);
        }
}

static void nonsense_is_refused(void **state) {
        static const char *const rows[] = {
                "Bearer realm=\"https://x", "Bearer realm=\"a\\", "Bearer realm=\"a\" service=\"b\"", "Bearer \"x\"",
                "=x", "Bearer realm=\"a\nb\"", "Bearer realm=\"\xc3\xa9\"", "Bear\x01er realm=x", "Basic realm=\"x\"y",
        };
        char longer[4096];

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct challenge c;

                assert_int_not_equal(challenge_parse(rows[i], &c), 0);
        }
        strcpy(longer, "Bearer realm=\"");
        memset(longer + strlen(longer), 'a', 3000);
        strcpy(longer + 3010, "\"");
        struct challenge c;
        assert_int_not_equal(challenge_parse(longer, &c), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(challenges_are_understood),
                cmocka_unit_test(nonsense_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
