/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/challenge.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum { WORD_SIZE = 64, VALUE_SIZE = 2048, HEADER_MAX = 16384 };

static bool is_token_char(char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_blanks(const char *p) {
        return p + strspn(p, " \t");
}

/* Commas with nothing between them are allowed in lists. */
static const char *skip_separators(const char *p) {
        return p + strspn(p, " \t,");
}

/* NULL: not a token, or longer than `size`. */
static const char *take_token(const char *p, char *ret, size_t size) {
        size_t n = 0;

        while (is_token_char(p[n]))
                n++;
        if (n == 0 || n >= size)
                return NULL;
        memcpy(ret, p, n);
        ret[n] = '\0';
        return p + n;
}

static const char *take_quoted(const char *p, char *ret, size_t size) {
        size_t n = 0;

        for (p++; *p != '"'; p++) {
                if (*p == '\\')
                        p++;
                if (*p < 0x20 || *p > 0x7e || n + 1 >= size)
                        return NULL;
                ret[n++] = *p;
        }
        ret[n] = '\0';
        return p + 1;
}

static const char *take_value(const char *p, char *ret, size_t size) {
        return *p == '"' ? take_quoted(p, ret, size) : take_token(p, ret, size);
}

static int keep_param(struct challenge *c, const char *name, const char *value) {
        const struct {
                const char *name;
                char *to;
                size_t size;
        } known[] = {
                { "realm", c->realm, sizeof(c->realm) },
                { "service", c->service, sizeof(c->service) },
        };

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (strcasecmp(name, known[i].name) == 0) {
                        if (strlen(value) >= known[i].size)
                                return -EINVAL;
                        strcpy(known[i].to, value);
                        return 0;
                }
        return 0;
}

/* token68, the other form of what follows a scheme ("Negotiate YII="): its end, or NULL when a parameter stands there. */
static const char *skip_token68(const char *p) {
        size_t n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/");
        const char *end = p + n + strspn(p + n, "=");

        end = skip_blanks(end);
        return n > 0 && (*end == ',' || !*end) ? end : NULL;
}

/* The parameters of one challenge. A word that no "=" follows is the scheme of the next one. */
static const char *take_params(const char *p, struct challenge *c) {
        char name[WORD_SIZE], value[VALUE_SIZE];
        const char *end = skip_token68(p);

        if (end)
                return end;
        for (;;) {
                const char *begin = skip_separators(p);

                if (!*begin)
                        return begin;
                p = take_token(begin, name, sizeof(name));
                if (!p)
                        return NULL;
                p = skip_blanks(p);
                if (*p != '=')
                        return begin;
                p = take_value(skip_blanks(p + 1), value, sizeof(value));
                if (!p || keep_param(c, name, value) < 0)
                        return NULL;
                p = skip_blanks(p);
                if (*p && *p != ',')
                        return NULL;
        }
}

int challenge_parse(const char *header, struct challenge *ret) {
        struct challenge best = { .scheme = CHALLENGE_NONE };
        const char *p = skip_separators(header);

        if (strnlen(header, HEADER_MAX) == HEADER_MAX)
                return -EINVAL;
        while (*p) {
                struct challenge c = { .scheme = CHALLENGE_NONE };
                char scheme[WORD_SIZE];

                p = take_token(p, scheme, sizeof(scheme));
                if (!p || (*p && *p != ' ' && *p != ',' && *p != '\t'))
                        return -EINVAL;
                p = skip_blanks(p);
                if (*p && *p != ',') {
                        p = take_params(p, &c);
                        if (!p)
                                return -EINVAL;
                }
                if (strcasecmp(scheme, "Bearer") == 0)
                        c.scheme = CHALLENGE_BEARER;
                else if (strcasecmp(scheme, "Basic") == 0)
                        c.scheme = CHALLENGE_BASIC;
                if (c.scheme > best.scheme)
                        best = c;
                p = skip_separators(p);
        }
        *ret = best;
        return 0;
}
