/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/json-log.h"

#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "monitor/forward.h"

/* --- the file --- */

static int open_file(struct json_log *l) {
        auto_fd fd = openat(l->dir_fd, l->name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        struct stat st;
        char last;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        l->size = (uint64_t) st.st_size;
        /* A host that died in the middle of a line: what comes next must not be glued to the torn one. */
        if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n' && write(fd, "\n", 1) == 1)
                l->size++;
        fd_close(l->fd);
        l->fd = move_fd(fd);
        return 0;
}

/* An object is written whole or not at all: after a full disk the file goes on with a clean line. */
static void flush(struct json_log *l) {
        uint32_t size = l->out_size;

        l->out_size = 0;
        if (size == 0)
                return;
        if ((l->fd >= 0 || open_file(l) == 0) && fd_write_all(l->fd, l->out, size) == 0) {
                l->size += size;
                return;
        }
        if (l->object_at != UINT64_MAX) {
                l->broken = true;
                if (l->object_at < l->size)
                        l->size = l->object_at;
        }
        if (l->fd >= 0 && ftruncate(l->fd, (off_t) l->size) < 0)
                l->fd = fd_close(l->fd);
}

static void numbered_name(const struct json_log *l, uint32_t number, char ret[JSON_LOG_NAME_MAX]) {
        char *end = ret + JSON_LOG_NAME_MAX - 1, *at = str_put(ret, end, l->name);

        if (number > 0) {
                at = str_put(at, end, ".");
                str_put_u64(at, end, number);
        }
}

/* Oldest first, so that a death in between loses no file but the one that is due. */
static void rotate(struct json_log *l) {
        char from[JSON_LOG_NAME_MAX], to[JSON_LOG_NAME_MAX];

        if (l->max_files <= 1)
                unlinkat(l->dir_fd, l->name, 0);
        for (uint32_t n = l->max_files - 1; n > 0; n--) {
                numbered_name(l, n - 1, from);
                numbered_name(l, n, to);
                renameat(l->dir_fd, from, l->dir_fd, to);
        }
        l->fd = fd_close(l->fd);
        open_file(l);
}

/* --- objects --- */

static void put(struct json_log *l, const char *s, size_t size) {
        while (size > 0 && !l->broken) {
                size_t n = JSON_LOG_BUFFER - l->out_size;

                if (n > size)
                        n = size;
                memcpy(l->out + l->out_size, s, n);
                l->out_size += (uint32_t) n;
                s += n;
                size -= n;
                if (l->out_size == JSON_LOG_BUFFER)
                        flush(l);
        }
}
#define put_literal(l, s) put((l), (s), sizeof(s) - 1)

/* Bytes that stand for themselves: Go's encoder, whose form readers of this file know, also escapes what HTML gives a meaning. */
static bool is_plain(unsigned char c) {
        return c >= ' ' && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* Length of the UTF-8 sequence at p; 0: not one (truncated, overlong, surrogate, beyond U+10FFFF). */
static size_t utf8_length(const unsigned char *p, size_t size) {
        size_t n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : p[0] >= 0xe0 && p[0] <= 0xef ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
        unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
        unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

        if (n == 0 || n > size || p[1] < low || p[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

/* One byte that is not plain, or one sequence. Returns how many bytes of input that was. */
static size_t put_escaped(struct json_log *l, const unsigned char *p, size_t size) {
        static const char hex[] = "0123456789abcdef";
        size_t n;

        if (*p < 0x80) {
                const char unicode[] = { '\\', 'u', '0', '0', hex[*p >> 4], hex[*p & 15] };
                const char shortly[] = { '\\', *p == '\n' ? 'n' : *p == '\r' ? 'r' : (char) *p };

                if (*p == '"' || *p == '\\' || *p == '\n' || *p == '\r')
                        put(l, shortly, sizeof(shortly));
                else
                        put(l, unicode, sizeof(unicode));
                return 1;
        }
        n = utf8_length(p, size);
        if (n == 0)
                put_literal(l, "\\ufffd");
        else if (n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8) /* U+2028, U+2029: ends of line to JavaScript */
                put(l, p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
        else
                put(l, (const char *) p, n);
        return n == 0 ? 1 : n;
}

static void put_text(struct json_log *l, const char *data, size_t size) {
        size_t at = 0;

        while (at < size) {
                size_t from = at;

                while (at < size && is_plain((unsigned char) data[at]))
                        at++;
                put(l, data + from, at - from);
                if (at < size)
                        at += put_escaped(l, (const unsigned char *) data + at, size - at);
        }
}

static void put_json(struct json_log *l, int stream, const char *data, size_t size, bool newline, const char *time) {
        put_literal(l, "{\"log\":\"");
        put_text(l, data, size);
        if (newline)
                put_literal(l, "\\n");
        if (stream == 2)
                put_literal(l, "\",\"stream\":\"stderr\",\"time\":\"");
        else
                put_literal(l, "\",\"stream\":\"stdout\",\"time\":\"");
        put(l, time, strlen(time));
        put_literal(l, "\"");
        if (l->attributes)
                put(l, l->attributes, strlen(l->attributes));
        put_literal(l, "}\n");
}

static void put_local(struct json_log *l, int stream, const char *data, size_t size, bool newline, const char *time) {
        put(l, time, strlen(time));
        if (stream == 2)
                put_literal(l, " stderr ");
        else
                put_literal(l, " stdout ");
        put(l, newline ? "F " : "P ", 2);
        put(l, data, size);
        put_literal(l, "\n");
}

static void put_object(struct json_log *l, int stream, const char *data, size_t size, bool newline, const char *time) {
        if (l->forward)
                forward_line(l->forward, stream, data, size, newline, time);
        if (l->unkept)
                return;
        if (l->max_size > 0 && l->size + l->out_size >= l->max_size) {
                flush(l);
                rotate(l);
        }
        l->object_at = l->size + l->out_size;
        if (l->local)
                put_local(l, stream, data, size, newline, time);
        else
                put_json(l, stream, data, size, newline, time);
        l->object_at = UINT64_MAX;
        l->broken = false;
}

/* --- lines --- */

/* Where to cut a line that is too long: not in the middle of a character. */
static size_t cut(const char *data) {
        size_t at = JSON_LOG_LINE_MAX;

        for (int back = 1; back <= 3; back++) {
                unsigned char c = (unsigned char) data[at - (size_t) back];

                if (c < 0x80)
                        break;
                if (c >= 0xc0) /* the first byte of a sequence: does it end before the cut? */
                        return (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2) > back ? at - (size_t) back : at;
        }
        return at;
}

/* Take what fits into the unfinished line and, when it is now finished or full, write it out. Returns how many bytes were taken. */
static size_t fill_line(struct json_log *l, int stream, const char *data, size_t length, bool newline, const char *time) {
        struct json_log_line *line = &l->lines[stream - 1];
        size_t n = JSON_LOG_LINE_MAX - line->size;

        if (n > length)
                n = length;
        memcpy(line->data + line->size, data, n);
        line->size += (uint32_t) n;
        if (newline && n == length) {
                put_object(l, stream, line->data, line->size, true, time);
                line->size = 0;
                return n + 1;
        }
        if (n < length) {
                size_t whole = cut(line->data);

                put_object(l, stream, line->data, whole, false, time);
                line->size -= (uint32_t) whole;
                memmove(line->data, line->data + whole, line->size);
        }
        return n;
}

void json_log_append(struct json_log *l, int stream, const char *data, size_t size) {
        const struct json_log_line *line = &l->lines[stream - 1];
        char time[TIME_RFC3339_SIZE];

        time_format_now(time);
        while (size > 0) {
                const char *newline = memchr(data, '\n', size);
                size_t length = newline ? (size_t) (newline - data) : size, taken;

                if (line->size == 0 && newline && length <= JSON_LOG_LINE_MAX) { /* the usual case: nothing is copied twice */
                        put_object(l, stream, data, length, true, time);
                        taken = length + 1;
                } else if (line->size == 0 && length > JSON_LOG_LINE_MAX) {
                        taken = cut(data);
                        put_object(l, stream, data, taken, false, time);
                } else {
                        taken = fill_line(l, stream, data, length, newline, time);
                }
                data += taken;
                size -= taken;
        }
        flush(l);
}

void json_log_end(struct json_log *l, int stream) {
        struct json_log_line *line = &l->lines[stream - 1];
        char time[TIME_RFC3339_SIZE];

        if (line->size == 0)
                return;
        time_format_now(time);
        put_object(l, stream, line->data, line->size, false, time);
        line->size = 0;
        flush(l);
}

/* --- life --- */

int json_log_open(struct json_log *l, int dir_fd, const char *id, uint64_t max_size, uint32_t max_files) {
        char *end = l->name + sizeof(l->name) - 8, *at; /* room for ".1000" */

        l->fd = -EBADF;
        l->dir_fd = dir_fd;
        l->max_size = max_size;
        l->max_files = max_files < 1 ? 1 : max_files > JSON_LOG_FILES_MAX ? JSON_LOG_FILES_MAX : max_files;
        l->object_at = UINT64_MAX;
        l->broken = false;
        l->out_size = l->lines[0].size = l->lines[1].size = 0;
        at = str_put(l->name, end, id);
        str_put(at, end, l->local ? "-local.log" : "-json.log");
        return l->unkept ? 0 : open_file(l);
}

void json_log_close(struct json_log *l) {
        l->fd = fd_close(l->fd);
}

int json_log_reopen(struct json_log *l) {
        return l->unkept ? 0 : open_file(l);
}
