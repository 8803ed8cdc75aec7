/* SPDX-License-Identifier: Apache-2.0 */
#include "tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BLOCK = 512 };

static unsigned char *grow(struct tar *t, size_t size) {
        size_t room = (size + BLOCK - 1) / BLOCK * BLOCK;

        t->data = realloc(t->data, t->size + room + 1);
        if (!t->data)
                abort();
        memset(t->data + t->size, 0, room + 1);
        t->size += room;
        return t->data + t->size - room;
}

static void add_header(struct tar *t, const struct tar_member *m, char type, size_t size) {
        unsigned char *h = grow(t, BLOCK);
        unsigned sum = 0;

        memcpy(h, m->name, strnlen(m->name, 100));
        sprintf((char *) h + 100, "%07o", m->mode);
        sprintf((char *) h + 108, "%07o", m->uid);
        sprintf((char *) h + 116, "%07o", m->gid);
        sprintf((char *) h + 124, "%011lo", (unsigned long) size);
        sprintf((char *) h + 136, "%011lo", (unsigned long) m->mtime);
        memset(h + 148, ' ', 8);
        h[156] = (unsigned char) type;
        if (m->link)
                memcpy(h + 157, m->link, strnlen(m->link, 100));
        memcpy(h + 257, "ustar\00000", 8);
        sprintf((char *) h + 329, "%07o", m->major);
        sprintf((char *) h + 337, "%07o", m->minor);
        for (int i = 0; i < BLOCK; i++)
                sum += h[i];
        sprintf((char *) h + 148, "%06o", sum);
}

static void add_pax(struct tar *t, const struct tar_member *m) {
        const struct tar_member pax = { .name = "pax", .mode = 0644 };
        char body[600], record[640];
        int n, total;

        n = snprintf(body, sizeof(body), " SCHILY.xattr.%s=%s\n", m->xattr, m->xattr_value);
        total = n + 2;
        if (total > 99)
                total = n + 3;
        n = snprintf(record, sizeof(record), "%d%s", total, body);
        add_header(t, &pax, 'x', (size_t) n);
        memcpy(grow(t, (size_t) n), record, (size_t) n);
}

void tar_add(struct tar *t, struct tar_member m) {
        size_t size = m.size ? m.size : m.data ? strlen(m.data) : 0;

        if (m.mode == 0)
                m.mode = m.type == '5' ? 0755 : m.type == '2' ? 0777 : 0644;
        if (m.xattr)
                add_pax(t, &m);
        add_header(t, &m, m.type ? m.type : '0', size);
        if (size > 0) {
                unsigned char *p = grow(t, size);

                if (m.data)
                        memcpy(p, m.data, size);
        }
}

void tar_end(struct tar *t) {
        grow(t, 2 * BLOCK);
}

void tar_free(struct tar *t) {
        free(t->data);
        *t = (struct tar) { 0 };
}

unsigned char *tar_gzip(const void *data, size_t size, size_t *ret_size) {
        z_stream z = { 0 };
        size_t room = size + size / 1000 + 1024;
        unsigned char *out = malloc(room);

        if (!out || deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
                abort();
        z.next_in = (unsigned char *) data;
        z.avail_in = (unsigned) size;
        z.next_out = out;
        z.avail_out = (unsigned) room;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
                abort();
        *ret_size = z.total_out;
        deflateEnd(&z);
        return out;
}
