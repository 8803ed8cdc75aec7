/* SPDX-License-Identifier: Apache-2.0 */

/* What a scope is to have: from the files of its cgroup, and from annotations. */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "systemd/properties.h"
#include "systemd/systemd.h"

#define ANNOTATION "org.systemd.property."

void scope_settings_done(struct scope_settings *s) {
        for (size_t i = 0; i < s->n; i++)
                free(s->at[i]);
        s->n = 0;
}

static int add(struct scope_settings *s, const char *name, const char *value, struct err *err) {
        char *text;

        if (s->n == SETTINGS_OF_SCOPE_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "more than %d properties of a scope", SETTINGS_OF_SCOPE_MAX);
        text = str_format("%s=%s", name, value);
        if (!text)
                return err_errno(err, -ENOMEM, "properties of a scope");
        s->at[s->n++] = text;
        return 0;
}

/* --- files --- */

enum form { NUMBER, SET, IO_WEIGHT, BFQ_WEIGHT, IDLE, QUOTA_V2, PERIOD_V1, QUOTA_V1, DEVICE };

static const struct file {
        bool v2;
        const char *name, *property;
        enum form form;
} files[] = {
        { true, "memory.max", "MemoryMax", NUMBER },
        { true, "memory.high", "MemoryHigh", NUMBER },
        { true, "memory.low", "MemoryLow", NUMBER },
        { true, "memory.min", "MemoryMin", NUMBER },
        { true, "memory.swap.max", "MemorySwapMax", NUMBER },
        { true, "pids.max", "TasksMax", NUMBER },
        { true, "cpu.weight", "CPUWeight", NUMBER },
        { true, "cpu.idle", "CPUWeight", IDLE },
        { true, "cpu.max", "CPUQuotaPerSecUSec", QUOTA_V2 },
        { true, "cpuset.cpus", "AllowedCPUs", SET },
        { true, "cpuset.mems", "AllowedMemoryNodes", SET },
        { true, "io.weight", "IOWeight", IO_WEIGHT },
        { true, "io.bfq.weight", "IOWeight", BFQ_WEIGHT },
        { false, "memory.limit_in_bytes", "MemoryLimit", NUMBER },
        { false, "pids.max", "TasksMax", NUMBER },
        { false, "cpu.shares", "CPUShares", NUMBER },
        { false, "cpu.cfs_period_us", "CPUQuotaPeriodUSec", PERIOD_V1 },
        { false, "cpu.cfs_quota_us", "CPUQuotaPerSecUSec", QUOTA_V1 },
        { false, "blkio.bfq.weight", "BlockIOWeight", BFQ_WEIGHT },
        { false, "devices.allow", "DeviceAllow", DEVICE },
};

static int add_number(struct scope_settings *s, const struct file *f, const char *value, struct err *err) {
        uint64_t v;

        if (strcmp(value, "max") == 0 || strcmp(value, "-1") == 0)
                return add(s, f->property, "infinity", err);
        /* With a unit, as "unified" may have it: the kernel reads it, and systemd keeps its own. */
        return str_to_u64(value, 0, UINT64_MAX, &v) < 0 ? 0 : add(s, f->property, value, err);
}

/* systemd writes its weight to two files: the number itself to that of iocost; to bfq's up to 100 the same, and there (100 … 10000] become
 * (100 … 1000]. That of v1 ends at 1000: what is nearest. */
static int add_bfq_weight(struct scope_settings *s, const struct file *f, const char *value, struct err *err) {
        const uint64_t most = f->v2 ? 10000 : 1000;
        char text[32];
        uint64_t v;

        value += str_starts_with(value, "default ") ? strlen("default ") : 0;
        if (str_to_u64(value, 1, 1000, &v) < 0)
                return 0;
        v = v <= 100 ? v : 100 + (v - 100) * 11;
        snprintf(text, sizeof(text), "%" PRIu64, v < most ? v : most);
        return add(s, f->property, text, err);
}

/* `quota` of `period`, in µs. systemd counts per second, in steps of 10 ms, upwards: less than was asked for is never given. */
static int add_quota(struct scope_settings *s, const char *quota, uint64_t period, struct err *err) {
        enum { SECOND = 1000000, STEP = 10000 };
        char text[32];
        uint64_t v;

        if (strcmp(quota, "max") == 0 || strcmp(quota, "-1") == 0)
                return add(s, "CPUQuotaPerSecUSec", "infinity", err);
        if (str_to_u64(quota, 1, UINT64_MAX / SECOND, &v) < 0)
                return 0;
        v = (v * SECOND + period - 1) / period;
        snprintf(text, sizeof(text), "%" PRIu64, (v + STEP - 1) / STEP * STEP);
        return add(s, "CPUQuotaPerSecUSec", text, err);
}

enum { DEFAULT_PERIOD = 100000, LONGEST_PERIOD = 1000000 };

static int add_period(struct scope_settings *s, const char *value, uint64_t *ret, struct err *err) {
        return str_to_u64(value, 1, LONGEST_PERIOD, ret) < 0 ? 0 : add(s, "CPUQuotaPeriodUSec", value, err);
}

/* "QUOTA PERIOD" or "QUOTA". */
static int add_quota_v2(struct scope_settings *s, const char *value, struct err *err) {
        uint64_t period = DEFAULT_PERIOD;
        char first[32];
        size_t n = strcspn(value, " ");
        int r = 0;

        if (n >= sizeof(first) || (value[n] && str_to_u64(value + n + 1, 1, LONGEST_PERIOD, &period) < 0))
                return 0;
        snprintf(first, sizeof(first), "%.*s", (int) n, value);
        if (value[n])
                r = add_period(s, value + n + 1, &period, err);
        return r < 0 ? r : add_quota(s, first, period, err);
}

/* In v1 they are two files; the period, if there is one, comes first. */
static uint64_t period_so_far(const struct scope_settings *s) {
        static const char name[] = "CPUQuotaPeriodUSec=";
        uint64_t period = DEFAULT_PERIOD;

        for (size_t i = 0; i < s->n; i++)
                if (str_starts_with(s->at[i], name))
                        str_to_u64(s->at[i] + strlen(name), 1, LONGEST_PERIOD, &period);
        return period;
}

/* "c 136:3" is /dev/char/136:3, whether that exists or not; all minor numbers of a major one go by what /proc/devices calls it, and all
 * devices by "*". NULL: it has no such name now, and so no device. */
static char *device_name(char type, const char *major, const char *minor) {
        const char *kind = type == 'b' ? "block" : "char";
        auto_free char *text = NULL;
        bool here = false;
        char *save = NULL;

        if (strcmp(minor, "*") != 0)
                return str_format("/dev/%s/%s:%s", kind, major, minor);
        if (strcmp(major, "*") == 0)
                return str_format("%s-*", kind);
        if (file_read_at(AT_FDCWD, "/proc/devices", 1 << 20, &text, NULL) < 0)
                return NULL;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                size_t n = strlen(major);

                if (str_starts_with(line, "Character") || str_starts_with(line, "Block"))
                        here = (*line == 'B') == (type == 'b');
                line += strspn(line, " ");
                if (here && strncmp(line, major, n) == 0 && line[n] == ' ')
                        return str_format("%s-%s", kind, line + n + 1);
        }
        return NULL;
}

/* "c 1:3 rwm": one more of the pairs of DeviceAllow, whose first brings along the policy that allows nothing else. */
static int add_device(struct scope_settings *s, const char *rule, struct err *err) {
        char type, major[24], minor[24], access[8], *more;
        auto_free char *name = NULL;

        if (sscanf(rule, "%c %23[^:]:%23s %7s", &type, major, minor, access) != 4 || !(name = device_name(type, major, minor)))
                return 0;
        for (size_t i = 0; i < s->n; i++) {
                if (!str_starts_with(s->at[i], "DeviceAllow="))
                        continue;
                more = str_format("%s,%s %s", s->at[i], name, access);
                if (!more)
                        return err_errno(err, -ENOMEM, "properties of a scope");
                free(s->at[i]);
                s->at[i] = more;
                return 0;
        }
        more = str_format("%s %s", name, access);
        if (!more || add(s, "DevicePolicy", "strict", err) < 0 || add(s, "DeviceAllow", more, err) < 0) {
                free(more);
                return err_errno(err, -ENOMEM, "properties of a scope");
        }
        free(more);
        return 0;
}

static int add_file(struct scope_settings *s, const struct file *f, const char *value, struct err *err) {
        uint64_t period;

        switch (f->form) {
        case NUMBER:
                return add_number(s, f, value, err);
        case SET:
                return *value ? add(s, f->property, value, err) : 0;
        case IO_WEIGHT:
                return add_number(s, f, str_starts_with(value, "default ") ? value + strlen("default ") : value, err);
        case BFQ_WEIGHT:
                return add_bfq_weight(s, f, value, err);
        case IDLE:
                /* The weight that is none; a weight that is asked for comes after it. */
                return add(s, f->property, strcmp(value, "1") == 0 ? "0" : "infinity", err);
        case QUOTA_V2:
                return add_quota_v2(s, value, err);
        case PERIOD_V1:
                return add_period(s, value, &period, err);
        case QUOTA_V1:
                return add_quota(s, value, period_so_far(s), err);
        case DEVICE:
                return add_device(s, value, err);
        }
        return 0;
}

int scope_add_file(struct scope_settings *s, bool v2, const char *file, const char *value, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                if (files[i].v2 == v2 && strcmp(files[i].name, file) == 0)
                        return add_file(s, &files[i], value, err);
        return 0;
}

/* --- annotations --- */

/* 'text' or "text", of printable ASCII without quotes and backslashes; moves *at behind it. */
static bool take_quoted(const char **at, char *ret, size_t room) {
        char quote = **at;
        const char *from = *at + 1;
        size_t n = 0;

        if (quote != '\'' && quote != '"')
                return false;
        while (from[n] >= ' ' && from[n] < 0x7f && !strchr("'\"\\", from[n]))
                n++;
        if (from[n] != quote || n >= room)
                return false;
        memcpy(ret, from, n);
        ret[n] = '\0';
        *at = from + n + 1;
        return true;
}

static bool read_units(const char *at, struct strbuf *out) {
        char name[UNIT_NAME_MAX + 1];

        if (*at++ != '[')
                return false;
        do {
                at += strspn(at, " ");
                if (!take_quoted(&at, name, sizeof(name)) || !unit_name_is_valid(name))
                        return false;
                strbuf_addf(out, "%s%s", out->size ? " " : "", name);
                at += strspn(at, " ");
        } while (*at++ == ',');
        return at[-1] == ']' && !*at;
}

static bool read_value(enum property_type type, const char *text, struct strbuf *out) {
        char quoted[256];
        uint64_t v;

        switch (type) {
        case PROPERTY_FLAG:
                strbuf_adds(out, text);
                return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
        case PROPERTY_NUMBER:
                text += str_starts_with(text, "uint64 ") ? strlen("uint64 ") : 0;
                strbuf_adds(out, text);
                return str_to_u64(text, 0, UINT64_MAX, &v) == 0;
        case PROPERTY_TEXT:
                if (!take_quoted(&text, quoted, sizeof(quoted)) || *text)
                        return false;
                strbuf_adds(out, quoted);
                return true;
        case PROPERTY_UNITS:
                return read_units(text, out);
        default:
                return false;
        }
}

int scope_add_annotation(struct scope_settings *s, const char *key, const char *value, struct err *err) {
        const struct property *p;
        auto_strbuf out;

        strbuf_init(&out, 4096);
        if (!str_starts_with(key, ANNOTATION))
                return 0;
        p = property_find(key + strlen(ANNOTATION));
        if (!p || !p->annotation)
                return err_set(err, ERR_DENIED, -EPERM, "annotations.%.100s: no property that an annotation may set", key);
        if (!read_value(p->type, value, &out) || strbuf_error(&out) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "annotations.%s: \"%.80s\" is no value of it", key, value);
        return add(s, p->name, out.data ?: "", err);
}
