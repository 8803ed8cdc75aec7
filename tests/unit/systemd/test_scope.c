/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "systemd/systemd.h"

static const struct {
        const char *text;
        bool user;
        const char *unit, *slice, *path; /* NULL: refused */
} rows[] = {
        { NULL, false, "kist-box.scope", "system.slice", "system.slice/kist-box.scope" },
        { "", true, "kist-box.scope", "user.slice", "user.slice/kist-box.scope" },
        { ":crio:1", false, "crio-1.scope", "system.slice", "system.slice/crio-1.scope" },
        { "::1", false, "1.scope", "system.slice", "system.slice/1.scope" },
        { "machine.slice:libpod:ab", false, "libpod-ab.scope", "machine.slice", "machine.slice/libpod-ab.scope" },
        { "a-b-c.slice:p:n", false, "p-n.scope", "a-b-c.slice", "a.slice/a-b.slice/a-b-c.slice/p-n.scope" },
        { "-.slice:p:n", false, "p-n.scope", "-.slice", "p-n.scope" },
        { "one", false, NULL, NULL, NULL },
        { "/a/b", false, NULL, NULL, NULL },
        { "a:b", false, NULL, NULL, NULL },
        { "a.slice:b:", false, NULL, NULL, NULL },
        { "a.slice:b:c:d", false, NULL, NULL, NULL },
        { "a.slice:b:c/d", false, NULL, NULL, NULL },
        { "../a.slice:b:c", false, NULL, NULL, NULL },
        { "a.service:b:c", false, NULL, NULL, NULL },
        { ".slice:b:c", false, NULL, NULL, NULL },
        { "a--b.slice:b:c", false, NULL, NULL, NULL },
        { "-a.slice:b:c", false, NULL, NULL, NULL },
        { "a-.slice:b:c", false, NULL, NULL, NULL },
        { "a.slice:b c:d", false, NULL, NULL, NULL },
        { "a.slice:b:c\nd", false, NULL, NULL, NULL },
};

static void names_of_cgroups_path(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct err err = { 0 };
                struct scope s;
                int r = scope_parse(rows[i].text, "box", rows[i].user, &s, &err);

                if (!rows[i].unit) {
                        assert_int_equal(r, -EINVAL);
                        assert_non_null(strstr(err.msg, "linux.cgroupsPath"));
                        continue;
                }
                assert_int_equal(r, 0);
                assert_string_equal(s.unit, rows[i].unit);
                assert_string_equal(s.slice, rows[i].slice);
                assert_int_equal(s.user, rows[i].user);
                auto_free char *path = scope_cgroup_path(&s);
                assert_string_equal(path, rows[i].path);
        }
}

static void too_long(void **state) {
        char text[400] = "";
        struct err err;
        struct scope s;

        memset(text, 'a', 300);
        strcpy(text + 300, ":b:c");
        assert_int_equal(scope_parse(text, "box", false, &s, &err), -EINVAL);
        strcpy(text, "a.slice:b:");
        memset(text + 10, 'c', 300);
        assert_int_equal(scope_parse(text, "box", false, &s, &err), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_of_cgroups_path),
                cmocka_unit_test(too_long),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
