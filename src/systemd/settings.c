/* SPDX-License-Identifier: Apache-2.0 */

/* What a scope is to have: from the files of cgroup v2, and from annotations. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
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

enum form { NUMBER, SET, IO_WEIGHT, QUOTA };

static const struct file {
        const char *name, *property;
        enum form form;
} files[] = {
        { "memory.max", "MemoryMax", NUMBER },
        { "memory.high", "MemoryHigh", NUMBER },
        { "memory.low", "MemoryLow", NUMBER },
        { "memory.min", "MemoryMin", NUMBER },
        { "memory.swap.max", "MemorySwapMax", NUMBER },
        { "pids.max", "TasksMax", NUMBER },
        { "cpu.weight", "CPUWeight", NUMBER },
        { "cpu.max", "CPUQuotaPerSecUSec", QUOTA },
        { "cpuset.cpus", "AllowedCPUs", SET },
        { "cpuset.mems", "AllowedMemoryNodes", SET },
        { "io.weight", "IOWeight", IO_WEIGHT },
};

static int add_number(struct scope_settings *s, const struct file *f, const char *value, struct err *err) {
        uint64_t v;

        if (strcmp(value, "max") == 0)
                return add(s, f->property, "infinity", err);
        /* With a unit, as "unified" may have it: the kernel reads it, and systemd keeps its own. */
        return str_to_u64(value, 0, UINT64_MAX, &v) < 0 ? 0 : add(s, f->property, value, err);
}

/* "QUOTA PERIOD" or "QUOTA", in µs. systemd counts per second, in steps of 10 ms, upwards: less than was asked for is never given. */
static int add_quota(struct scope_settings *s, const char *value, struct err *err) {
        enum { SECOND = 1000000, STEP = 10000, PERIOD = 100000 };
        uint64_t period = PERIOD, quota;
        char first[32], text[32];
        size_t n = strcspn(value, " ");
        int r = 0;

        if (n >= sizeof(first))
                return 0;
        snprintf(first, sizeof(first), "%.*s", (int) n, value);
        if (value[n] && str_to_u64(value + n + 1, 1, SECOND, &period) < 0)
                return 0;
        if (value[n])
                r = add(s, "CPUQuotaPeriodUSec", value + n + 1, err);
        if (r < 0)
                return r;
        if (strcmp(first, "max") == 0)
                return add(s, "CPUQuotaPerSecUSec", "infinity", err);
        if (str_to_u64(first, 1, UINT64_MAX / SECOND, &quota) < 0)
                return 0;
        quota = (quota * SECOND + period - 1) / period;
        snprintf(text, sizeof(text), "%" PRIu64, (quota + STEP - 1) / STEP * STEP);
        return add(s, "CPUQuotaPerSecUSec", text, err);
}

int scope_add_file(struct scope_settings *s, const char *file, const char *value, struct err *err) {
        const struct file *f = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                if (strcmp(files[i].name, file) == 0)
                        f = &files[i];
        switch (f ? (int) f->form : -1) {
        case NUMBER:
                return add_number(s, f, value, err);
        case IO_WEIGHT:
                return add_number(s, f, str_starts_with(value, "default ") ? value + strlen("default ") : value, err);
        case QUOTA:
                return add_quota(s, value, err);
        case SET:
                return *value ? add(s, f->property, value, err) : 0;
        default:
                return 0;
        }
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

        if (!str_starts_with(key, ANNOTATION))
                return 0;
        p = property_find(key + strlen(ANNOTATION));
        if (!p || !p->annotation)
                return err_set(err, ERR_DENIED, -EPERM, "annotations.%.100s: no property that an annotation may set", key);
        strbuf_init(&out, 4096);
        if (!read_value(p->type, value, &out) || strbuf_error(&out) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "annotations.%s: \"%.80s\" is no value of it", key, value);
        return add(s, p->name, out.data ?: "", err);
}
