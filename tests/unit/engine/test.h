/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"

/* JSON with ' for ", so that the tests can be read. */
static inline json_t *js(const char *text) {
        char *copy = strdup(text);
        json_t *v;

        for (char *p = copy; *p; p++)
                if (*p == '\'')
                        *p = '"';
        v = json_loads(copy, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        free(copy);
        assert_non_null(v);
        return v;
}

static inline void assert_json_equal(const json_t *a, const char *expected) {
        auto_json *b = js(expected);
        auto_free char *text = json_text(a);

        if (!json_equal((json_t *) a, b))
                fail_msg("%s is not %s", text, expected);
}
