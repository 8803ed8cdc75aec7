/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "engine/engine.h"

static unsigned minor_of(const char *version) {
        unsigned major, minor;

        return sscanf(version, "%u.%u", &major, &minor) == 2 ? minor : 0;
}

/* "N.N" of at most three digits each, up to the next slash. */
static bool parse_version(const char *s, unsigned ret[2], const char **ret_end) {
        for (int i = 0; i < 2; i++) {
                size_t n = strspn(s, "0123456789");

                if (n == 0 || n > 3)
                        return false;
                ret[i] = 0;
                for (size_t j = 0; j < n; j++)
                        ret[i] = ret[i] * 10 + (unsigned) (s[j] - '0');
                s += n;
                if (*s != (i == 0 ? '.' : '/'))
                        return false;
                s += i == 0;
        }
        *ret_end = s;
        return true;
}

int route_version(const char *url, unsigned *ret_minor, const char **ret_path, struct err *err) {
        unsigned min = minor_of(ENGINE_API_MIN_VERSION), max = minor_of(ENGINE_API_VERSION), v[2];
        const char *path;

        if (url[0] != '/' || url[1] != 'v' || !parse_version(url + 2, v, &path)) {
                *ret_minor = max;
                *ret_path = url;
                return 0;
        }
        if (v[0] < 1 || (v[0] == 1 && v[1] < min))
                return err_set(err, ERR_INVALID, -EINVAL,
                               "client version %u.%u is too old. Minimum supported API version is %s, please upgrade your client to a newer version",
                               v[0], v[1], ENGINE_API_MIN_VERSION);
        if (v[0] > 1 || v[1] > max)
                return err_set(err, ERR_INVALID, -EINVAL, "client version %u.%u is too new. Maximum supported API version is %s", v[0], v[1],
                               ENGINE_API_VERSION);
        *ret_minor = v[1];
        *ret_path = path;
        return 0;
}

bool route_match(const char *pattern, const char *path, const char **ret_capture, size_t *ret_size) {
        const char *open = strchrnul(pattern, '{');
        size_t head = (size_t) (open - pattern), tail, size = strlen(path);
        const char *close;

        if (!*open) {
                if (strcmp(pattern, path))
                        return false;
                *ret_capture = NULL;
                *ret_size = 0;
                return true;
        }
        close = strchr(open, '}');
        tail = strlen(close + 1);
        if (size <= head + tail || memcmp(path, pattern, head) || strcmp(path + size - tail, close + 1))
                return false;
        size -= head + tail;
        if (close[-1] != '*' && memchr(path + head, '/', size))
                return false;
        *ret_capture = path + head;
        *ret_size = size;
        return true;
}

const struct route *route_find(const struct route *table, size_t n, const char *method, const char *path, unsigned minor,
                               const char **ret_capture, size_t *ret_size) {
        for (size_t i = 0; i < n; i++)
                if (!strcmp(table[i].method, method) && table[i].since <= minor &&
                    route_match(table[i].pattern, path, ret_capture, ret_size))
                        return &table[i];
        return NULL;
}
