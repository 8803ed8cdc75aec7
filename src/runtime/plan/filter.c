/* SPDX-License-Identifier: Apache-2.0 */

/* linux.seccomp → a BPF program, by libseccomp. That takes longer than all the rest of a plan, and one engine starts most containers with
 * the same profile: the last program is kept with a copy of the profile that it was made of. */

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/plan/filter-cache.h"
#include "runtime/plan/private.h"

#define FLAG_WAIT_KILLABLE_RECV (1u << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19 */

static struct {
        pthread_mutex_t mutex;
        json_t *profile;
        char *program;
        size_t size;
} last = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static const struct {
        const char *name;
        uint32_t action;
        int64_t default_value; /* of actions that carry a number; -1: carries none */
} actions[] = {
        { "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, -1 },
        { "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), EPERM },
        { "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, -1 },
        { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, -1 },
        { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, -1 },
        { "SCMP_ACT_TRAP", SCMP_ACT_TRAP, -1 },
        { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), EPERM },
        { "SCMP_ACT_LOG", SCMP_ACT_LOG, -1 },
        { "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY, -1 },
};

static const struct {
        const char *name;
        enum scmp_compare op;
} operators[] = {
        { "SCMP_CMP_NE", SCMP_CMP_NE },
        { "SCMP_CMP_LT", SCMP_CMP_LT },
        { "SCMP_CMP_LE", SCMP_CMP_LE },
        { "SCMP_CMP_EQ", SCMP_CMP_EQ },
        { "SCMP_CMP_GE", SCMP_CMP_GE },
        { "SCMP_CMP_GT", SCMP_CMP_GT },
        { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

static const struct {
        const char *name;
        uint32_t flag;
} flags[] = {
        { "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
        { "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
        { "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
        { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", FLAG_WAIT_KILLABLE_RECV },
};

/* SCMP_ARCH_X86_64 → SCMP_ARCH_NATIVE's number: libseccomp knows them by "x86_64". */
static int parse_arch(const char *name, uint32_t *ret) {
        char lower[32];
        size_t n = 0;

        if (strncmp(name, "SCMP_ARCH_", 10) != 0)
                return -EINVAL;
        for (name += 10; *name && n + 1 < sizeof(lower); name++)
                lower[n++] = (char) (*name >= 'A' && *name <= 'Z' ? *name + 'a' - 'A' : *name);
        lower[n] = '\0';
        *ret = seccomp_arch_resolve_name(lower);
        return *ret ? 0 : -EINVAL;
}

static int parse_action(const json_t *object, const char *at, const char *key, const char *number_key, uint32_t *ret, struct err *err) {
        const char *name = NULL;
        int64_t value = -1;
        int r = field_string(object, at, key, &name, err);

        if (r == 0)
                r = field_int(object, at, number_key, 0, 4095, &value, err);
        if (r < 0)
                return r;
        for (size_t i = 0; name && i < ARRAY_SIZE(actions); i++) {
                if (strcmp(actions[i].name, name) != 0)
                        continue;
                if (value >= 0 && actions[i].default_value < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.%s: %s takes no number", at, number_key, name);
                *ret = actions[i].action;
                if (actions[i].default_value >= 0)
                        *ret |= (uint32_t) (value >= 0 ? value : actions[i].default_value);
                return 0;
        }
        return err_set(err, ERR_INVALID, -EINVAL, "%s.%s: \"%s\" is not an action", at, key, name ? name : "");
}

/* Unsigned, of 64 bits: beyond 2⁶³−1 it comes as the negative number of the same bits, see json_parse_unsigned(). */
static int number(const json_t *object, const char *at, const char *key, uint64_t *ret, struct err *err) {
        int64_t v = 0;
        int r = field_int(object, at, key, INT64_MIN, INT64_MAX, &v, err);

        *ret = (uint64_t) v;
        return r;
}

static int parse_args(const json_t *list, const char *at, struct scmp_arg_cmp ret[6], unsigned *ret_n, bool *ret_repeated,
                      struct err *err) {
        unsigned seen = 0;

        if (json_array_size(list) > 6)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.args: a system call has six", at);
        *ret_repeated = false;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *a = json_array_get(list, i);
                const char *name = NULL;
                uint64_t value = 0, second = 0;
                int64_t index = -1;
                size_t op = 0;
                char here[80];
                int r;

                snprintf(here, sizeof(here), "%s.args[%zu]", at, i);
                r = field_int(a, here, "index", 0, 5, &index, err);
                if (r == 0)
                        r = field_string(a, here, "op", &name, err);
                if (r == 0)
                        r = number(a, here, "value", &value, err);
                if (r == 0)
                        r = number(a, here, "valueTwo", &second, err);
                if (r < 0)
                        return r;
                while (op < ARRAY_SIZE(operators) && (!name || strcmp(operators[op].name, name) != 0))
                        op++;
                if (op == ARRAY_SIZE(operators) || index < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.op: \"%s\" is not a comparison", here, name ? name : "");
                r = field_needed(a, here, "value", err);
                if (r < 0)
                        return r;
                *ret_repeated = *ret_repeated || (seen >> index & 1);
                seen |= 1u << index;
                ret[i] = (struct scmp_arg_cmp) { (unsigned) index, operators[op].op, value, second };
        }
        *ret_n = (unsigned) json_array_size(list);
        return 0;
}

/* Several comparisons of one argument are alternatives, which libseccomp wants as rules of their own. */
static int add_rule(scmp_filter_ctx ctx, int nr, uint32_t action, const struct scmp_arg_cmp *args, unsigned n, bool repeated) {
        int r = 0;

        if (!repeated)
                r = seccomp_rule_add_array(ctx, action, nr, n, args);
        for (unsigned i = 0; repeated && i < n && r == 0; i++)
                r = seccomp_rule_add_array(ctx, action, nr, 1, &args[i]);
        /* The same rule twice, or a call that some of the architectures do not have: nothing is lost. */
        return r == -EEXIST || r == -EDOM ? 0 : r;
}

static int add_rules(scmp_filter_ctx ctx, const json_t *entry, size_t i, uint32_t default_action, struct err *err) {
        const json_t *names = NULL, *args = NULL;
        struct scmp_arg_cmp compare[6];
        char at[48];
        uint32_t action = 0;
        unsigned n = 0;
        bool repeated = false;
        int r;

        snprintf(at, sizeof(at), "linux.seccomp.syscalls[%zu]", i);
        r = parse_action(entry, at, "action", "errnoRet", &action, err);
        if (r == 0)
                r = field_needed(entry, at, "names", err);
        if (r == 0)
                r = field_array(entry, at, "names", &names, err);
        if (r == 0)
                r = field_array(entry, at, "args", &args, err);
        if (r == 0)
                r = parse_args(args, at, compare, &n, &repeated, err);
        if (r < 0 || action == default_action)
                return r;
        for (size_t k = 0; k < json_array_size(names); k++) {
                const char *name;
                int nr;

                r = field_item(names, k, at, "names", &name, err);
                if (r < 0)
                        return r;
                nr = seccomp_syscall_resolve_name(name);
                if (nr == __NR_SCMP_ERROR)
                        continue; /* of another architecture, or newer than the library: then the default holds for it */
                r = add_rule(ctx, nr, action, compare, n, repeated);
                if (r < 0)
                        return err_errno(err, r, "%s: %s", at, name);
        }
        return 0;
}

static int add_architectures(scmp_filter_ctx ctx, const json_t *seccomp, struct err *err) {
        const json_t *list = NULL;
        int r = field_array(seccomp, "linux.seccomp", "architectures", &list, err);

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const char *name;
                uint32_t arch;

                r = field_item(list, i, "linux.seccomp", "architectures", &name, err);
                if (r < 0)
                        return r;
                if (parse_arch(name, &arch) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.architectures[%zu]: \"%s\" is not an architecture", i,
                                       name);
                r = seccomp_arch_add(ctx, arch);
                if (r < 0 && r != -EEXIST)
                        return err_errno(err, r, "linux.seccomp.architectures[%zu]: %s", i, name);
                r = 0;
        }
        return r;
}

static int export(scmp_filter_ctx ctx, char **ret, size_t *ret_size, struct err *err) {
        auto_fd fd = memfd_create("kist-filter", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return err_errno(err, errno, "linux.seccomp: memory file");
        r = seccomp_export_bpf(ctx, fd);
        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r == 0)
                r = fd_read_file(fd, BPF_MAXINSNS * sizeof(struct sock_filter), ret, ret_size);
        if (r < 0)
                return err_errno(err, r, "linux.seccomp: the filter");
        return 0;
}

static void release(scmp_filter_ctx *ctx) {
        if (*ctx)
                seccomp_release(*ctx);
}

static int compile(const json_t *seccomp, char **ret, size_t *ret_size, struct err *err) {
        __attribute__((cleanup(release))) scmp_filter_ctx ctx = NULL;
        const json_t *list = NULL;
        uint32_t default_action = 0;
        int r = parse_action(seccomp, "linux.seccomp", "defaultAction", "defaultErrnoRet", &default_action, err);

        if (r == 0)
                r = field_array(seccomp, "linux.seccomp", "syscalls", &list, err);
        if (r < 0)
                return r;
        if (default_action == SCMP_ACT_NOTIFY)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is for single system calls only");
        ctx = seccomp_init(default_action);
        if (!ctx)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.defaultAction: refused by libseccomp");
        /* A binary tree instead of a list. Loading it is four times faster, too: the kernel (5.11) tries each call once to know in advance
         * which are always allowed. */
        seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        r = add_architectures(ctx, seccomp, err);
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
                r = add_rules(ctx, json_array_get(list, i), i, default_action, err);
        return r < 0 ? r : export(ctx, ret, ret_size, err);
}

static void append(struct planner *p, const char *program, size_t size) {
        strbuf_add(&p->builder.tables[BUILD_FILTER], program, size);
}

/* The profile, and the library that makes a program of it. */
static char *profile_text(const json_t *seccomp) {
        const struct scmp_version *v = seccomp_version();
        auto_free char *json = json_dumps(seccomp, JSON_COMPACT | JSON_SORT_KEYS);

        return json && v ? str_format("libseccomp %u.%u.%u native %x\n%s", v->major, v->minor, v->micro, seccomp_arch_native(), json)
                         : NULL;
}

static int load_or_compile(const char *cache_dir, const json_t *seccomp, char **ret, size_t *ret_size, struct err *err) {
        auto_free char *text = cache_dir ? profile_text(seccomp) : NULL;
        int r;

        if (text && filter_cache_load(cache_dir, text, ret, ret_size) == 0)
                return 0;
        r = compile(seccomp, ret, ret_size, err);
        if (r == 0 && text)
                filter_cache_store(cache_dir, text, *ret, *ret_size);
        return r;
}

static bool recall(struct planner *p, const json_t *seccomp) {
        bool same;

        pthread_mutex_lock(&last.mutex);
        same = last.profile && json_equal(last.profile, seccomp);
        if (same)
                append(p, last.program, last.size);
        pthread_mutex_unlock(&last.mutex);
        return same;
}

static int compile_or_recall(struct planner *p, const json_t *seccomp, struct err *err) {
        auto_free char *program = NULL;
        json_t *copy;
        size_t size;
        int r;

        if (recall(p, seccomp))
                return 0;
        r = load_or_compile(p->options->cache_dir, seccomp, &program, &size, err);
        if (r < 0)
                return r;
        append(p, program, size);
        /* Who has a directory for them lives short, and will not ask again. */
        if (p->options->cache_dir)
                return 0;
        copy = json_deep_copy(seccomp);
        if (!copy)
                return 0; /* then the next one compiles again */
        pthread_mutex_lock(&last.mutex);
        json_decref(last.profile);
        free(last.program);
        last.profile = copy;
        last.program = take_ptr(&program);
        last.size = size;
        pthread_mutex_unlock(&last.mutex);
        return 0;
}

static int plan_filter_flags(struct planner *p, const json_t *seccomp, struct err *err) {
        const json_t *list = NULL;
        int r = field_array(seccomp, "linux.seccomp", "flags", &list, err);

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const char *name;
                size_t row = 0;

                r = field_item(list, i, "linux.seccomp", "flags", &name, err);
                if (r < 0)
                        return r;
                while (row < ARRAY_SIZE(flags) && strcmp(flags[row].name, name) != 0)
                        row++;
                if (row == ARRAY_SIZE(flags))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.flags[%zu]: \"%s\" is not a flag", i, name);
                p->builder.header.filter_flags |= flags[row].flag;
        }
        return r;
}

int plan_filter(struct planner *p, struct err *err) {
        const json_t *seccomp = NULL;
        int r = field_object(p->linux_, "linux", "seccomp", &seccomp, err);

        if (r < 0 || !seccomp)
                return r;
        r = plan_filter_flags(p, seccomp, err);
        if (r == 0)
                r = plan_listener(p, seccomp, err);
        if (r == 0 && (p->builder.header.filter_flags & FLAG_WAIT_KILLABLE_RECV) && !p->builder.header.listener_path)
                r = err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for SCMP_ACT_NOTIFY only");
        return r < 0 ? r : compile_or_recall(p, seccomp, err);
}

/* The kernel looks at the flags before the program: a known one is refused for the missing program only. */
static bool kernel_knows_flag(uint32_t flag) {
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

json_t *plan_seccomp_features(void) {
        static const char *const known[] = { "X86",    "X86_64",   "X32",         "ARM",  "AARCH64", "MIPS",    "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64",
                                             "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64", "LOONGARCH64" };
        json_t *a = json_array(), *o = json_array(), *archs = json_array(), *all = json_array(), *supported = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
                json_array_append_new(a, json_string(actions[i].name));
        for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
                json_array_append_new(o, json_string(operators[i].name));
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
                char name[32];
                uint32_t arch;

                snprintf(name, sizeof(name), "SCMP_ARCH_%s", known[i]);
                if (parse_arch(name, &arch) == 0)
                        json_array_append_new(archs, json_string(name));
        }
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                /* WAIT_KILLABLE_RECV is known together with a listener only. */
                uint32_t flag = flags[i].flag | (flags[i].flag == FLAG_WAIT_KILLABLE_RECV ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);

                json_array_append_new(all, json_string(flags[i].name));
                if (kernel_knows_flag(flag))
                        json_array_append_new(supported, json_string(flags[i].name));
        }
        return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "enabled", 1, "actions", a, "operators", o, "archs", archs, "knownFlags", all, "supportedFlags",
                         supported);
}
