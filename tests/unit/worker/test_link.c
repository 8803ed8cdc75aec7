/* SPDX-License-Identifier: Apache-2.0 */

/* The Link header of a registry's lists, and the places that it may lead to. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "worker/fetch.h"
#include "worker/link.h"

static void the_next_one_is_found(void **state) {
        static const struct {
                const char *header;
                int found;
                const char *target;
        } rows[] = {
                { "</v2/a/tags/list?last=x&n=5>; rel=\"next\"", 1, "/v2/a/tags/list?last=x&n=5" },
                { "<a>;rel=next", 1, "a" },
                { "  <a>\t; \tREL = \"NEXT\" ", 1, "a" },
                { "<>; rel=next", 1, "" },
                { "<a>; rel=\"last next\"", 1, "a" },
                { "<a>; rel=\"n\\ext\"", 1, "a" }, /* an escape of what needs none */
                { "<a,b;c>; rel=next", 1, "a,b;c" },
                { "<a>; title=\"x, <b>; y\"; rel=next", 1, "a" },
                { "<a>; crossorigin; rel=next;", 1, "a" },
                { "<a>;; rel=next ;", 1, "a" },
                { "<a>; rel=prev, <b>; rel=next", 1, "b" },
                { ", ,<a>; rel=prev,,<b>; rel=next,", 1, "b" },
                { "<a>; rel=next, <b>; rel=next", 1, "a" },
                { "<a>; rel=next, and what follows is not read", 1, "a" },
                { "", 0, NULL },
                { " , ", 0, NULL },
                { "<a>", 0, NULL },
                { "<a>; rel=prev", 0, NULL },
                { "<a>; rel=prev; rel=next", 0, NULL }, /* the first one counts */
                { "<a>; rel", 0, NULL },
                { "<a>; rel=\"nextone\"", 0, NULL },
                { "<a>; rel=\"\"", 0, NULL },
                { "<a>; title=\"rel=next\"", 0, NULL },
                { "<a>; title=\"\\\"; rel=next\"", 0, NULL },
                { "<a>; rel*=UTF-8''next", 0, NULL },
                { "<a>; xrel=next", 0, NULL },
                { "a; rel=next", -EINVAL, NULL },
                { "<a; rel=next", -EINVAL, NULL },
                { "<a> rel=next", -EINVAL, NULL },
                { "<a>; rel=\"next", -EINVAL, NULL },
                { "<a>; rel=\"next\\", -EINVAL, NULL },
                { "<a>; rel=", -EINVAL, NULL },
                { "<a>; rel=next x", -EINVAL, NULL },
                { "<a>; =next", -EINVAL, NULL },
                { "<a>; rel=\"prev\"<b>; rel=next", -EINVAL, NULL },
                { "<a>; rel=prev <b>; rel=next", -EINVAL, NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *target = NULL;
                size_t size = 0;

                if (link_next(rows[i].header, &target, &size) != rows[i].found)
                        fail_msg("%s", rows[i].header);
                if (rows[i].found <= 0)
                        continue;
                assert_int_equal(size, strlen(rows[i].target));
                assert_memory_equal(target, rows[i].target, size);
        }
}

/* A target, a relation and a row of links, each of them of 10 MB. */
static void length_is_no_matter(void **state) {
        static const char *const forms[] = { "<%s>; rel=next", "<a>; rel=\"%s next\"", "<a>; title=\"%s\"; rel=next", "<a>; rel=prev, <%s>", "<%s" };
        static const int found[] = { 1, 0, 1, 0, -EINVAL };
        enum { SIZE = 10 << 20 };
        auto_free char *filler = malloc(SIZE + 1);
        const char *target;
        size_t size;

        assert_non_null(filler);
        memset(filler, 'x', SIZE);
        filler[SIZE] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
                const char *hole = strstr(forms[i], "%s");
                auto_free char *header = str_format("%.*s%s%s", (int) (hole - forms[i]), forms[i], filler, hole + 2);

                assert_non_null(header);
                assert_int_equal(link_next(header, &target, &size), found[i]);
        }
        for (size_t i = 0; i + 4 <= SIZE; i += 4)
                memcpy(filler + i, "<>, ", 4);
        assert_int_equal(link_next(filler, &target, &size), 0);
}

static void a_place_is_the_registrys_own(void **state) {
        static const struct {
                const char *target, *place; /* NULL: refused */
        } rows[] = {
                { "/v2/a/referrers/x?n=2", "v2/a/referrers/x?n=2" },
                { "?last=b%20c", "v2/a/referrers/x?last=b%20c" },
                { "y", "v2/a/referrers/y" },
                { "../tags/list", "v2/a/tags/list" },
                { "http://r.example:5000/v2/_catalog?last=z", "v2/_catalog?last=z" },
                { "//r.example:5000/v2/_catalog", "v2/_catalog" },
                { "http://other.example:5000/v2/_catalog", NULL },
                { "http://r.example/v2/_catalog", NULL },
                { "http://r.example:5001/v2/_catalog", NULL },
                { "https://r.example:5000/v2/_catalog", NULL },
                { "http://r.example:5000.evil.example/v2/_catalog", NULL },
                { "http://r.example:5000@evil.example/v2/_catalog", NULL },
                { "http://u:p@r.example:5000/v2/_catalog", NULL },
                { "//evil.example/v2/_catalog", NULL },
                { "\\\\evil.example\\v2", NULL },
                { "/token", NULL },
                { "/v3/x", NULL },
                { "/v2/../etc/passwd", NULL },
                { "/v2/a#b", NULL },
                { "file:///etc/passwd", NULL },
                { "gopher://r.example:5000/v2/a", NULL },
                { "http://", NULL },
                { "http://[::1", NULL },
        };
        auto_json *job = json_pack("{s:s, s:s, s:s}", "registry", "r.example:5000", "repository", "a", "scheme", "http");
        struct registry r = { 0 };
        auto_free char *huge = malloc(100002);

        assert_int_equal(registry_open(&r, job, NULL), 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_free char *header = str_format("<%s>; rel=\"next\"", rows[i].target), *place = NULL;
                int found = fetch_next_place(&r, "http://r.example:5000/v2/a/referrers/x?n=1", header, &place);

                if (found != (rows[i].place ? 1 : -EACCES) || (place && strcmp(place, rows[i].place) != 0))
                        fail_msg("%s: %d %s", rows[i].target, found, place ? place : "-");
        }
        memset(huge, 'x', 100000);
        memcpy(huge, "</v2/", 5);
        memcpy(huge + 99990, ">;rel=next", 11);
        assert_int_equal(fetch_next_place(&r, "http://r.example:5000/v2/a/referrers/x", huge, &(char *) { NULL }), -EACCES);
        registry_done(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_next_one_is_found),
                cmocka_unit_test(length_is_no_matter),
                cmocka_unit_test(a_place_is_the_registrys_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
