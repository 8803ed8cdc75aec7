/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/fields.h"

enum type {
        BOOL = FIELD_BOOL,
        INT = FIELD_INT,
        STRING = FIELD_STRING,
        STRINGS = FIELD_STRINGS,
        COMMAND = FIELD_COMMAND,
        MAP = FIELD_MAP,
        LIST = FIELD_LIST,
        ANY = FIELD_ANY,
};

enum use {
        USED,     /* stored in struct spec, and it works */
        RECORDED, /* shown by inspect; it changes nothing in Docker on Linux either, or only a client reads it */
        REFUSED,  /* asks for something that this version does not do: an empty value passes */
};

struct field {
        const char *name;
        enum type type;
        enum use use;
        size_t offset;   /* USED: into struct spec */
        int64_t min, max; /* INT, when max > 0 */
        const char *why; /* REFUSED: instead of the usual words */
};

#define S(member) offsetof(struct spec, member)
#define ANY_INT 0, 0

static const struct field config_fields[] = {
        { "Image", STRING, USED, S(image) },
        { "Hostname", STRING, USED, S(hostname) },
        { "Domainname", STRING, USED, S(domainname) },
        { "User", STRING, USED, S(user) },
        { "WorkingDir", STRING, USED, S(workdir) },
        { "StopSignal", STRING, USED, S(stop_signal) },
        { "StopTimeout", INT, USED, S(stop_timeout), -1, 1 << 30 },
        { "Env", STRINGS, USED, S(env) },
        { "Cmd", COMMAND, USED, S(cmd) },
        { "Entrypoint", COMMAND, USED, S(entrypoint) },
        { "Labels", MAP, USED, S(labels) },
        { "ExposedPorts", MAP, USED, S(exposed_ports) },
        { "Volumes", MAP, USED, S(volumes) },
        { "Tty", BOOL, USED, S(tty) },
        { "OpenStdin", BOOL, USED, S(open_stdin) },
        { "StdinOnce", BOOL, USED, S(stdin_once) },
        { "AttachStdin", BOOL, USED, S(attach_stdin) },
        { "AttachStdout", BOOL, USED, S(attach_stdout) },
        { "AttachStderr", BOOL, USED, S(attach_stderr) },
        { "NetworkDisabled", BOOL, USED, S(network_disabled) },
        { "Healthcheck", MAP, USED, S(healthcheck) },
        { "Umask", STRING, USED, S(umask_text) },                                  /* this one and the next three: Podman has them */
        { "Timezone", STRING, USED, S(timezone) },
        { "UnsetEnv", STRINGS, USED, S(unset_env) },
        { "HealthcheckOnFailureAction", STRING, USED, S(health_action) },
        { "MacAddress", STRING, USED, S(mac_address) },
        { "OnBuild", ANY, RECORDED },
        { "Shell", STRINGS, USED, S(shell) }, /* for health checks */
        { "ArgsEscaped", BOOL, RECORDED },
};

static const struct field host_fields[] = {
        { "Memory", INT, USED, S(memory), 0, INT64_MAX },
        { "MemorySwap", INT, USED, S(memory_swap), -1, INT64_MAX },
        { "MemoryReservation", INT, USED, S(memory_reservation), 0, INT64_MAX },
        { "NanoCpus", INT, USED, S(nano_cpus), 0, INT64_MAX },
        { "CpuQuota", INT, USED, S(cpu_quota), -1, INT64_MAX },
        { "CpuPeriod", INT, USED, S(cpu_period), 0, 1000000 },
        { "CpuShares", INT, USED, S(cpu_shares), 0, 262144 },
        { "PidsLimit", INT, USED, S(pids_limit), -1, INT64_MAX },
        { "ShmSize", INT, USED, S(shm_size), 0, INT64_MAX },
        { "OomScoreAdj", INT, USED, S(oom_score_adj), -1000, 1000 },
        { "CpusetCpus", STRING, USED, S(cpuset_cpus) },
        { "CpusetMems", STRING, USED, S(cpuset_mems) },
        { "NetworkMode", STRING, USED, S(network_mode) },
        { "PidMode", STRING, USED, S(pid_mode) },
        { "IpcMode", STRING, USED, S(ipc_mode) },
        { "UTSMode", STRING, USED, S(uts_mode) },
        { "UsernsMode", STRING, USED, S(userns_mode) },
        { "CgroupnsMode", STRING, USED, S(cgroupns_mode) },
        { "Binds", STRINGS, USED, S(binds) },
        { "Mounts", LIST, USED, S(mount_list) },
        { "Tmpfs", MAP, USED, S(tmpfs) },
        { "Ulimits", LIST, USED, S(ulimits) },
        { "Sysctls", MAP, USED, S(sysctls) },
        { "CapAdd", STRINGS, USED, S(cap_add) },
        { "CapDrop", STRINGS, USED, S(cap_drop) },
        { "SecurityOpt", STRINGS, USED, S(security_opt) },
        { "Dns", STRINGS, USED, S(dns) },
        { "DnsSearch", STRINGS, USED, S(dns_search) },
        { "DnsOptions", STRINGS, USED, S(dns_options) },
        { "ExtraHosts", STRINGS, USED, S(extra_hosts) },
        { "GroupAdd", STRINGS, USED, S(group_add) },
        { "MaskedPaths", STRINGS, USED, S(masked_paths) },
        { "ReadonlyPaths", STRINGS, USED, S(readonly_paths) },
        { "ConsoleSize", LIST, USED, S(console_size) },
        { "RestartPolicy", MAP, USED, S(restart_policy) },
        { "LogConfig", MAP, USED, S(log_config) },
        { "PortBindings", MAP, USED, S(port_bindings) },
        { "Privileged", BOOL, USED, S(privileged) },
        { "ReadonlyRootfs", BOOL, USED, S(readonly_rootfs) },
        { "AutoRemove", BOOL, USED, S(auto_remove) },
        { "PublishAllPorts", BOOL, USED, S(publish_all) },
        { "Init", BOOL, USED, S(init) },
        { "VolumesFrom", STRINGS, USED, S(volumes_from) },
        { "VolumeDriver", STRING, REFUSED, .why = "only the driver local is there" },
        { "Links", STRINGS, USED, S(links) },
        { "Devices", LIST, USED, S(devices) },
        { "DeviceCgroupRules", STRINGS, USED, S(device_rules) },
        { "DeviceRequests", LIST, USED, S(device_requests) },
        { "CgroupParent", STRING, USED, S(cgroup_parent) },
        { "Cgroup", STRING, REFUSED },
        { "Runtime", STRING, USED, S(runtime) },
        { "StorageOpt", MAP, USED, S(storage_opt) },
        { "Annotations", MAP, USED, S(annotations) },
        { "BlkioWeight", INT, USED, S(blkio_weight), 0, 1000 },
        { "BlkioWeightDevice", LIST, USED, S(block_lists[SPEC_BLOCK_WEIGHT]) },
        { "BlkioDeviceReadBps", LIST, USED, S(block_lists[SPEC_BLOCK_READ_BPS]) },
        { "BlkioDeviceWriteBps", LIST, USED, S(block_lists[SPEC_BLOCK_WRITE_BPS]) },
        { "BlkioDeviceReadIOps", LIST, USED, S(block_lists[SPEC_BLOCK_READ_IOPS]) },
        { "BlkioDeviceWriteIOps", LIST, USED, S(block_lists[SPEC_BLOCK_WRITE_IOPS]) },
        { "CpuRealtimePeriod", INT, USED, S(cpu_rt_period), 0, 1000000 },
        { "CpuRealtimeRuntime", INT, USED, S(cpu_rt_runtime), 0, 1000000 },
        { "KernelMemory", INT, REFUSED, .why = "kernels have no such limit any more: kernel memory counts as memory" },
        { "KernelMemoryTCP", INT, REFUSED, .why = "kernels have no such limit any more: kernel memory counts as memory" },
        { "MemorySwappiness", INT, USED, S(memory_swappiness), -1, 100 },
        { "OomKillDisable", BOOL, USED, S(oom_kill_disable) },
        { "Personality", STRING, USED, S(personality) },
        { "Timeout", INT, USED, S(timeout), 0, 1 << 30 },
        { "TimeOffsets", MAP, USED, S(time_offsets) }, /* Kist's own */
        { "ContainerIDFile", STRING, RECORDED }, /* the client writes that file */
        { "Isolation", STRING, REFUSED, .why = "is for Windows" },
        { "CpuCount", INT, REFUSED, .why = "is for Windows" },
        { "CpuPercent", INT, REFUSED, .why = "is for Windows" },
        { "IOMaximumIOps", INT, REFUSED, .why = "is for Windows" },
        { "IOMaximumBandwidth", INT, REFUSED, .why = "is for Windows" },
};

static bool asks_for_something(const struct field *f, const json_t *v) {
        const char *text = json_string_value(v);

        if (json_is_null(v) || json_is_false(v))
                return false;
        if (json_is_integer(v))
                return json_integer_value(v) != 0;
        if (text)
                return *text && !(!strcmp(f->name, "Isolation") && !strcmp(text, "default")) && !(!strcmp(f->name, "VolumeDriver") && !strcmp(text, "local"));
        return json_is_true(v) || json_array_size(v) > 0 || json_object_size(v) > 0;
}

static int check_type(const struct field *f, const char *where, const json_t *v, struct err *err) {
        if (json_is_null(v) || field_fits(v, (enum field_type) f->type))
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "%s%s: %s expected", where, f->name, field_words((enum field_type) f->type));
}

static int read_field(const struct field *f, const char *where, json_t *v, struct spec *s, struct err *err) {
        char *at = (char *) s + f->offset;
        int r = check_type(f, where, v, err);

        if (r < 0 || json_is_null(v))
                return r;
        if (f->use == REFUSED && asks_for_something(f, v))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s%s: %s", where, f->name, f->why ? f->why : "is not supported by this version");
        if (f->use != USED)
                return 0;
        switch (f->type) {
        case BOOL:
                *(bool *) at = json_is_true(v);
                break;
        case INT:
                if (f->max && (json_integer_value(v) < f->min || json_integer_value(v) > f->max))
                        return err_set(err, ERR_INVALID, -ERANGE, "%s%s: %lld is out of range", where, f->name, (long long) json_integer_value(v));
                *(int64_t *) at = json_integer_value(v);
                break;
        case STRING:
                *(const char **) at = json_string_value(v);
                break;
        default:
                *(json_t **) at = v;
        }
        return 0;
}

static int read_fields(const struct field *fields, size_t n, const char *where, const json_t *object, struct spec *s, struct err *err) {
        for (size_t i = 0; i < n; i++) {
                json_t *v = json_object_get(object, fields[i].name);
                int r = v ? read_field(&fields[i], where, v, s, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_host(const json_t *host, struct err *err) {
        return !host || json_is_object(host) || json_is_null(host) ? 0 : err_set(err, ERR_INVALID, -EINVAL, "HostConfig: an object is expected");
}

int spec_check_types(const json_t *body, struct err *err) {
        const json_t *host = json_object_get(body, "HostConfig"), *v;
        int r = check_host(host, err);

        for (size_t i = 0; i < ARRAY_SIZE(config_fields) && r == 0; i++)
                if ((v = json_object_get(body, config_fields[i].name)))
                        r = check_type(&config_fields[i], "", v, err);
        for (size_t i = 0; i < ARRAY_SIZE(host_fields) && r == 0; i++)
                if ((v = json_object_get(host, host_fields[i].name)))
                        r = check_type(&host_fields[i], "HostConfig.", v, err);
        return r;
}

bool spec_is_hostname(const char *text) {
        size_t n = strlen(text);

        if (n == 0 || n > 253)
                return false;
        for (; *text; text++)
                if (!isalnum((unsigned char) *text) && !strchr("-._", *text))
                        return false;
        return true;
}

int spec_parse_bytes(const char *text, uint64_t *ret) {
        static const char units[] = "bkmgt";
        const char *unit;
        uint64_t value;
        char *end;

        if (!isdigit((unsigned char) *text))
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, 10);
        if (errno)
                return -ERANGE;
        if (*end) {
                unit = strchr(units, tolower((unsigned char) *end));
                if (!unit || (end[1] && strcasecmp(end + 1, "b") != 0 && strcasecmp(end + 1, "ib") != 0))
                        return -EINVAL;
                for (; unit > units; unit--)
                        if (__builtin_mul_overflow(value, 1024, &value))
                                return -ERANGE;
        }
        *ret = value;
        return 0;
}

static int check_texts(const struct spec *s, struct err *err) {
        const char *key;
        json_t *v;
        size_t i;

        if (*s->hostname && (!spec_is_hostname(s->hostname) || strlen(s->hostname) > 63))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid hostname: %s", s->hostname);
        if (*s->domainname && (!spec_is_hostname(s->domainname) || strlen(s->domainname) > 63))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid domain name: %s", s->domainname);
        if (*s->workdir && *s->workdir != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "the working directory '%s' is invalid, it needs to be an absolute path", s->workdir);
        json_array_foreach(s->env, i, v)
                if (*json_string_value(v) == '=' || !*json_string_value(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid environment variable: %s", json_string_value(v));
        json_object_foreach(s->labels, key, v)
                if (!json_is_string(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "Labels: the value of \"%s\" is not a string", key);
        return 0;
}

static int read_log(struct spec *s, struct err *err) {
        return log_driver_read(s->log_config, &s->log, err);
}

int spec_parse(const json_t *body, struct spec *ret, struct err *err) {
        static int (*const readers[])(struct spec *, struct err *) = {
                spec_read_modes,   spec_read_security, spec_read_limits,   spec_read_health, spec_read_devices, spec_read_resources, spec_read_storage, spec_read_process,
                spec_read_restart, read_log,           spec_read_networks, spec_read_endpoints, spec_read_mounts,
        };
        struct spec s = { .body = (json_t *) body, .stop_timeout = -1, .memory_swappiness = -1 };
        const struct field *const tables[] = { config_fields, host_fields };
        const size_t sizes[] = { ARRAY_SIZE(config_fields), ARRAY_SIZE(host_fields) };
        int r;

        if (!json_is_object(body))
                return err_set(err, ERR_INVALID, -EINVAL, "config cannot be empty in order to create a container");
        s.host = json_object_get(body, "HostConfig");
        if ((r = check_host(s.host, err)) < 0)
                return r;
        /* A string that is not given is "", so that nobody has to ask. */
        for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
                for (size_t i = 0; i < sizes[t]; i++)
                        if (tables[t][i].type == STRING && tables[t][i].use == USED)
                                *(const char **) ((char *) &s + tables[t][i].offset) = "";
        r = read_fields(config_fields, sizes[0], "", body, &s, err);
        if (r == 0)
                r = read_fields(host_fields, sizes[1], "HostConfig.", s.host, &s, err);
        if (r == 0)
                r = check_texts(&s, err);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(readers); i++)
                r = readers[i](&s, err);
        if (r < 0) {
                spec_done(&s);
                return r;
        }
        *ret = s;
        return 0;
}

int spec_add_source(struct spec *s, int fd, char **source, struct err *err) {
        char *text;

        if (s->n_source_fds == SPEC_SOURCES_MAX) {
                fd_close(fd);
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "more than %d mounts of volumes with a sub-path or a driver's options, of images, and with policy strict of the host's folders", SPEC_SOURCES_MAX);
        }
        text = str_format("fd:%zu", s->n_source_fds);
        if (!text) {
                fd_close(fd);
                return err_errno(err, -ENOMEM, "mounts");
        }
        s->source_fds[s->n_source_fds++] = fd;
        free(*source);
        *source = text;
        return 0;
}

void spec_done(struct spec *s) {
        for (size_t i = 0; i < s->n_mounts; i++) {
                free(s->mounts[i].source);
                free(s->mounts[i].target);
                free(s->mounts[i].options);
                free(s->mounts[i].subpath);
                free(s->mounts[i].idmap);
        }
        free(s->mounts);
        for (size_t i = 0; i < s->n_devices_found; i++) {
                free(s->devices_found[i].host);
                free(s->devices_found[i].target);
        }
        free(s->devices_found);
        free(s->blocks);
        for (size_t i = 0; i < s->n_source_fds; i++)
                fd_close(s->source_fds[i]);
        json_decref(s->seccomp);
        json_decref(s->mask);
        json_decref(s->unmask);
        json_decref(s->link_hosts);
        json_decref(s->cdi_env);
        json_decref(s->cdi_groups);
        json_decref(s->cdi_hooks);
        *s = (struct spec) {};
}
