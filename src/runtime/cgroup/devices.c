/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/json.h"

enum { DEVICE_RULES_MAX = 512 };

/* What every container may use, whatever its list says: the spec's default devices, terminals, and mknod(2) of anything, which
 * by itself opens nothing. */
static const struct device_rule always[] = {
        { true, 'c', -1, -1, false, false, true }, { true, 'b', -1, -1, false, false, true },
        { true, 'c', 1, 3, true, true, true }, /* null */
        { true, 'c', 1, 5, true, true, true }, /* zero */
        { true, 'c', 1, 7, true, true, true }, /* full */
        { true, 'c', 1, 8, true, true, true }, /* random */
        { true, 'c', 1, 9, true, true, true }, /* urandom */
        { true, 'c', 5, 0, true, true, true }, /* tty */
        { true, 'c', 5, 2, true, true, true }, /* ptmx */
        { true, 'c', 136, -1, true, true, true }, /* pts/N; /dev/console is one of them */
};

static int add_rule(struct resources *r, const struct device_rule *rule, struct err *err) {
        struct device_rule *grown;

        if (r->n_devices >= DEVICE_RULES_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "linux.resources.devices: more than %d rules", DEVICE_RULES_MAX);
        grown = reallocarray(r->devices, r->n_devices + 1, sizeof(*rule));
        if (!grown)
                return err_errno(err, -ENOMEM, "linux.resources.devices");
        r->devices = grown;
        r->devices[r->n_devices++] = *rule;
        return 0;
}

static bool read_device_number(const json_t *v, int64_t *ret) {
        *ret = -1;
        if (!v || json_is_null(v))
                return true;
        if (!json_is_integer(v) || json_integer_value(v) < -1 || json_integer_value(v) > UINT32_MAX)
                return false;
        *ret = json_integer_value(v);
        return true;
}

static bool is_text_or_none(const json_t *v) {
        return !v || json_is_null(v) || json_is_string(v);
}

static int parse_rule(const json_t *v, size_t i, struct device_rule *ret, struct err *err) {
        const char *type = json_get_str(v, "type", "a"), *access = json_get_str(v, "access", "rwm");
        struct device_rule rule = { .allow = json_get_bool(v, "allow", false) };

        if (!json_is_object(v))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.devices[%zu] is not an object", i);
        if (!json_is_boolean(json_object_get(v, "allow")))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.devices[%zu].allow is not true or false", i);
        if (!is_text_or_none(json_object_get(v, "type")) || !is_text_or_none(json_object_get(v, "access")))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.devices[%zu].%s is not a text", i,
                               is_text_or_none(json_object_get(v, "type")) ? "access" : "type");
        rule.type = !*type ? 'a' : *type == 'u' ? 'c' : *type;
        if (strlen(type) > 1 || !strchr("abc", rule.type))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.devices[%zu].type: \"%s\" is not a, b, c or u", i, type);
        if (!*access)
                access = "rwm";
        if (strspn(access, "rwm") != strlen(access))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.devices[%zu].access: \"%s\" is not made of r, w and m", i, access);
        rule.read = strchr(access, 'r');
        rule.write = strchr(access, 'w');
        rule.mknod = strchr(access, 'm');
        if (!read_device_number(json_object_get(v, "major"), &rule.major) || !read_device_number(json_object_get(v, "minor"), &rule.minor))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.devices[%zu]: major or minor is not a device number", i);
        *ret = rule;
        return 0;
}

/* A rule for all devices and all kinds of access settles everything that came before it. */
static bool is_about_all(const struct device_rule *rule) {
        return rule->type == 'a' && rule->major < 0 && rule->minor < 0 && rule->read && rule->write && rule->mknod;
}

int resources_parse_devices(const json_t *list, struct resources *r, struct err *err) {
        struct device_rule rule;
        json_t *v;
        size_t i;
        int e;

        if (list && !json_is_null(list) && !json_is_array(list))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.devices is not an array");
        r->has_devices = json_is_array(list);
        json_array_foreach(list, i, v) {
                e = parse_rule(v, i, &rule, err);
                if (e < 0)
                        return e;
                if (is_about_all(&rule)) {
                        r->devices_allowed = rule.allow;
                        r->n_devices = 0;
                } else if (rule.type == 'a') {
                        /* The kernel's v1 interface reads "a" as everything: say each half in words it understands. */
                        rule.type = 'b';
                        e = add_rule(r, &rule, err);
                        rule.type = 'c';
                        if (e == 0)
                                e = add_rule(r, &rule, err);
                } else {
                        e = add_rule(r, &rule, err);
                }
                if (e < 0)
                        return e;
        }
        for (i = 0; !r->devices_allowed && i < ARRAY_SIZE(always); i++) {
                e = add_rule(r, &always[i], err);
                if (e < 0)
                        return e;
        }
        return 0;
}

/* --- v1: one line per write --- */

void device_rule_line(const struct device_rule *rule, char ret[DEVICE_LINE_MAX]) {
        char major[24] = "*", minor[24] = "*";

        if (rule->major >= 0)
                snprintf(major, sizeof(major), "%" PRId64, rule->major);
        if (rule->minor >= 0)
                snprintf(minor, sizeof(minor), "%" PRId64, rule->minor);
        snprintf(ret, DEVICE_LINE_MAX, "%c %s:%s %s%s%s", rule->type, major, minor, rule->read ? "r" : "", rule->write ? "w" : "", rule->mknod ? "m" : "");
}

static int write_text(int fd, const char *text) {
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int v1_apply_devices(int dir_fd, const char *path, const struct resources *r, bool fresh, struct err *err) {
        auto_fd allow = cgroup_file_open(dir_fd, path, "devices.allow", O_WRONLY);
        auto_fd deny = cgroup_file_open(dir_fd, path, "devices.deny", O_WRONLY);
        int e = 0;

        if (allow < 0 || deny < 0)
                return err_errno(err, allow < 0 ? allow : deny, "linux.resources.devices: cgroup %s", path);
        /* A new cgroup allows what its parent allows; "a" forgets all single rules. */
        if (!r->devices_allowed)
                e = write_text(deny, "a");
        else if (!fresh)
                e = write_text(allow, "a");
        if (e < 0)
                return err_errno(err, e, "linux.resources.devices: %s all", r->devices_allowed ? "allow" : "deny");
        for (size_t i = 0; i < r->n_devices; i++) {
                char line[DEVICE_LINE_MAX];

                device_rule_line(&r->devices[i], line);
                e = write_text(r->devices[i].allow ? allow : deny, line);
                if (e < 0)
                        return err_errno(err, e, "linux.resources.devices: %s \"%s\"", r->devices[i].allow ? "allow" : "deny", line);
        }
        return 0;
}

/* --- v2: a program that the kernel runs at each open(2) and mknod(2) of a device (Linux 4.15) ---
 *
 * Input, by r1: struct bpf_cgroup_dev_ctx { u32 access_type (access << 16 | type); u32 major; u32 minor }. Result r0: 1 allows. */

#define INSN(c, d, s, o, i) ((struct bpf_insn) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

struct program {
        struct bpf_insn *at;
        size_t n, room;
};

static void emit(struct program *p, struct bpf_insn insn) {
        if (p->n < p->room)
                p->at[p->n] = insn;
        p->n++;
}

enum { TYPE = BPF_REG_2, ACCESS = BPF_REG_3, MAJOR = BPF_REG_4, MINOR = BPF_REG_5, SCRATCH = BPF_REG_1 };

static void emit_result(struct program *p, bool allow) {
        emit(p, INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow));
        emit(p, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

static void emit_rule(struct program *p, const struct device_rule *rule) {
        int mask = (rule->read ? BPF_DEVCG_ACC_READ : 0) | (rule->write ? BPF_DEVCG_ACC_WRITE : 0) | (rule->mknod ? BPF_DEVCG_ACC_MKNOD : 0);
        bool any_access = rule->read && rule->write && rule->mknod;
        size_t start = p->n, end;

        /* An allowing rule must cover all that is asked; a denying one need only touch it. */
        emit(p, INSN(BPF_JMP | BPF_JNE | BPF_K, TYPE, 0, 0, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR));
        if (rule->major >= 0)
                emit(p, INSN(BPF_JMP32 | BPF_JNE | BPF_K, MAJOR, 0, 0, (int) rule->major));
        if (rule->minor >= 0)
                emit(p, INSN(BPF_JMP32 | BPF_JNE | BPF_K, MINOR, 0, 0, (int) rule->minor));
        if (!any_access) {
                emit(p, INSN(BPF_ALU | BPF_MOV | BPF_X, SCRATCH, ACCESS, 0, 0));
                emit(p, INSN(BPF_ALU | BPF_AND | BPF_K, SCRATCH, 0, 0, rule->allow ? ~mask & 7 : mask));
                emit(p, INSN(BPF_JMP32 | (rule->allow ? BPF_JNE : BPF_JEQ) | BPF_K, SCRATCH, 0, 0, 0));
        }
        emit_result(p, rule->allow);
        end = p->n;
        for (size_t i = start; i < end && i < p->room; i++)
                if (p->at[i].off == 0 && (BPF_OP(p->at[i].code) == BPF_JNE || BPF_OP(p->at[i].code) == BPF_JEQ) &&
                    (BPF_CLASS(p->at[i].code) == BPF_JMP || BPF_CLASS(p->at[i].code) == BPF_JMP32))
                        p->at[i].off = (int16_t) (end - i - 1);
}

size_t device_program(const struct resources *r, struct bpf_insn *ret, size_t room) {
        struct program p = { .at = ret, .room = room };

        emit(&p, INSN(BPF_LDX | BPF_MEM | BPF_W, TYPE, BPF_REG_1, 0, 0));
        emit(&p, INSN(BPF_ALU | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0));
        emit(&p, INSN(BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff));
        emit(&p, INSN(BPF_ALU | BPF_RSH | BPF_K, ACCESS, 0, 0, 16));
        emit(&p, INSN(BPF_LDX | BPF_MEM | BPF_W, MAJOR, BPF_REG_1, 4, 0));
        emit(&p, INSN(BPF_LDX | BPF_MEM | BPF_W, MINOR, BPF_REG_1, 8, 0));
        for (size_t i = r->n_devices; i-- > 0;)
                emit_rule(&p, &r->devices[i]);
        emit_result(&p, r->devices_allowed);
        return p.n <= room ? p.n : 0;
}

static int bpf(int command, union bpf_attr *attr) {
        long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

        return r < 0 ? -errno : (int) r;
}

enum { OLD_PROGRAMS_MAX = 16 };

static int attached_programs(int cgroup_fd, uint32_t ids[OLD_PROGRAMS_MAX]) {
        union bpf_attr attr = { 0 };
        int r;

        attr.query.target_fd = (uint32_t) cgroup_fd;
        attr.query.attach_type = BPF_CGROUP_DEVICE;
        attr.query.prog_ids = (uint64_t) (uintptr_t) ids;
        attr.query.prog_cnt = OLD_PROGRAMS_MAX;
        r = bpf(BPF_PROG_QUERY, &attr);
        return r < 0 ? r : (int) attr.query.prog_cnt;
}

static int detach_program(int cgroup_fd, uint32_t id) {
        union bpf_attr attr = { .prog_id = id };
        auto_fd fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);

        if (fd < 0)
                return fd;
        attr = (union bpf_attr) { .target_fd = (uint32_t) cgroup_fd, .attach_bpf_fd = (uint32_t) fd, .attach_type = BPF_CGROUP_DEVICE };
        return bpf(BPF_PROG_DETACH, &attr);
}

static int attach_program(int cgroup_fd, const struct bpf_insn *insns, size_t n) {
        union bpf_attr attr = {
                .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                .insns = (uint64_t) (uintptr_t) insns,
                .insn_cnt = (uint32_t) n,
                .license = (uint64_t) (uintptr_t) "Apache-2.0",
        };
        auto_fd program = bpf(BPF_PROG_LOAD, &attr);

        if (program < 0)
                return program;
        /* MULTI: a systemd inside the container may attach its own below, and all of them must agree. */
        attr = (union bpf_attr) {
                .target_fd = (uint32_t) cgroup_fd,
                .attach_bpf_fd = (uint32_t) program,
                .attach_type = BPF_CGROUP_DEVICE,
                .attach_flags = BPF_F_ALLOW_MULTI,
        };
        return bpf(BPF_PROG_ATTACH, &attr);
}

int v2_apply_devices(int dir_fd, const char *path, const struct resources *r, bool fresh, struct err *err) {
        struct bpf_insn insns[DEVICE_PROGRAM_MAX];
        uint32_t old[OLD_PROGRAMS_MAX];
        auto_fd cgroup = -EBADF;
        size_t n = device_program(r, insns, ARRAY_SIZE(insns));
        int e, n_old = 0;

        if (n == 0)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "linux.resources.devices: too many rules");
        cgroup = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (cgroup < 0)
                return err_errno(err, -errno, "cgroup %s", path);
        if (!fresh) {
                n_old = attached_programs(cgroup, old);
                if (n_old < 0)
                        return err_errno(err, n_old, "linux.resources.devices: asking for the old device program");
        }
        if (!r->devices_allowed || r->n_devices > 0) {
                e = attach_program(cgroup, insns, n);
                if (e < 0)
                        return err_errno(err, e, "linux.resources.devices: attaching the device program");
        }
        /* The new one first: at no time is there none. */
        for (int i = 0; i < n_old; i++) {
                e = detach_program(cgroup, old[i]);
                if (e < 0)
                        return err_errno(err, e, "linux.resources.devices: taking the old device program away");
        }
        return 0;
}
