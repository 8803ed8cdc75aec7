/* SPDX-License-Identifier: Apache-2.0 */
#include "base/inodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 256, ROOM_MAX = 4 << 20 };

struct inode_entry {
        dev_t dev;
        ino_t ino;
        char *path; /* NULL: free */
};

static size_t place_of(const struct inode_entry *v, size_t room, dev_t dev, ino_t ino) {
        size_t i = (size_t) ((ino * 0x9e3779b97f4a7c15ull) >> 20 ^ dev) & (room - 1);

        while (v[i].path && (v[i].dev != dev || v[i].ino != ino))
                i = (i + 1) & (room - 1);
        return i;
}

static int grow(struct inode_table *t) {
        size_t room = t->room ? t->room * 2 : ROOM_FIRST;
        struct inode_entry *v = room <= ROOM_MAX ? calloc(room, sizeof(*v)) : NULL;

        if (!v)
                return -ENOMEM;
        for (size_t i = 0; i < t->room; i++)
                if (t->v[i].path)
                        v[place_of(v, room, t->v[i].dev, t->v[i].ino)] = t->v[i];
        free(t->v);
        t->v = v;
        t->room = room;
        return 0;
}

int inode_table_note(struct inode_table *t, const struct stat *st, const char *path, const char **ret) {
        size_t i;

        if (t->n * 2 >= t->room) {
                int r = grow(t);

                if (r < 0)
                        return r;
        }
        i = place_of(t->v, t->room, st->st_dev, st->st_ino);
        *ret = t->v[i].path;
        if (*ret)
                return 0;
        t->v[i] = (struct inode_entry) { .dev = st->st_dev, .ino = st->st_ino, .path = strdup(path) };
        if (!t->v[i].path)
                return -ENOMEM;
        t->n++;
        return 0;
}

void inode_table_done(struct inode_table *t) {
        for (size_t i = 0; i < t->room; i++)
                free(t->v[i].path);
        free(t->v);
        *t = (struct inode_table) { 0 };
}
