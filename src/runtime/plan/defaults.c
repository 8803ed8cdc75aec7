/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan/plan.h"

#include "base/json.h"
#include "base/mem.h"

static json_t *string_array(const char *const *strings, size_t n) {
        json_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(array, json_string(strings[i]));
        return array;
}

/* What a package's installation script and a small server need, and nothing that reaches beyond the container's namespaces. */
static const char *const capabilities[] = {
        "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FSETID",  "CAP_FOWNER",  "CAP_MKNOD",           "CAP_NET_RAW",    "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP",      "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
};

/* Host-wide state that a container must not read: not namespaced by the kernel. */
static const char *const masked_paths[] = {
        "/proc/asound",      "/proc/acpi",        "/proc/interrupts", "/proc/kcore",   "/proc/keys",
        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
        "/sys/firmware",     "/sys/devices/virtual/powercap",
};

static const char *const readonly_paths[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static const struct {
        const char *destination, *type;
        const char *options[8];
} mounts[] = {
        { "/proc", "proc", { "nosuid", "noexec", "nodev" } },
        { "/dev", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
        { "/dev/pts", "devpts", { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
        { "/sys", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
        { "/sys/fs/cgroup", "cgroup", { "ro", "nosuid", "noexec", "nodev" } },
        { "/dev/mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
};

json_t *plan_default_capabilities(void) {
        return string_array(capabilities, ARRAY_SIZE(capabilities));
}

json_t *plan_default_masked_paths(void) {
        return string_array(masked_paths, ARRAY_SIZE(masked_paths));
}

json_t *plan_default_readonly_paths(void) {
        return string_array(readonly_paths, ARRAY_SIZE(readonly_paths));
}

/* The spec wants a source; for file systems of the kernel it is their name. */
json_t *plan_default_mounts(int64_t shm_size) {
        json_t *array = json_array();
        auto_free char *size = str_format("size=%lld", (long long) shm_size);

        for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
                size_t n = 0;

                while (n < ARRAY_SIZE(mounts[i].options) && mounts[i].options[n])
                        n++;
                json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:o}", "destination", mounts[i].destination, "type", mounts[i].type,
                                                       "source", mounts[i].type, "options", string_array(mounts[i].options, n)));
        }
        json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:[s,s,s,s,s]}", "destination", "/dev/shm", "type", "tmpfs", "source", "shm",
                                               "options", "nosuid", "noexec", "nodev", "mode=1777", size ?: "size=65536k"));
        return array;
}
