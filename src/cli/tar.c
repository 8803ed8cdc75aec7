/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tar.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

enum { BLOCK = 512, EXTENSION_MAX = 1 << 20 };

struct head {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2], uname[32], gname[32], major[8], minor[8],
                prefix[155], pad[12];
};
_Static_assert(sizeof(struct head) == BLOCK, "the head of a member is one block");

static int bad(const char *why, struct err *err) {
        return err_set(err, ERR_INVALID, -EBADMSG, "not a good tar archive: %s", why);
}

/* --- reading --- */

static int read_whole(struct tar_reader *t, void *to, size_t size, bool may_end, struct err *err) {
        size_t got = 0;

        while (got < size) {
                ssize_t n = t->read(t->data, (char *) to + got, size - got, err);

                if (n < 0)
                        return (int) n;
                if (n == 0)
                        return got == 0 && may_end ? 0 : bad("it ends in the middle", err);
                got += (size_t) n;
        }
        return 1;
}

static int skip(struct tar_reader *t, uint64_t n, struct err *err) {
        char piece[8192];

        while (n > 0) {
                size_t part = n < sizeof(piece) ? (size_t) n : sizeof(piece);
                int r = read_whole(t, piece, part, false, err);

                if (r < 0)
                        return r;
                n -= part;
        }
        return 0;
}

/* Octal text, or GNU's binary form for what is too large for it. */
static uint64_t number(const char *field, size_t size) {
        uint64_t v = 0;

        if ((unsigned char) field[0] & 0x80) {
                for (size_t i = 1; i < size; i++)
                        v = v << 8 | (unsigned char) field[i];
                return v;
        }
        for (size_t i = 0; i < size; i++)
                if (field[i] >= '0' && field[i] <= '7')
                        v = v << 3 | (uint64_t) (field[i] - '0');
        return v;
}

static unsigned sum_of(const struct head *h) {
        const unsigned char *p = (const unsigned char *) h;
        unsigned sum = 0;

        for (size_t i = 0; i < BLOCK; i++)
                sum += i >= offsetof(struct head, sum) && i < offsetof(struct head, type) ? ' ' : p[i];
        return sum;
}

static uint64_t padding_of(uint64_t size) {
        return (BLOCK - size % BLOCK) % BLOCK;
}

static int read_extension(struct tar_reader *t, uint64_t size, char **ret, struct err *err) {
        auto_free char *text = size <= EXTENSION_MAX ? calloc(1, size + 1) : NULL;
        int r;

        if (!text)
                return bad("a name of it is too long", err);
        r = size > 0 ? read_whole(t, text, size, false, err) : 1;
        if (r > 0)
                r = skip(t, padding_of(size), err);
        if (r == 0)
                *ret = take_ptr(&text);
        return r;
}

struct overrides {
        char path[4096], link[4096];
        bool has_size, has_uid, has_gid, has_mtime;
        uint64_t size, uid, gid;
        int64_t mtime;
};

static int take_text(char to[4096], const char *value, size_t n, struct err *err) {
        if (n >= 4096 || memchr(value, '\0', n))
                return bad("a name of it is too long", err);
        memcpy(to, value, n);
        to[n] = '\0';
        return 0;
}

/* "27 path=a/b\n", one after another. */
static int read_pax(char *text, size_t size, struct overrides *o, struct err *err) {
        for (char *p = text, *end = text + size; p < end;) {
                char *key, *value;
                unsigned long n = strtoul(p, &key, 10);
                size_t length;
                int r = 0;

                if (n < 4 || n > (size_t) (end - p) || *key != ' ' || p[n - 1] != '\n' || !(value = memchr(key, '=', (size_t) (p + n - key))))
                        return bad("a pax record is not well formed", err);
                *value++ = '\0';
                length = (size_t) (p + n - 1 - value);
                key++;
                p[n - 1] = '\0';
                if (!strcmp(key, "path"))
                        r = take_text(o->path, value, length, err);
                else if (!strcmp(key, "linkpath"))
                        r = take_text(o->link, value, length, err);
                else if (!strcmp(key, "size"))
                        o->has_size = true, o->size = strtoull(value, NULL, 10);
                else if (!strcmp(key, "uid"))
                        o->has_uid = true, o->uid = strtoull(value, NULL, 10);
                else if (!strcmp(key, "gid"))
                        o->has_gid = true, o->gid = strtoull(value, NULL, 10);
                else if (!strcmp(key, "mtime"))
                        o->has_mtime = true, o->mtime = strtoll(value, NULL, 10);
                if (r < 0)
                        return r;
                p += n;
        }
        return 0;
}

static void fill_member(const struct head *h, const struct overrides *o, struct tar_member *m) {
        bool posix = memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0];

        *m = (struct tar_member) {
                .type = h->type == '\0' || h->type == '7' ? TAR_FILE : (enum tar_type) h->type,
                .size = o->has_size ? o->size : number(h->size, sizeof(h->size)),
                .mode = (unsigned) number(h->mode, sizeof(h->mode)) & 07777,
                .uid = o->has_uid ? o->uid : number(h->uid, sizeof(h->uid)),
                .gid = o->has_gid ? o->gid : number(h->gid, sizeof(h->gid)),
                .mtime = o->has_mtime ? o->mtime : (int64_t) number(h->mtime, sizeof(h->mtime)),
        };
        if (*o->path)
                memcpy(m->path, o->path, sizeof(m->path));
        else if (posix)
                snprintf(m->path, sizeof(m->path), "%.155s/%.100s", h->prefix, h->name);
        else
                snprintf(m->path, sizeof(m->path), "%.100s", h->name);
        if (*o->link)
                memcpy(m->link, o->link, sizeof(m->link));
        else
                snprintf(m->link, sizeof(m->link), "%.100s", h->link);
        if (m->type != TAR_FILE)
                m->size = 0;
}

/* A head that says something about the next member. */
static int read_special(struct tar_reader *t, const struct head *h, struct overrides *o, struct err *err) {
        uint64_t size = number(h->size, sizeof(h->size));
        auto_free char *text = NULL;
        int r = read_extension(t, size, &text, err);

        if (r < 0 || h->type == 'g')
                return r;
        if (h->type == 'x')
                return read_pax(text, size, o, err);
        return take_text(h->type == 'L' ? o->path : o->link, text, strlen(text), err);
}

int tar_next(struct tar_reader *t, struct tar_member *ret, struct err *err) {
        struct overrides o = { 0 };
        int r = skip(t, t->left + t->padding, err);

        t->left = t->padding = 0;
        while (r == 0) {
                struct head h;

                r = read_whole(t, &h, sizeof(h), true, err);
                if (r <= 0)
                        return r;
                if (h.name[0] == '\0' && number(h.sum, sizeof(h.sum)) == 0)
                        return 0;
                if (number(h.sum, sizeof(h.sum)) != sum_of(&h))
                        return bad("a checksum is wrong", err);
                if (!strchr("xgLK", h.type) || !h.type) {
                        fill_member(&h, &o, ret);
                        t->left = ret->size;
                        t->padding = padding_of(ret->size);
                        return 1;
                }
                r = read_special(t, &h, &o, err);
        }
        return r;
}

ssize_t tar_read(struct tar_reader *t, char *to, size_t size, struct err *err) {
        ssize_t n;

        if (t->left == 0)
                return 0;
        n = t->read(t->data, to, size < t->left ? size : (size_t) t->left, err);
        if (n == 0)
                return bad("it ends in the middle", err);
        if (n > 0)
                t->left -= (size_t) n;
        return n;
}

/* --- writing --- */

static void add_record(struct strbuf *b, const char *key, const char *value) {
        size_t n = strlen(key) + strlen(value) + 3, digits = 1;

        /* The length counts its own digits. */
        for (size_t limit = 10; n + digits >= limit; limit *= 10)
                digits++;
        strbuf_addf(b, "%zu %s=%s\n", n + digits, key, value);
}

static void add_number(struct strbuf *b, const char *key, uint64_t value) {
        char text[24];

        snprintf(text, sizeof(text), "%llu", (unsigned long long) value);
        add_record(b, key, text);
}

static int write_head(int fd, struct head *h) {
        memcpy(h->magic, "ustar", 6);
        memcpy(h->version, "00", 2);
        snprintf(h->sum, sizeof(h->sum), "%06o", sum_of(h));
        h->sum[7] = ' ';
        return fd_write_all(fd, h, sizeof(*h));
}

static int write_records(int fd, const struct strbuf *b) {
        struct head h = { .name = "pax", .mode = "0000644", .uid = "0000000", .gid = "0000000", .mtime = "00000000000", .type = 'x' };
        int r = strbuf_error(b);

        snprintf(h.size, sizeof(h.size), "%011zo", b->size);
        if (r == 0)
                r = write_head(fd, &h);
        if (r == 0)
                r = fd_write_all(fd, b->data, b->size);
        return r == 0 ? tar_write_padding(fd, b->size) : r;
}

enum { ID_LIMIT = 1 << 21 };
#define SIZE_LIMIT (1ull << 33)

int tar_write_member(int fd, const struct tar_member *m) {
        struct head h = { .type = (char) m->type };
        auto_strbuf b;
        int r = 0;

        strbuf_init(&b, 65536);
        if (strlen(m->path) > sizeof(h.name))
                add_record(&b, "path", m->path);
        if (strlen(m->link) > sizeof(h.link))
                add_record(&b, "linkpath", m->link);
        if (m->size >= SIZE_LIMIT)
                add_number(&b, "size", m->size);
        if (m->uid >= ID_LIMIT)
                add_number(&b, "uid", m->uid);
        if (m->gid >= ID_LIMIT)
                add_number(&b, "gid", m->gid);
        if (b.size > 0)
                r = write_records(fd, &b);
        if (r < 0)
                return r;
        memcpy(h.name, m->path, strnlen(m->path, sizeof(h.name)));
        memcpy(h.link, m->link, strnlen(m->link, sizeof(h.link)));
        snprintf(h.mode, sizeof(h.mode), "%07o", m->mode & 07777);
        snprintf(h.uid, sizeof(h.uid), "%07llo", (unsigned long long) (m->uid < ID_LIMIT ? m->uid : 0));
        snprintf(h.gid, sizeof(h.gid), "%07llo", (unsigned long long) (m->gid < ID_LIMIT ? m->gid : 0));
        snprintf(h.size, sizeof(h.size), "%011llo", (unsigned long long) (m->size < SIZE_LIMIT ? m->size : 0));
        snprintf(h.mtime, sizeof(h.mtime), "%011llo", (unsigned long long) (m->mtime > 0 && (uint64_t) m->mtime < SIZE_LIMIT ? m->mtime : 0));
        return write_head(fd, &h);
}

int tar_write_padding(int fd, uint64_t size) {
        static const char zeros[BLOCK];

        return fd_write_all(fd, zeros, padding_of(size));
}

int tar_write_end(int fd) {
        static const char zeros[2 * BLOCK];

        return fd_write_all(fd, zeros, sizeof(zeros));
}
