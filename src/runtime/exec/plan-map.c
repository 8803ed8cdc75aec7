/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "runtime/exec/private.h"

/* Each table of the header, the size of its records and how many are sane. */
#define TABLE(member, type, max) { offsetof(struct plan_header, member), sizeof(type), max }
static const struct {
        size_t at, record;
        uint32_t max;
} tables[] = {
        TABLE(strings, char, PLAN_SIZE_MAX),
        TABLE(joins, struct plan_join, EXEC_ARRAY_SIZE(((struct launch *) 0)->join_fds)),
        TABLE(uid_map, struct plan_id_map, 340), /* the kernel's own limit */
        TABLE(gid_map, struct plan_id_map, 340),
        TABLE(time_offsets, struct plan_time_offset, 2),
        TABLE(sources, struct plan_source, PLAN_SOURCES_MAX),
        TABLE(steps, struct plan_step, 16384),
        TABLE(params, struct plan_param, 65536),
        TABLE(argv, uint32_t, 1 << 20),
        TABLE(env, uint32_t, 1 << 20),
        TABLE(groups, uint32_t, PLAN_GROUPS_MAX),
        TABLE(rlimits, struct plan_rlimit, 64),
        TABLE(filter, struct sock_filter, BPF_MAXINSNS),
        TABLE(net_devices, struct plan_net_device, 64),
        TABLE(hooks, struct plan_hook, 1024),
        TABLE(hook_texts, uint32_t, 1 << 20),
};

static bool table_fits(const struct plan *p, struct plan_table t, size_t record, uint32_t max) {
        if (t.count > max || t.offset % 8 != 0)
                return false;
        return (uint64_t) t.offset + (uint64_t) t.count * record <= p->size;
}

/* A record's own table is a part of a table of the header. */
static bool part_fits(struct plan_table part, struct plan_table whole, size_t record) {
        return part.count == 0 ||
               (part.offset >= whole.offset && (part.offset - whole.offset) % record == 0 &&
                (uint64_t) part.offset + (uint64_t) part.count * record <= (uint64_t) whole.offset + (uint64_t) whole.count * record);
}

/* A source's own id maps lie anywhere in the file, each with the kernel's limit. */
static bool own_map_fits(const struct plan *p, struct plan_table t) {
        return t.offset % _Alignof(struct plan_id_map) == 0 && t.count <= 340 &&
               (uint64_t) t.offset + (uint64_t) t.count * sizeof(struct plan_id_map) <= p->size;
}

static bool records_fit(const struct plan *p) {
        const struct plan_header *h = p->header;
        const struct plan_step *steps = plan_records(p, h->steps);
        const struct plan_source *sources = plan_records(p, h->sources);
        const struct plan_hook *hooks = plan_records(p, h->hooks);

        for (uint32_t i = 0; i < h->steps.count; i++)
                if (steps[i].op == 0 || steps[i].op >= _PLAN_OP_MAX || !part_fits(steps[i].params, h->params, sizeof(struct plan_param)) ||
                    (steps[i].op == PLAN_MOUNT_TREE && steps[i].source >= h->sources.count))
                        return false;
        for (uint32_t i = 0; i < h->hooks.count; i++)
                if (!part_fits(hooks[i].argv, h->hook_texts, sizeof(uint32_t)) || !part_fits(hooks[i].env, h->hook_texts, sizeof(uint32_t)))
                        return false;
        for (uint32_t i = 0; i < h->sources.count; i++)
                if (!own_map_fits(p, sources[i].uid_map) || !own_map_fits(p, sources[i].gid_map))
                        return false;
        return true;
}

static bool is_sound(const struct plan *p, enum plan_kind kind) {
        const struct plan_header *h = p->header;

        if (h->magic != PLAN_MAGIC || h->version != PLAN_VERSION || h->size != p->size || h->kind != kind)
                return false;
        for (size_t i = 0; i < EXEC_ARRAY_SIZE(tables); i++) {
                struct plan_table t;

                memcpy(&t, p->base + tables[i].at, sizeof(t));
                if (!table_fits(p, t, tables[i].record, tables[i].max))
                        return false;
        }
        if (h->strings.count == 0 || p->base[h->strings.offset] != '\0' || p->base[h->strings.offset + h->strings.count - 1] != '\0')
                return false;
        if (kind == PLAN_CONTAINER && (!(h->flags & PLAN_ROOTFS_BY_FD) || (h->flags & PLAN_ROOT_IN_PLACE)) && h->sources.count == 0)
                return false;
        return h->argv.count > 0 && records_fit(p);
}

int plan_map(int fd, enum plan_kind kind, struct plan *ret, struct err *err) {
        enum { SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };
        struct plan p = { 0 };
        struct stat st;
        int seals = fcntl(fd, F_GET_SEALS);
        void *base;

        /* Unsealed, it could change under our eyes or end in a SIGBUS. */
        if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0)
                return err_set_raw(err, ERR_INVALID, EINVAL, "plan", "not a sealed memory file");
        if (st.st_size < (off_t) sizeof(struct plan_header) || st.st_size > PLAN_SIZE_MAX)
                return err_set_raw(err, ERR_INVALID, EINVAL, "plan", "its size is not that of a plan");
        p.size = (size_t) st.st_size;
        base = mmap(NULL, p.size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (base == MAP_FAILED)
                return raw_fail(err, errno, "plan", "mmap");
        p.base = base;
        p.header = base;
        if (!is_sound(&p, kind)) {
                plan_unmap(&p);
                return err_set_raw(err, ERR_INVALID, EINVAL, "plan", "not a plan of this version and kind");
        }
        *ret = p;
        return 0;
}

void plan_unmap(struct plan *p) {
        if (p->base)
                munmap((void *) p->base, p->size);
        *p = (struct plan) { 0 };
}
