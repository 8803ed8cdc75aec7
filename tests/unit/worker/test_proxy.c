/* SPDX-License-Identifier: Apache-2.0 */

/* Which proxy a request goes through. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/proxy.h"

static void each_scheme_has_its_own(void **state) {
        const struct proxies p = { .http = "a:1", .https = "b:2" }, none = { 0 }, empty = { .http = "" };

        assert_string_equal(proxy_for(&p, "http", "example.com", "80"), "a:1");
        assert_string_equal(proxy_for(&p, "https", "example.com", "443"), "b:2");
        assert_string_equal(proxy_for(&none, "https", "example.com", "443"), "");
        assert_string_equal(proxy_for(&empty, "http", "example.com", "80"), "");
}

static void never_for_the_loopback(void **state) {
        const struct proxies p = { .http = "a:1" };
        static const char *const hosts[] = { "localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]" };

        for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
                assert_string_equal(proxy_for(&p, "http", hosts[i], "80"), "");
        assert_string_equal(proxy_for(&p, "http", "localhost.example.com", "80"), "a:1");
}

static void what_the_list_has(void **state) {
        static const struct {
                const char *list, *host, *port;
                bool direct;
        } rows[] = {
                { "example.com", "example.com", "443", true },
                { "example.com", "a.example.com", "443", true },
                { "example.com", "badexample.com", "443", false },
                { "example.com", "example.com.evil", "443", false },
                { "EXAMPLE.com", "example.COM", "443", true },
                { ".example.com", "a.example.com", "443", true },
                { ".example.com", "example.com", "443", false },
                { "*.example.com", "a.b.example.com", "443", true },
                { "*.example.com", "example.com", "443", false },
                { "example.com:443", "example.com", "443", true },
                { "example.com:80", "example.com", "443", false },
                { "a, b ,example.com", "example.com", "443", true },
                { "*", "example.com", "443", true },
                { "10.1.2.3", "10.1.2.3", "80", true },
                { "10.1.2.3:5000", "10.1.2.3", "80", false },
                { "2.3", "10.1.2.3", "80", false },
                { "10.0.0.0/8", "10.1.2.3", "80", true },
                { "10.0.0.0/8", "11.1.2.3", "80", false },
                { "10.1.2.0/31", "10.1.2.2", "80", false },
                { "0.0.0.0/0", "11.1.2.3", "80", true },
                { "0.0.0.0/33", "11.1.2.3", "80", false },
                { "10.0.0.0/8", "[fd00::1]", "80", false },
                { "fd00::/8", "[fd00::1]", "80", true },
                { "fd00::1", "[fd00::1]", "80", true },
                { "[fd00::1]:80", "[fd00::1]", "80", true },
                { "[fd00::1]:81", "[fd00::1]", "80", false },
                { ".", "example.com", "80", false },
                { "", "example.com", "80", false },
                { ",, ,", "example.com", "80", false },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                const struct proxies p = { .http = "a:1", .none = rows[i].list };

                if ((*proxy_for(&p, "http", rows[i].host, rows[i].port) == '\0') != rows[i].direct)
                        fail_msg("\"%s\" of \"%s\"", rows[i].host, rows[i].list);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_scheme_has_its_own),
                cmocka_unit_test(never_for_the_loopback),
                cmocka_unit_test(what_the_list_has),
        };

        return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
