/* SPDX-License-Identifier: Apache-2.0 */

/* process.scheduler, process.ioPriority, process.execCPUAffinity, linux.personality, linux.memoryPolicy: words of the configuration → numbers
 * of the kernel. The numbers are written down here where the headers that have them cannot be included beside libc's. */

#include <string.h>
#include <sys/personality.h>

#include "base/mem.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/private.h"

struct word {
        const char *name;
        uint64_t value;
};

static const struct word policies[] = {
        { "SCHED_OTHER", 0 }, { "SCHED_FIFO", 1 }, { "SCHED_RR", 2 }, { "SCHED_BATCH", 3 }, { "SCHED_IDLE", 5 }, { "SCHED_DEADLINE", 6 },
};

static const struct word scheduler_flags[] = {
        { "SCHED_FLAG_RESET_ON_FORK", 0x01 }, { "SCHED_FLAG_RECLAIM", 0x02 },     { "SCHED_FLAG_DL_OVERRUN", 0x04 },
        { "SCHED_FLAG_KEEP_POLICY", 0x08 },   { "SCHED_FLAG_KEEP_PARAMS", 0x10 }, { "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 },
        { "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
};

static const struct word io_classes[] = { { "IOPRIO_CLASS_RT", 1 }, { "IOPRIO_CLASS_BE", 2 }, { "IOPRIO_CLASS_IDLE", 3 } };

static const struct word domains[] = { { "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 } };

static const struct word memory_modes[] = {
        { "MPOL_DEFAULT", 0 }, { "MPOL_PREFERRED", 1 },      { "MPOL_BIND", 2 },
        { "MPOL_INTERLEAVE", 3 }, { "MPOL_LOCAL", 4 },       { "MPOL_PREFERRED_MANY", 5 },
        { "MPOL_WEIGHTED_INTERLEAVE", 6 }, /* Linux 6.9 */
};

static const struct word memory_flags[] = {
        { "MPOL_F_STATIC_NODES", 1 << 15 }, { "MPOL_F_RELATIVE_NODES", 1 << 14 }, { "MPOL_F_NUMA_BALANCING", 1 << 13 },
};

static int find_word(const struct word *words, size_t n, const char *name, uint64_t *ret) {
        for (size_t i = 0; name && i < n; i++)
                if (strcmp(words[i].name, name) == 0) {
                        *ret = words[i].value;
                        return 0;
                }
        return -EINVAL;
}

/* One of the words, which must be there. */
static int field_word(const json_t *object, const char *at, const char *key, const struct word *words, size_t n, uint64_t *ret,
                      struct err *err) {
        const char *name = NULL;
        int r = field_string(object, at, key, &name, err);

        if (r < 0)
                return r;
        if (find_word(words, n, name, ret) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.%s: \"%s\" is not known", at, key, name ? name : "");
        return 0;
}

/* Any number of them, or-ed. */
static int field_words(const json_t *object, const char *at, const char *key, const struct word *words, size_t n, uint64_t *ret,
                       struct err *err) {
        const json_t *list = NULL;
        int r = field_array(object, at, key, &list, err);

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const char *name;
                uint64_t bit;

                r = field_item(list, i, at, key, &name, err);
                if (r < 0)
                        return r;
                if (find_word(words, n, name, &bit) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.%s[%zu]: \"%s\" is not known", at, key, i, name);
                *ret |= bit;
        }
        return r;
}

/* "0-3,7": numbers and ranges, as in cpuset files. */
static const char *parse_number(const char *s, unsigned *ret) {
        unsigned v = 0;

        if (*s < '0' || *s > '9')
                return NULL;
        for (; *s >= '0' && *s <= '9'; s++)
                if ((v = v * 10 + (unsigned) (*s - '0')) >= PLAN_BITS)
                        return NULL;
        *ret = v;
        return s;
}

static int parse_bits(const char *s, struct plan_bits *ret) {
        struct plan_bits b = { 0 };

        for (;;) {
                unsigned first, last;

                s = parse_number(s, &first);
                if (!s)
                        return -EINVAL;
                last = first;
                if (*s == '-')
                        s = parse_number(s + 1, &last);
                if (!s || last < first)
                        return -EINVAL;
                for (unsigned i = first; i <= last; i++)
                        b.words[i / 64] |= (uint64_t) 1 << i % 64;
                if (*s == '\0')
                        break;
                if (*s++ != ',')
                        return -EINVAL;
        }
        *ret = b;
        return 0;
}

/* True in *ret_given when the field is there and not empty. */
static int field_bits(const json_t *object, const char *at, const char *key, struct plan_bits *ret, bool *ret_given, struct err *err) {
        const char *text = NULL;
        int r = field_string(object, at, key, &text, err);

        *ret_given = false;
        if (r < 0 || !text || !*text)
                return r;
        if (parse_bits(text, ret) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.%s: \"%s\" is not a list like 0-3,7 of numbers below %d", at, key, text,
                               PLAN_BITS);
        *ret_given = true;
        return 0;
}

/* A number that this policy would not look at was meant for something. */
static int check_policy(const char *at, const struct plan_scheduler *s, struct err *err) {
        enum { OTHER = 0, FIFO = 1, RR = 2, BATCH = 3, DEADLINE = 6 };

        if (s->priority != 0 && s->policy != FIFO && s->policy != RR)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.priority: only for SCHED_FIFO and SCHED_RR", at);
        if (s->nice != 0 && s->policy != OTHER && s->policy != BATCH)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.nice: only for SCHED_OTHER and SCHED_BATCH", at);
        if ((s->runtime || s->deadline || s->period) && s->policy != DEADLINE)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: runtime, deadline and period are only for SCHED_DEADLINE", at);
        return 0;
}

static int plan_scheduler(struct planner *p, struct err *err) {
        static const char at[] = "process.scheduler";
        struct plan_scheduler s = { 0 };
        const json_t *object = NULL;
        int64_t nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0;
        uint64_t policy = 0;
        int r = field_object(p->process, "process", "scheduler", &object, err);

        if (r < 0 || json_object_size(object) == 0)
                return r;
        r = field_word(object, at, "policy", policies, ARRAY_SIZE(policies), &policy, err);
        if (r == 0)
                r = field_words(object, at, "flags", scheduler_flags, ARRAY_SIZE(scheduler_flags), &s.flags, err);
        if (r == 0)
                r = field_int(object, at, "nice", -20, 19, &nice, err);
        if (r == 0)
                r = field_int(object, at, "priority", 0, 99, &priority, err);
        if (r == 0)
                r = field_int(object, at, "runtime", 0, INT64_MAX, &runtime, err);
        if (r == 0)
                r = field_int(object, at, "deadline", 0, INT64_MAX, &deadline, err);
        if (r == 0)
                r = field_int(object, at, "period", 0, INT64_MAX, &period, err);
        if (r < 0)
                return r;
        s.policy = (uint32_t) policy;
        s.nice = (int32_t) nice;
        s.priority = (uint32_t) priority;
        s.runtime = (uint64_t) runtime;
        s.deadline = (uint64_t) deadline;
        s.period = (uint64_t) period;
        p->builder.header.flags |= PLAN_SCHEDULER;
        p->builder.header.scheduler = s;
        return check_policy(at, &s, err);
}

static int plan_io_priority(struct planner *p, struct err *err) {
        const json_t *object = NULL;
        uint64_t class = 0;
        int64_t priority = 0;
        int r = field_object(p->process, "process", "ioPriority", &object, err);

        if (r < 0 || json_object_size(object) == 0)
                return r;
        r = field_word(object, "process.ioPriority", "class", io_classes, ARRAY_SIZE(io_classes), &class, err);
        if (r == 0)
                r = field_int(object, "process.ioPriority", "priority", 0, 7, &priority, err);
        if (r < 0)
                return r;
        p->builder.header.flags |= PLAN_IO_PRIORITY;
        p->builder.header.io_priority = (uint32_t) (class << 13) | (uint32_t) priority;
        return 0;
}

/* Of processes that join. That of init is none of it, says the runtime-spec; but what it says must make sense. */
static int plan_cpus(struct planner *p, struct err *err) {
        struct plan_header *h = &p->builder.header;
        const json_t *object = NULL;
        bool initial = false, final = false;
        int r = field_object(p->process, "process", "execCPUAffinity", &object, err);

        if (r == 0)
                r = field_bits(object, "process.execCPUAffinity", "initial", &h->cpus_initial, &initial, err);
        if (r == 0)
                r = field_bits(object, "process.execCPUAffinity", "final", &h->cpus_final, &final, err);
        if (r < 0 || h->kind == PLAN_CONTAINER)
                return r;
        h->flags |= (initial ? PLAN_CPUS_INITIAL : 0u) | (final ? PLAN_CPUS_FINAL : 0u);
        return 0;
}

static int plan_personality(struct planner *p, struct err *err) {
        const json_t *object = NULL;
        uint64_t domain = 0, none = 0;
        int r = field_object(p->linux_, "linux", "personality", &object, err);

        if (r < 0 || json_object_size(object) == 0)
                return r;
        r = field_word(object, "linux.personality", "domain", domains, ARRAY_SIZE(domains), &domain, err);
        if (r == 0) /* the runtime-spec has none yet */
                r = field_words(object, "linux.personality", "flags", NULL, 0, &none, err);
        if (r < 0)
                return r;
        p->builder.header.flags |= PLAN_PERSONALITY;
        p->builder.header.personality = (uint32_t) domain;
        return 0;
}

static int plan_memory_policy(struct planner *p, struct err *err) {
        struct plan_header *h = &p->builder.header;
        const json_t *object = NULL;
        uint64_t mode = 0, bits = 0;
        bool given = false;
        int r = field_object(p->linux_, "linux", "memoryPolicy", &object, err);

        if (r < 0 || json_object_size(object) == 0)
                return r;
        r = field_word(object, "linux.memoryPolicy", "mode", memory_modes, ARRAY_SIZE(memory_modes), &mode, err);
        if (r == 0)
                r = field_words(object, "linux.memoryPolicy", "flags", memory_flags, ARRAY_SIZE(memory_flags), &bits, err);
        if (r == 0)
                r = field_bits(object, "linux.memoryPolicy", "nodes", &h->memory_nodes, &given, err);
        if (r < 0)
                return r;
        h->flags |= PLAN_MEMORY_POLICY;
        h->memory_mode = (uint32_t) (mode | bits);
        return 0;
}

static json_t *names_of(const struct word *words, size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, json_string(words[i].name));
        return list;
}

json_t *plan_memory_policy_features(void) {
        return json_pack("{s:o, s:o}", "modes", names_of(memory_modes, ARRAY_SIZE(memory_modes)), "flags", names_of(memory_flags, ARRAY_SIZE(memory_flags)));
}

int plan_tuning(struct planner *p, struct err *err) {
        static int (*const parts[])(struct planner *p, struct err *err) = { plan_scheduler, plan_io_priority, plan_cpus, plan_personality,
                                                                              plan_memory_policy };

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                int r = parts[i](p, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
