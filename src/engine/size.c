/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/size.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/internal.h"
#include "storage/storage.h"

enum { DEPTH_MAX = 256 };

/* Bytes of the files below dir_fd (consumed); no link is followed. */
static uint64_t tree_size(int dir_fd, int depth) {
        DIR *d = fdopendir(dir_fd);
        uint64_t sum = 0;

        if (!d) {
                fd_close(dir_fd);
                return 0;
        }
        for (struct dirent *entry; (entry = readdir(d));) {
                struct stat st;

                if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (S_ISREG(st.st_mode))
                        sum += (uint64_t) st.st_size;
                if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
                        int inner = openat(dirfd(d), entry->d_name, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

                        if (inner >= 0)
                                sum += tree_size(inner, depth + 1);
                }
        }
        closedir(d);
        return sum;
}

uint64_t size_of_tree(int dir_fd) {
        int copy = openat(dir_fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

        return copy < 0 ? 0 : tree_size(copy, 0);
}

struct sum {
        struct engine *engine;
        uint64_t bytes;
};

static int add_layer(const char *diff_id, void *data) {
        struct sum *s = data;
        uint64_t size = 0;

        if (storage_layer_size(s->engine->storage, diff_id, &size, NULL) == 0)
                s->bytes += size;
        return 0;
}

uint64_t size_of_layers(struct engine *e) {
        struct sum s = { .engine = e };

        return storage_layers_each(e->storage, add_layer, &s, NULL) < 0 ? 0 : s.bytes;
}

int size_add(struct engine *e, const struct container_row *row, json_t *entry) {
        auto_free char *text = strdup(row->diff_ids);
        auto_free char **diff_ids = NULL;
        auto_fd dir = -EBADF;
        uint64_t written = 0, image = 0;
        size_t n = 0;
        int upper;

        if (storage_container_open(e->storage, row->id, &dir, NULL) == 0) {
                upper = openat(dir, "upper", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
                if (upper >= 0)
                        written = tree_size(upper, 0);
        }
        diff_ids = text ? engine_split_lines(text, &n) : NULL;
        if (!diff_ids)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                uint64_t layer = 0;

                if (storage_layer_size(e->storage, diff_ids[i], &layer, NULL) == 0)
                        image += layer;
        }
        json_object_set_new(entry, "SizeRw", json_integer((json_int_t) written));
        json_object_set_new(entry, "SizeRootFs", json_integer((json_int_t) (written + image)));
        return 0;
}
