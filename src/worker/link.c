/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/link.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t"
#define SEPARATORS "()<>@,;:\\\"/[]?={}" BLANKS /* what ends a token (RFC 9110, section 5.6.2) */

enum { RELATIONS_MAX = 256 }; /* bytes of a rel that are looked at */

static const char *skip_blanks(const char *p) {
        return p + strspn(p, BLANKS);
}

/* A token, or a quoted string without its quotes and escapes, as far as it fits. Returns what is behind it; NULL: it is neither. */
static const char *take_value(const char *p, char ret[RELATIONS_MAX]) {
        size_t n = 0;

        if (*p != '"') {
                size_t length = strcspn(p, SEPARATORS);

                for (; n < length && n < RELATIONS_MAX - 1; n++)
                        ret[n] = p[n];
                ret[n] = '\0';
                return length > 0 ? p + length : NULL;
        }
        for (p++; *p && *p != '"'; p++) {
                if (*p == '\\' && !*++p)
                        return NULL;
                if (n < RELATIONS_MAX - 1)
                        ret[n++] = *p;
        }
        ret[n] = '\0';
        return *p ? p + 1 : NULL;
}

/* "next", "last next". */
static bool has_next(const char *relations) {
        while (*(relations = skip_blanks(relations))) {
                size_t n = strcspn(relations, BLANKS);

                if (n == strlen("next") && strncasecmp(relations, "next", n) == 0)
                        return true;
                relations += n;
        }
        return false;
}

/* One `; name` or `; name=value`. *is_rel: was it the rel, which counts the first time only? */
static const char *take_parameter(const char *p, bool *is_rel, char value[RELATIONS_MAX]) {
        size_t n = strcspn(p, SEPARATORS);

        *value = '\0';
        *is_rel = n == strlen("rel") && strncasecmp(p, "rel", n) == 0;
        if (n == 0)
                return NULL;
        p = skip_blanks(p + n);
        return *p == '=' ? take_value(skip_blanks(p + 1), value) : p;
}

/* One link: returns what is behind it; NULL: it is none. */
static const char *take_link(const char *p, const char **target, size_t *size, bool *ret_next) {
        bool seen = false;

        *ret_next = false;
        *size = *p == '<' ? strcspn(p, ">") - 1 : 0;
        *target = p + 1;
        if (*p != '<' || !p[*size + 1])
                return NULL;
        p = skip_blanks(p + *size + 2);
        while (p && *p == ';') {
                char value[RELATIONS_MAX];
                bool is_rel;

                p = skip_blanks(p + 1);
                if (*p == ';' || *p == ',' || !*p)
                        continue; /* an empty one */
                p = take_parameter(p, &is_rel, value);
                if (p && is_rel && !seen) {
                        seen = true;
                        *ret_next = has_next(value);
                }
                p = p ? skip_blanks(p) : NULL;
        }
        return p && (!*p || *p == ',') ? p : NULL;
}

int link_next(const char *header, const char **ret, size_t *ret_size) {
        const char *p = header;

        for (;;) {
                const char *target;
                size_t size;
                bool is_next;

                p += strspn(p, BLANKS ","); /* a list may have empty elements */
                if (!*p)
                        return 0;
                p = take_link(p, &target, &size, &is_next);
                if (!p)
                        return -EINVAL;
                if (is_next) {
                        *ret = target;
                        *ret_size = size;
                        return 1;
                }
        }
}
