/* SPDX-License-Identifier: Apache-2.0 */
#include "systemd/bus.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "systemd/properties.h"

#define SERVICE "org.freedesktop.systemd1"
#define PATH "/org/freedesktop/systemd1"
#define MANAGER SERVICE ".Manager"

enum { DEADLINE_S = 60 };

static int explain(const sd_bus_error *e, int r, const char *what, const char *unit, struct err *err) {
        static const struct {
                const char *name;
                enum err_kind kind;
                int num;
        } known[] = {
                { SERVICE ".UnitExists", ERR_CONFLICT, -EEXIST },
                { SERVICE ".NoSuchUnit", ERR_NOT_FOUND, -ENOENT },
                { SD_BUS_ERROR_INVALID_ARGS, ERR_INVALID, -EINVAL },
                { SD_BUS_ERROR_ACCESS_DENIED, ERR_DENIED, -EACCES },
        };

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (sd_bus_error_has_name(e, known[i].name))
                        return err_set(err, known[i].kind, known[i].num, "systemd: %s %s: %s", what, unit, e->message ?: known[i].name);
        return err_set(err, ERR_INTERNAL, r, "systemd: %s %s: %s", what, unit, e->message ?: strerror(-r));
}

/* --- a connection --- */

static int open_address(const char *address, sd_bus **ret) {
        sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);

        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                sd_bus_unref(bus);
        else
                *ret = bus;
        return r;
}

int bus_open(bool user, sd_bus **ret, struct err *err) {
        const char *dir = user ? getenv("XDG_RUNTIME_DIR") : "/run";
        auto_free char *address = NULL;
        int r = -ENOENT;

        /* Nothing that an address would have to escape. */
        if (dir && strspn(dir, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == strlen(dir))
                address = str_format("unix:path=%s/systemd/private", dir);
        if (address)
                r = open_address(address, ret);
        if (r < 0)
                r = user ? sd_bus_open_user(ret) : sd_bus_open_system(ret);
        if (r < 0)
                return err_set(err, ERR_UNAVAILABLE, r, "systemd cannot be reached: %s", strerror(-r));
        sd_bus_set_method_call_timeout(*ret, (uint64_t) DEADLINE_S * 1000000);
        return 0;
}

/* --- values --- */

/* "0-3,5" → bit n of the mask is processor n. */
static int append_set(sd_bus_message *m, const char *text) {
        enum { SET_MAX = 8192 };
        unsigned char mask[SET_MAX / 8] = { 0 };
        size_t used = 0;

        while (*text) {
                char *end;
                unsigned long first = strtoul(text, &end, 10), last = first;

                if (end == text)
                        return -EINVAL;
                if (*end == '-') {
                        text = end + 1;
                        last = strtoul(text, &end, 10);
                        if (end == text)
                                return -EINVAL;
                }
                if (first > last || last >= SET_MAX || (*end && (*end != ',' || !end[1])))
                        return -EINVAL;
                for (unsigned long i = first; i <= last; i++)
                        mask[i / 8] |= (unsigned char) (1 << (i % 8));
                used = last / 8 + 1 > used ? last / 8 + 1 : used;
                text = *end ? end + 1 : end;
        }
        return sd_bus_message_append_array(m, 'y', mask, used);
}

static int append_units(sd_bus_message *m, const char *text) {
        auto_free char *copy = strdup(text);
        char *rest = copy, *name;
        int r = copy ? sd_bus_message_open_container(m, 'a', "s") : -ENOMEM;

        while (r >= 0 && (name = strsep(&rest, " ")))
                r = unit_name_is_valid(name) ? sd_bus_message_append(m, "s", name) : -EINVAL;
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_pairs(sd_bus_message *m, const char *text) {
        auto_free char *copy = strdup(text);
        char *rest = copy, *pair;
        int r = copy ? sd_bus_message_open_container(m, 'a', "(ss)") : -ENOMEM;

        while (r >= 0 && (pair = strsep(&rest, ","))) {
                char *second = strchr(pair, ' ');

                if (!second)
                        return -EINVAL;
                *second++ = '\0';
                r = sd_bus_message_append(m, "(ss)", pair, second);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, enum property_type type, const char *value) {
        uint64_t v = UINT64_MAX;

        switch (type) {
        case PROPERTY_FLAG:
                return sd_bus_message_append(m, "b", (int) (strcmp(value, "true") == 0));
        case PROPERTY_NUMBER:
                if (strcmp(value, "infinity") != 0 && str_to_u64(value, 0, UINT64_MAX, &v) < 0)
                        return -EINVAL;
                return sd_bus_message_append(m, "t", v);
        case PROPERTY_TEXT:
                return sd_bus_message_append(m, "s", value);
        case PROPERTY_UNITS:
                return append_units(m, value);
        case PROPERTY_SET:
                return append_set(m, value);
        case PROPERTY_PAIRS:
                return append_pairs(m, value);
        }
        return -EINVAL;
}

/* Before 252 it has no such weight, and writes no file that it would undo. */
static bool knows_idle_weight(sd_bus *bus) {
        char *version = NULL;
        bool knows = sd_bus_get_property_string(bus, SERVICE, PATH, MANAGER, "Version", NULL, &version) >= 0 && strtoul(version, NULL, 10) >= 252;

        free(version);
        return knows;
}

static int append_setting(sd_bus_message *m, const char *setting) {
        static const char *const types[] = {
                [PROPERTY_FLAG] = "b", [PROPERTY_NUMBER] = "t", [PROPERTY_TEXT] = "s", [PROPERTY_UNITS] = "as", [PROPERTY_SET] = "ay", [PROPERTY_PAIRS] = "a(ss)",
        };
        const char *value = strchr(setting, '=');
        auto_free char *name = value ? strndup(setting, (size_t) (value - setting)) : NULL;
        const struct property *p = name ? property_find(name) : NULL;
        int r;

        if (!p)
                return -EINVAL;
        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", p->name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', types[p->type]);
        if (r >= 0)
                r = append_value(m, p->type, value + 1);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_settings(sd_bus_message *m, char **settings, int n, struct err *err) {
        for (int i = 0; i < n; i++) {
                int r;

                if (strcmp(settings[i], "CPUWeight=0") == 0 && !knows_idle_weight(sd_bus_message_get_bus(m)))
                        continue;
                r = append_setting(m, settings[i]);
                if (r < 0)
                        return err_set(err, ERR_INVALID, r, "systemd: \"%.80s\" is no property", settings[i]);
        }
        return 0;
}

/* --- jobs --- */

struct job {
        char *path; /* of the job that is waited for */
        bool ended, done;
};

static int on_job_removed(sd_bus_message *m, void *data, sd_bus_error *e) {
        struct job *j = data;
        const char *path, *result;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &path, NULL, &result) >= 0 && j->path && strcmp(path, j->path) == 0) {
                j->ended = true;
                j->done = strcmp(result, "done") == 0;
        }
        return 0;
}

/* The signal may come before the answer that names the job: it is kept in the queue until sd_bus_process() is called. */
static int run_job(sd_bus *bus, sd_bus_message *m, const char *what, const char *unit, struct err *err) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        sd_bus_slot *slot = NULL;
        struct job j = { 0 };
        struct timespec from, now;
        const char *path;
        int r = sd_bus_match_signal(bus, &slot, NULL, PATH, MANAGER, "JobRemoved", on_job_removed, &j);

        if (r >= 0)
                r = sd_bus_call(bus, m, 0, &e, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0 && !(j.path = strdup(path)))
                r = -ENOMEM;
        clock_gettime(CLOCK_MONOTONIC, &from);
        while (r >= 0 && !j.ended) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, 1000000);
                clock_gettime(CLOCK_MONOTONIC, &now);
                if (r >= 0 && !j.ended && now.tv_sec - from.tv_sec > DEADLINE_S)
                        r = -ETIMEDOUT;
        }
        if (r < 0)
                r = explain(&e, r, what, unit, err);
        else
                r = j.done ? 0 : err_set(err, ERR_INTERNAL, -EIO, "systemd: %s %s: its job has failed", what, unit);
        free(j.path);
        sd_bus_slot_unref(slot);
        sd_bus_message_unref(reply);
        sd_bus_error_free(&e);
        return r;
}

/* --- what there is to do --- */

static int manager_call(sd_bus *bus, const char *method, sd_bus_message **ret, struct err *err) {
        int r = sd_bus_message_new_method_call(bus, ret, SERVICE, PATH, MANAGER, method);

        return r < 0 ? err_errno(err, r, "systemd: %s", method) : 0;
}

/* Kill, or forget: a unit that is not there wants neither. */
static void call_quietly(sd_bus *bus, const char *method, const char *unit) {
        if (strcmp(method, "KillUnit") == 0)
                sd_bus_call_method(bus, SERVICE, PATH, MANAGER, method, NULL, NULL, "ssi", unit, "all", SIGKILL);
        else
                sd_bus_call_method(bus, SERVICE, PATH, MANAGER, method, NULL, NULL, "s", unit);
}

static int start_once(sd_bus *bus, const char *unit, const char *slice, pid_t pid, char **settings, int n, struct err *err) {
        sd_bus_message *m = NULL;
        int r = manager_call(bus, "StartTransientUnit", &m, err);

        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ss", unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        /* What is counted must be said: a controller that nothing asks for is not there. What comes later counts: the settings may say other. */
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Delegate", "b", 1, "PIDs", "au", 1, (uint32_t) pid, "Slice", "s", slice,
                                          "DefaultDependencies", "b", 0, "CollectMode", "s", "inactive-or-failed", "CPUAccounting", "b", 1,
                                          "MemoryAccounting", "b", 1, "IOAccounting", "b", 1, "TasksAccounting", "b", 1);
        if (r >= 0) {
                r = append_settings(m, settings, n, err);
                if (r < 0)
                        goto done;
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        r = r < 0 ? err_errno(err, r, "systemd: start %s", unit) : run_job(bus, m, "start", unit, err);
done:
        sd_bus_message_unref(m);
        return r;
}

static int tell_cgroup(sd_bus *bus, const char *unit, struct err *err) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        char *cgroup = NULL;
        const char *path;
        int r = sd_bus_call_method(bus, SERVICE, PATH, MANAGER, "GetUnit", &e, &reply, "s", unit);

        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, SERVICE, path, SERVICE ".Scope", "ControlGroup", &e, &cgroup);
        if (r < 0)
                r = explain(&e, r, "cgroup of", unit, err);
        else if (*cgroup != '/' || strlen(cgroup) >= sizeof(err->msg))
                r = err_set(err, ERR_INTERNAL, -EIO, "systemd: %s has no cgroup", unit);
        else
                snprintf(err->msg, sizeof(err->msg), "%s", cgroup);
        free(cgroup);
        sd_bus_message_unref(reply);
        sd_bus_error_free(&e);
        return r < 0 ? r : 0;
}

int bus_start(sd_bus *bus, const char *unit, const char *slice, pid_t pid, char **settings, int n, struct err *err) {
        int r = start_once(bus, unit, slice, pid, settings, n, err);

        /* One that has failed keeps its name until that is forgotten; an active one keeps it then, too. */
        if (r == -EEXIST) {
                call_quietly(bus, "ResetFailedUnit", unit);
                r = start_once(bus, unit, slice, pid, settings, n, err);
        }
        return r < 0 ? r : tell_cgroup(bus, unit, err);
}

int bus_set(sd_bus *bus, const char *unit, char **settings, int n, struct err *err) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        int r = manager_call(bus, "SetUnitProperties", &m, err);

        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "sb", unit, 1);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0) {
                r = append_settings(m, settings, n, err);
                if (r < 0)
                        goto done;
                r = sd_bus_message_close_container(m);
        }
        if (r >= 0)
                r = sd_bus_call(bus, m, 0, &e, NULL);
        r = r < 0 ? explain(&e, r, "properties of", unit, err) : 0;
done:
        sd_bus_message_unref(m);
        sd_bus_error_free(&e);
        return r;
}

int bus_stop(sd_bus *bus, const char *unit, struct err *err) {
        sd_bus_message *m = NULL;
        int r = manager_call(bus, "StopUnit", &m, err);

        if (r < 0)
                return r;
        call_quietly(bus, "KillUnit", unit);
        r = sd_bus_message_append(m, "ss", unit, "replace");
        r = r < 0 ? err_errno(err, r, "systemd: stop %s", unit) : run_job(bus, m, "stop", unit, err);
        sd_bus_message_unref(m);
        if (r == -ENOENT)
                return 0;
        call_quietly(bus, "ResetFailedUnit", unit);
        return r;
}
