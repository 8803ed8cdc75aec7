/* SPDX-License-Identifier: Apache-2.0 */

/* A root without CAP_SYS_RESOURCE (an engine in a container, some rented machines) may neither raise a limit nor make itself dearer to the
 * out-of-memory killer. Callers ask for such things by default: there the process gets what this host can give, and the log says so. */

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "oci/launch.h"
#include "oci/oci.h"

static const struct {
        const char *name;
        int resource;
} rows[] = {
#define ROW(x) { "RLIMIT_" #x, RLIMIT_##x }
        ROW(AS),     ROW(CORE), ROW(CPU),        ROW(DATA),   ROW(FSIZE),  ROW(LOCKS), ROW(MEMLOCK), ROW(MSGQUEUE),
        ROW(NICE), ROW(NOFILE), ROW(NPROC), ROW(RSS), ROW(RTPRIO), ROW(RTTIME), ROW(SIGPENDING), ROW(STACK),
#undef ROW
};

static bool has_sys_resource(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

        return syscall(SYS_capget, &header, data) == 0 && (data[CAP_SYS_RESOURCE / 32].effective & (1u << CAP_SYS_RESOURCE % 32));
}

static void warn(const struct options *o, const char *what, const char *name) {
        struct err e = { 0 };

        err_set(&e, ERR_DENIED, -EPERM, "%s%s: this host's root may not raise it (no CAP_SYS_RESOURCE): the process gets its limit", what, name);
        report_warning(o, &e);
}

/* Numbers only: what is wrong with the rest, the planner says. -1 and what is beyond the largest integer of JSON are "no limit". */
static bool lower(json_t *limit, const char *key, rlim_t most) {
        const json_t *v = json_object_get(limit, key);
        bool number = json_is_integer(v), above = number && (json_integer_value(v) < 0 || (rlim_t) json_integer_value(v) > most);

        if (!above && !(json_is_real(v) && json_real_value(v) >= 9223372036854775807.0))
                return false;
        json_object_set_new(limit, key, json_integer((json_int_t) most));
        return true;
}

static void fit_limits(const struct options *o, json_t *process) {
        size_t i;
        json_t *limit;

        json_array_foreach(json_get_array(process, "rlimits"), i, limit) {
                const char *type = json_get_str(limit, "type", "");
                struct rlimit have;
                bool changed;

                for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
                        if (strcmp(rows[k].name, type) != 0)
                                continue;
                        if (getrlimit((__rlimit_resource_t) rows[k].resource, &have) < 0 || have.rlim_max == RLIM_INFINITY)
                                continue;
                        changed = lower(limit, "hard", have.rlim_max);
                        changed = lower(limit, "soft", have.rlim_max) || changed;
                        if (changed)
                                warn(o, "process.rlimits: ", type);
                }
        }
}

static void fit_oom_score(const struct options *o, json_t *process) {
        const json_t *v = json_object_get(process, "oomScoreAdj");
        auto_fd fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
        char text[16] = "";
        int least;

        if (!json_is_integer(v) || fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%d", &least) != 1)
                return;
        if (json_integer_value(v) >= least || json_integer_value(v) < -1000)
                return;
        json_object_set_new(process, "oomScoreAdj", json_integer(least));
        warn(o, "process.oomScoreAdj", "");
}

void launch_fit_host(const struct options *o, json_t *process) {
        /* In a user namespace it is held, and counts for nothing. */
        if (!json_is_object(process) || (has_sys_resource() && !rootless(o)))
                return;
        fit_limits(o, process);
        fit_oom_score(o, process);
}
