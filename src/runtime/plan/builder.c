/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan/builder.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

#define HEADER(member) offsetof(struct plan_header, member)

/* Where in the header each table is named (0: it has no place there), and the size of its records. */
static const struct {
        size_t at, record;
} tables[] = {
        [BUILD_STRINGS] = { HEADER(strings), 1 },
        [BUILD_JOINS] = { HEADER(joins), sizeof(struct plan_join) },
        [BUILD_UID_MAP] = { HEADER(uid_map), sizeof(struct plan_id_map) },
        [BUILD_GID_MAP] = { HEADER(gid_map), sizeof(struct plan_id_map) },
        [BUILD_TIME_OFFSETS] = { HEADER(time_offsets), sizeof(struct plan_time_offset) },
        [BUILD_SOURCES] = { HEADER(sources), sizeof(struct plan_source) },
        [BUILD_STEPS] = { HEADER(steps), sizeof(struct plan_step) },
        [BUILD_PARAMS] = { HEADER(params), sizeof(struct plan_param) },
        [BUILD_ARGV] = { HEADER(argv), sizeof(uint32_t) },
        [BUILD_ENV] = { HEADER(env), sizeof(uint32_t) },
        [BUILD_GROUPS] = { HEADER(groups), sizeof(uint32_t) },
        [BUILD_RLIMITS] = { HEADER(rlimits), sizeof(struct plan_rlimit) },
        [BUILD_FILTER] = { HEADER(filter), sizeof(struct sock_filter) },
        [BUILD_NET_DEVICES] = { HEADER(net_devices), sizeof(struct plan_net_device) },
        [BUILD_HOOKS] = { HEADER(hooks), sizeof(struct plan_hook) },
        [BUILD_HOOK_TEXTS] = { HEADER(hook_texts), sizeof(uint32_t) },
        [BUILD_OWN_MAPS] = { 0, sizeof(struct plan_id_map) },
};
_Static_assert(ARRAY_SIZE(tables) == _BUILD_MAX, "a table without a row");

void builder_init(struct builder *b, enum plan_kind kind) {
        b->header = (struct plan_header) { .magic = PLAN_MAGIC, .version = PLAN_VERSION, .kind = kind };
        for (size_t i = 0; i < _BUILD_MAX; i++)
                strbuf_init(&b->tables[i], PLAN_SIZE_MAX);
        strbuf_add(&b->tables[BUILD_STRINGS], "", 1);
}

void builder_done(struct builder *b) {
        for (size_t i = 0; i < _BUILD_MAX; i++)
                strbuf_done(&b->tables[i]);
}

uint32_t builder_text(struct builder *b, const char *s) {
        uint32_t at = (uint32_t) b->tables[BUILD_STRINGS].size;

        if (!s || !*s)
                return 0;
        strbuf_add(&b->tables[BUILD_STRINGS], s, strlen(s) + 1);
        return at;
}

uint32_t builder_textf(struct builder *b, const char *format, ...) {
        char text[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return builder_text(b, text);
}

uint32_t builder_count(const struct builder *b, enum builder_table table) {
        return (uint32_t) (b->tables[table].size / tables[table].record);
}

uint32_t builder_add(struct builder *b, enum builder_table table, const void *record) {
        uint32_t index = builder_count(b, table);

        strbuf_add(&b->tables[table], record, tables[table].record);
        return index;
}

static size_t aligned(size_t n) {
        return (n + 7) & ~(size_t) 7;
}

/* Indices become offsets, now that every table has its place. */
static void place_parts(struct builder *b, const size_t *offsets) {
        struct plan_step *steps = (struct plan_step *) b->tables[BUILD_STEPS].data;
        struct plan_source *sources = (struct plan_source *) b->tables[BUILD_SOURCES].data;
        struct plan_hook *hooks = (struct plan_hook *) b->tables[BUILD_HOOKS].data;

        for (uint32_t i = 0; i < builder_count(b, BUILD_STEPS); i++)
                steps[i].params.offset = (uint32_t) (offsets[BUILD_PARAMS] + steps[i].params.offset * sizeof(struct plan_param));
        for (uint32_t i = 0; i < builder_count(b, BUILD_HOOKS); i++) {
                struct plan_table *texts[] = { &hooks[i].argv, &hooks[i].env };

                for (size_t t = 0; t < ARRAY_SIZE(texts); t++)
                        texts[t]->offset = (uint32_t) (offsets[BUILD_HOOK_TEXTS] + texts[t]->offset * sizeof(uint32_t));
        }
        for (uint32_t i = 0; i < builder_count(b, BUILD_SOURCES); i++) {
                struct plan_table *maps[] = { &sources[i].uid_map, &sources[i].gid_map };

                for (size_t m = 0; m < ARRAY_SIZE(maps); m++)
                        maps[m]->offset = (uint32_t) (offsets[BUILD_OWN_MAPS] + maps[m]->offset * sizeof(struct plan_id_map));
        }
}

/* All in one piece: it is a few kilobytes, and each write(2) costs as much as copying them. */
static int write_tables(struct builder *b, int fd, const size_t *offsets, size_t size) {
        auto_free char *all = calloc(1, size);

        if (!all)
                return -ENOMEM;
        memcpy(all, &b->header, sizeof(b->header));
        for (size_t i = 0; i < _BUILD_MAX; i++)
                if (b->tables[i].size > 0)
                        memcpy(all + offsets[i], b->tables[i].data, b->tables[i].size);
        return fd_write_all(fd, all, size);
}

int builder_seal(struct builder *b, int *ret_fd, struct err *err) {
        size_t offsets[_BUILD_MAX], size = aligned(sizeof(struct plan_header));
        auto_fd fd = -EBADF;
        int r;

        for (size_t i = 0; i < _BUILD_MAX; i++) {
                struct plan_table t = { .offset = (uint32_t) size, .count = builder_count(b, i) };

                r = strbuf_error(&b->tables[i]);
                if (r < 0)
                        return err_errno(err, r, "plan");
                offsets[i] = size;
                if (tables[i].at)
                        memcpy((char *) &b->header + tables[i].at, &t, sizeof(t));
                size += aligned(b->tables[i].size);
        }
        if (size > PLAN_SIZE_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "the configuration is too large: its plan has %zu bytes", size);
        b->header.size = (uint32_t) size;
        place_parts(b, offsets);
        fd = memfd_create("kist-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return err_errno(err, errno, "plan: memory file");
        r = write_tables(b, fd, offsets, size);
        if (r < 0)
                return err_errno(err, r, "plan: memory file");
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return err_errno(err, errno, "plan: seal the memory file");
        *ret_fd = move_fd(fd);
        return 0;
}
