/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan/filter-cache.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#define CACHE_MAGIC 0x544c464bu /* "KFLT" */
enum { CACHE_SLOTS = 16, CACHE_FILE_MAX = 4 << 20 };

struct cache_header {
        uint32_t magic;
        uint32_t text_size, program_size; /* the text is followed by the program */
        uint32_t check;                   /* of the program */
};

/* FNV-1a. It chooses a slot and finds damage; that the profile is the same one is seen by comparing the texts. */
static uint32_t hash(const char *data, size_t size) {
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < size; i++)
                h = (h ^ (unsigned char) data[i]) * 16777619u;
        return h;
}

static void slot_name(const char *text, char ret[32]) {
        snprintf(ret, 32, "filter-%u", hash(text, strlen(text)) % CACHE_SLOTS);
}

/* A directory that others may write to could hold a filter that lets everything through. */
static int open_dir(const char *dir) {
        auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return st.st_uid == geteuid() && !(st.st_mode & 022) ? move_fd(fd) : -EPERM;
}

int filter_cache_load(const char *dir, const char *text, char **ret, size_t *ret_size) {
        auto_fd fd = open_dir(dir);
        auto_free char *file = NULL;
        struct cache_header h;
        char name[32], *program;
        size_t size, text_size = strlen(text);
        int r;

        if (fd < 0)
                return fd;
        slot_name(text, name);
        r = file_read_at(fd, name, CACHE_FILE_MAX, &file, &size);
        if (r < 0)
                return r;
        if (size < sizeof(h))
                return -EBADMSG;
        memcpy(&h, file, sizeof(h));
        if (h.magic != CACHE_MAGIC || h.text_size != text_size || (uint64_t) sizeof(h) + h.text_size + h.program_size != size ||
            h.program_size == 0 || h.program_size % sizeof(struct sock_filter) != 0 || memcmp(file + sizeof(h), text, text_size) != 0)
                return -ENOENT;
        if (hash(file + sizeof(h) + text_size, h.program_size) != h.check)
                return -EBADMSG;
        program = malloc(h.program_size);
        if (!program)
                return -ENOMEM;
        memcpy(program, file + sizeof(h) + text_size, h.program_size);
        *ret = program;
        *ret_size = h.program_size;
        return 0;
}

void filter_cache_store(const char *dir, const char *text, const char *program, size_t size) {
        auto_fd fd = open_dir(dir);
        struct cache_header h = { .magic = CACHE_MAGIC, .text_size = (uint32_t) strlen(text), .program_size = (uint32_t) size };
        auto_strbuf b;
        char name[32];

        strbuf_init(&b, CACHE_FILE_MAX);
        if (fd < 0)
                return;
        h.check = hash(program, size);
        strbuf_add(&b, &h, sizeof(h));
        strbuf_add(&b, text, h.text_size);
        strbuf_add(&b, program, size);
        slot_name(text, name);
        if (strbuf_error(&b) == 0)
                file_write_atomic_at(fd, name, b.data, b.size, 0600, false);
}
