/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log-entry.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/timestamp.h"

static int hex4(const char *p, unsigned *ret) {
        unsigned v = 0;

        for (int i = 0; i < 4; i++) {
                char c = p[i];

                v <<= 4;
                if (c >= '0' && c <= '9')
                        v |= (unsigned) (c - '0');
                else if (c >= 'a' && c <= 'f')
                        v |= (unsigned) (c - 'a' + 10);
                else if (c >= 'A' && c <= 'F')
                        v |= (unsigned) (c - 'A' + 10);
                else
                        return -EINVAL;
        }
        *ret = v;
        return 0;
}

static char *put_utf8(char *to, unsigned v) {
        if (v < 0x80)
                *to++ = (char) v;
        else if (v < 0x800) {
                *to++ = (char) (0xc0 | v >> 6);
                *to++ = (char) (0x80 | (v & 0x3f));
        } else {
                *to++ = (char) (0xe0 | v >> 12);
                *to++ = (char) (0x80 | (v >> 6 & 0x3f));
                *to++ = (char) (0x80 | (v & 0x3f));
        }
        return to;
}

/* Decode a JSON string's inside in place (it only gets shorter). *at is behind the opening quote and will be behind the closing one. */
static int unescape(char **at, const char *end, size_t *ret_size) {
        static const char from[] = "nrtbf\"\\/", into[] = "\n\r\t\b\f\"\\/";
        char *p = *at, *to = p, *start = p;

        while (p < end && *p != '"') {
                char *plain = p;
                const char *k;
                unsigned v;

                while (p < end && *p != '"' && *p != '\\')
                        p++;
                if (to != plain)
                        memmove(to, plain, (size_t) (p - plain));
                to += p - plain;
                if (p >= end || *p == '"')
                        break;
                if (end - p >= 2 && (k = memchr(from, p[1], sizeof(from) - 1))) {
                        *to++ = into[k - from];
                        p += 2;
                        continue;
                }
                /* Pairs of surrogates are not written by our monitor: the library reads them. */
                if (end - p < 6 || p[1] != 'u' || hex4(p + 2, &v) < 0 || (v >= 0xd800 && v <= 0xdfff))
                        return -EINVAL;
                to = put_utf8(to, v);
                p += 6;
        }
        if (p >= end)
                return -EINVAL;
        *at = p + 1;
        *ret_size = (size_t) (to - start);
        return 0;
}

static bool skip(char **at, const char *end, const char *literal) {
        size_t n = strlen(literal);

        if ((size_t) (end - *at) < n || memcmp(*at, literal, n) != 0)
                return false;
        *at += n;
        return true;
}

static int parse_time(const char *text, size_t size, int64_t *ret) {
        char copy[TIME_RFC3339_SIZE + 8];

        if (size >= sizeof(copy))
                return -EINVAL;
        memcpy(copy, text, size);
        copy[size] = '\0';
        return time_parse(copy, ret);
}

static int decode_by_hand(char *line, size_t size, struct log_entry *ret) {
        char *at = line, *end = line + size;
        struct log_entry e = {};

        if (!skip(&at, end, "{\"log\":\""))
                return -EINVAL;
        e.text = at;
        if (unescape(&at, end, &e.size) < 0 || !skip(&at, end, ",\"stream\":\"std"))
                return -EINVAL;
        e.stream = skip(&at, end, "out\"") ? 1 : skip(&at, end, "err\"") ? 2 : 0;
        if (!e.stream || !skip(&at, end, ",\"time\":\""))
                return -EINVAL;
        e.time = at;
        while (at < end && *at != '"')
                at++;
        e.time_size = (size_t) (at - e.time);
        if (skip(&at, end, "\",\"attrs\":{")) {
                if (end[-1] != '}' || end - at < 2)
                        return -EINVAL;
                e.attributes = at - 1;
                e.attributes_size = (size_t) (end - 1 - e.attributes);
                at = end;
        } else if (!skip(&at, end, "\"}"))
                return -EINVAL;
        if (at != end || parse_time(e.time, e.time_size, &e.time_ns) < 0)
                return -EINVAL;
        *ret = e;
        return 0;
}

/* The library's strings go with its object: they are copied over the line, which is always longer than what it says. */
static int decode_by_library(char *line, size_t size, struct log_entry *ret) {
        auto_json *o = json_loadb(line, size, 0, NULL);
        const char *time = json_get_str(o, "time", NULL), *stream = json_get_str(o, "stream", "stdout");
        const json_t *text = json_object_get(o, "log");
        struct log_entry e = {};

        if (!time || !json_is_string(text) || json_string_length(text) + strlen(time) > size)
                return -EINVAL;
        e.stream = !strcmp(stream, "stderr") ? 2 : 1;
        e.size = json_string_length(text);
        e.time_size = strlen(time);
        if (parse_time(time, e.time_size, &e.time_ns) < 0)
                return -EINVAL;
        memcpy(line, json_string_value(text), e.size);
        memcpy(line + e.size, time, e.time_size);
        e.text = line;
        e.time = line + e.size;
        *ret = e;
        return 0;
}

/* The newline that ends it comes into the place of the blank before it, when all has moved one up. */
static int decode_local(char *line, size_t size, struct log_entry *ret) {
        char *at = memchr(line, ' ', size < TIME_RFC3339_SIZE ? size : TIME_RFC3339_SIZE), *end = line + size;
        struct log_entry e = { .time = line };
        bool whole;

        if (!at)
                return -EINVAL;
        e.time_size = (size_t) (at - line);
        e.stream = skip(&at, end, " stdout ") ? 1 : skip(&at, end, " stderr ") ? 2 : 0;
        whole = skip(&at, end, "F ");
        if (!e.stream || (!whole && !skip(&at, end, "P ")) || parse_time(e.time, e.time_size, &e.time_ns) < 0)
                return -EINVAL;
        e.size = (size_t) (end - at);
        if (whole) {
                memmove(at - 1, at, e.size);
                at--;
                at[e.size++] = '\n';
        }
        e.text = at;
        *ret = e;
        return 0;
}

int log_entry_decode(char *line, size_t size, struct log_entry *ret) {
        /* By hand it is changed in place even when it fails, but only where something was escaped: keep what the library needs. */
        auto_free char *copy = NULL;
        int r;

        assert(line);
        if (size > 0 && *line != '{')
                return decode_local(line, size, ret);
        if (size > 8 && memcmp(line, "{\"log\":\"", 8) == 0) {
                if (memmem(line, size, "\\ud", 3) || memmem(line, size, "\\uD", 3)) {
                        copy = malloc(size);
                        if (!copy)
                                return -ENOMEM;
                        memcpy(copy, line, size);
                }
                r = decode_by_hand(line, size, ret);
                if (r == 0)
                        return 0;
                if (copy)
                        memcpy(line, copy, size);
        }
        return decode_by_library(line, size, ret);
}
