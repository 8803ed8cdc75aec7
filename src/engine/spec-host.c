/* SPDX-License-Identifier: Apache-2.0 */
/* HostConfig's words: modes of namespaces, security options, limits, restart policy, log. */

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/apparmor.h"
#include "engine/links.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "engine/spec.h"

enum { MEMORY_MIN = 6 << 20 };

/* One mode field: the words it may have, and which flag "host" sets. */
struct mode {
        const char *name;
        size_t value;                 /* const char * in struct spec */
        size_t host_flag;             /* bool in struct spec */
        const char *const words[4];   /* allowed besides "" and "host" */
        size_t other;                 /* const char * in struct spec, for "container:NAME"; 0: not with this one */
};

static const struct mode modes[] = {
        { "PidMode", offsetof(struct spec, pid_mode), offsetof(struct spec, host_pid), { "private" }, offsetof(struct spec, pid_of) },
        { "IpcMode", offsetof(struct spec, ipc_mode), offsetof(struct spec, host_ipc), { "private", "shareable", "none" }, offsetof(struct spec, ipc_of) },
        { "UTSMode", offsetof(struct spec, uts_mode), offsetof(struct spec, host_uts), { "private" } },
        { "UsernsMode", offsetof(struct spec, userns_mode), offsetof(struct spec, host_userns), { "private" } },
        { "CgroupnsMode", offsetof(struct spec, cgroupns_mode), offsetof(struct spec, host_cgroupns), { "private" } },
};

static int read_mode(struct spec *s, const struct mode *m, struct err *err) {
        const char *value = *(const char **) ((char *) s + m->value);

        if (!*value)
                return 0;
        if (!strcmp(value, "host")) {
                *(bool *) ((char *) s + m->host_flag) = true;
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(m->words) && m->words[i]; i++)
                if (!strcmp(value, m->words[i]))
                        return 0;
        if (str_starts_with(value, "container:") && value[strlen("container:")] && m->other) {
                *(const char **) ((char *) s + m->other) = value + strlen("container:");
                return 0;
        }
        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.%s: invalid mode: %s", m->name, value);
}

int spec_read_modes(struct spec *s, struct err *err) {
        const char *n = s->network_mode;
        bool private_userns = !strcmp(s->userns_mode, "private");
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                r = read_mode(s, &modes[i], err);

                if (r < 0)
                        return r;
        }
        if (!*n || !strcmp(n, "default") || !strcmp(n, "bridge"))
                s->network = s->network_disabled ? SPEC_NETWORK_NONE : SPEC_NETWORK_BRIDGE;
        else if (!strcmp(n, "none"))
                s->network = SPEC_NETWORK_NONE;
        else if (!strcmp(n, "host"))
                s->network = SPEC_NETWORK_HOST;
        else if (str_starts_with(n, "container:") && n[strlen("container:")]) {
                s->network = SPEC_NETWORK_CONTAINER;
                s->network_of = n + strlen("container:");
        }
        else if (!strcmp(n, "container:"))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid network mode: invalid container format container:<name|id>");
        else if ((r = network_check_name(n, err)) < 0)
                return r;
        else
                s->network = s->network_disabled ? SPEC_NETWORK_NONE : SPEC_NETWORK_USER;
        if (s->network_of && (json_array_size(s->dns) || json_array_size(s->dns_search) || json_array_size(s->dns_options)))
                return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: dns and the network mode");
        if (s->network_of && json_array_size(s->extra_hosts))
                return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: custom host-to-IP mapping and the network mode");
        s->no_shm = !strcmp(s->ipc_mode, "none");
        /* These four look at or change what belongs to the host's user namespace: with a user namespace of its own the container could not use them. */
        if (s->privileged || s->host_pid || s->host_ipc || s->network == SPEC_NETWORK_HOST) {
                if (private_userns)
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.UsernsMode: \"private\" does not go with --privileged, --network host, --pid host or --ipc host");
                s->host_userns = true;
        }
        if (s->host_uts && (*s->hostname || *s->domainname))
                return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: hostname and the UTS mode");
        return 0;
}

/* "key=value" or "key:value", as old clients say it. */
static const char *option_value(const char *option, const char *key) {
        size_t n = strlen(key);

        return !strncmp(option, key, n) && (option[n] == '=' || option[n] == ':') ? option + n + 1 : NULL;
}

static int read_seccomp(struct spec *s, const char *value, struct err *err) {
        if (!strcmp(value, "unconfined")) {
                s->seccomp_unconfined = true;
                return 0;
        }
        if (!strcmp(value, "builtin") || !*value)
                return 0;
        json_decref(s->seccomp);
        s->seccomp = NULL;
        return json_parse(value, strlen(value), 1 << 20, "HostConfig.SecurityOpt: the seccomp profile", &s->seccomp, err);
}

/* A name that is not loaded is the kernel's to refuse, when the container starts. */
static int read_apparmor(struct spec *s, const char *name, struct err *err) {
        enum { NAME_LIMIT = 255 };

        for (const unsigned char *p = (const unsigned char *) name; *p; p++)
                if (*p < ' ' || *p == 0x7f)
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.SecurityOpt: \"apparmor=%s\": not the name of a profile", name);
        if (!*name || strlen(name) > NAME_LIMIT)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.SecurityOpt: apparmor: not the name of a profile");
        if (strcmp(name, "unconfined") != 0 && !apparmor_is_on())
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "HostConfig.SecurityOpt: \"apparmor=%s\": this host has no AppArmor", name);
        s->apparmor = name;
        return 0;
}

/* "/proc/a:/proc/b", as Podman has it. */
static int read_paths(json_t **list, const char *option, const char *text, struct err *err) {
        auto_free char *copy = strdup(text);
        char *save = NULL;

        if (!*list)
                *list = json_array();
        for (char *path = copy ? strtok_r(copy, ":", &save) : NULL; path; path = strtok_r(NULL, ":", &save)) {
                if ((*path != '/' && strcmp(path, "ALL") != 0) || strstr(path, "/.."))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.SecurityOpt: %s: \"%s\" is not an absolute path", option, path);
                json_array_append_new(*list, json_string(path));
        }
        return json_array_size(*list) ? 0 : err_set(err, ERR_INVALID, -EINVAL, "HostConfig.SecurityOpt: %s: no path is named", option);
}

/* With --privileged they are. Else who could write there would need to own a part of the tree, and of cgroup v1 no part may be anybody else's. */
static int read_writable_cgroups(const struct spec *s, const char *value, struct err *err) {
        if (!strcmp(value, "false") || (!strcmp(value, "true") && s->privileged))
                return 0;
        if (strcmp(value, "true") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid --security-opt: \"writable-cgroups=%s\"", value);
        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "HostConfig.SecurityOpt: \"writable-cgroups=true\": only a privileged container's cgroups can be written to in this version");
}

static int read_security_option(struct spec *s, const char *o, struct err *err) {
        const char *v;

        if (!strcmp(o, "no-new-privileges") || ((v = option_value(o, "no-new-privileges")) && !strcmp(v, "true"))) {
                s->no_new_privileges = true;
                return 0;
        }
        if ((v = option_value(o, "no-new-privileges")) && !strcmp(v, "false"))
                return 0;
        if ((v = option_value(o, "seccomp")))
                return read_seccomp(s, v, err);
        if ((v = option_value(o, "mask")))
                return read_paths(&s->mask, "mask", v, err);
        if ((v = option_value(o, "unmask")))
                return read_paths(&s->unmask, "unmask", v, err);
        if ((v = option_value(o, "systempaths")) && !strcmp(v, "unconfined")) {
                s->systempaths_unconfined = true;
                return 0;
        }
        if ((v = option_value(o, "apparmor")))
                return read_apparmor(s, v, err);
        if ((v = option_value(o, "label")) && !strcmp(v, "disable"))
                return 0;
        /* No label is put on anything in this version: only what asks for none can be granted. */
        if (option_value(o, "label"))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "HostConfig.SecurityOpt: \"%s\": %s", o,
                               access("/sys/fs/selinux/enforce", F_OK) < 0 ? "this host has no SELinux" : "SELinux labels are not supported by this version");
        if ((v = option_value(o, "writable-cgroups")))
                return read_writable_cgroups(s, v, err);
        return err_set(err, ERR_INVALID, -EINVAL, "invalid --security-opt: \"%s\"", o);
}

int spec_read_security(struct spec *s, struct err *err) {
        json_t *v;
        size_t i;

        json_array_foreach(s->security_opt, i, v) {
                int r = read_security_option(s, json_string_value(v), err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_ulimits(struct spec *s, struct err *err) {
        static const char *const names[] = { "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack" };
        json_t *v;
        size_t i;

        json_array_foreach(s->ulimits, i, v) {
                const char *name = json_get_str(v, "Name", "");
                int64_t soft = json_get_int(v, "Soft", -1), hard = json_get_int(v, "Hard", -1);

                size_t k = 0;

                while (k < ARRAY_SIZE(names) && strcmp(names[k], name) != 0)
                        k++;
                if (k == ARRAY_SIZE(names))
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid ulimit type: %s", name);
                if (soft < -1 || hard < -1)
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Ulimits: invalid ulimit \"%s\"", name);
                if (hard != -1 && (soft == -1 || soft > hard))
                        return err_set(err, ERR_INVALID, -EINVAL, "ulimit soft limit must be less than or equal to hard limit: %s", name);
        }
        return 0;
}

static int read_sysctls(struct spec *s, struct err *err) {
        const char *key;
        json_t *v;

        json_object_foreach(s->sysctls, key, v) {
                if (!json_is_string(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Sysctls: the value of \"%s\" is not a string", key);
                if (str_starts_with(key, "net.") && s->network_of)
                        return err_set(err, ERR_INVALID, -EINVAL, "sysctl \"%s\" not allowed in the network namespace of another container", key);
                if (str_starts_with(key, "net.") && s->network == SPEC_NETWORK_HOST)
                        return err_set(err, ERR_INVALID, -EINVAL, "sysctl \"%s\" not allowed in host network namespace", key);
                if (!str_starts_with(key, "net.") && s->host_ipc)
                        return err_set(err, ERR_INVALID, -EINVAL, "sysctl \"%s\" not allowed in host IPC namespace", key);
                if (!str_starts_with(key, "net.") && s->ipc_of)
                        return err_set(err, ERR_INVALID, -EINVAL, "sysctl \"%s\" not allowed in the IPC namespace of another container", key);
        }
        return 0;
}

int spec_read_limits(struct spec *s, struct err *err) {
        int r;

        if (s->memory && s->memory < MEMORY_MIN)
                return err_set(err, ERR_INVALID, -EINVAL, "Minimum memory limit allowed is 6MB");
        if (s->memory_swap > 0 && !s->memory)
                return err_set(err, ERR_INVALID, -EINVAL, "You should always set the Memory limit when using Memoryswap limit, see usage");
        if (s->memory_swap > 0 && s->memory_swap < s->memory)
                return err_set(err, ERR_INVALID, -EINVAL, "Minimum memoryswap limit should be larger than memory limit, see usage");
        if (s->memory && s->memory_reservation > s->memory)
                return err_set(err, ERR_INVALID, -EINVAL, "Minimum memory limit can not be less than memory reservation limit, see usage");
        if (s->memory_reservation && s->memory_reservation < MEMORY_MIN)
                return err_set(err, ERR_INVALID, -EINVAL, "Minimum memory reservation allowed is 6MB");
        if (s->nano_cpus && (s->cpu_quota || s->cpu_period))
                return err_set(err, ERR_INVALID, -EINVAL, "Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set.");
        if (s->nano_cpus && s->nano_cpus < 10000000)
                return err_set(err, ERR_INVALID, -EINVAL, "range of CPUs is from 0.01 up: %lld nano CPUs are too few", (long long) s->nano_cpus);
        if (s->cpu_period && s->cpu_period < 1000)
                return err_set(err, ERR_INVALID, -EINVAL, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
        if (s->cpu_quota > 0 && s->cpu_quota < 1000)
                return err_set(err, ERR_INVALID, -EINVAL, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
        if (s->cpu_shares == 1)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.CpuShares: the minimum is 2");
        r = read_ulimits(s, err);
        return r < 0 ? r : read_sysctls(s, err);
}

static int read_time(const json_t *o, const char *key, int64_t fallback, int64_t *ret, struct err *err) {
        int64_t value = json_get_int(o, key, 0);

        if (value != 0 && value < 1000000)
                return err_set(err, ERR_INVALID, -EINVAL, "%s in Healthcheck cannot be less than 1ms", key);
        *ret = value ? value : fallback;
        return 0;
}

int spec_read_health(struct spec *s, struct err *err) {
        struct spec_health *h = &s->health;
        const json_t *test = json_object_get(s->healthcheck, "Test"), *item;
        const char *kind;
        size_t i;
        int r;

        json_array_foreach((json_t *) test, i, item)
                if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
                        return err_set(err, ERR_INVALID, -EINVAL, "Healthcheck.Test: an array of strings is expected");
        if ((r = read_time(s->healthcheck, "Interval", 30000000000ll, &h->interval_ns, err)) < 0 ||
            (r = read_time(s->healthcheck, "Timeout", 30000000000ll, &h->timeout_ns, err)) < 0 ||
            (r = read_time(s->healthcheck, "StartPeriod", 0, &h->start_period_ns, err)) < 0 ||
            (r = read_time(s->healthcheck, "StartInterval", 5000000000ll, &h->start_interval_ns, err)) < 0)
                return r;
        h->retries = json_get_int(s->healthcheck, "Retries", 0);
        if (h->retries < 0 || h->retries > 1000000)
                return err_set(err, ERR_INVALID, -EINVAL, "Retries in Healthcheck cannot be negative");
        if (!h->retries)
                h->retries = 3;
        if (json_array_size(test) == 0)
                return 0;
        kind = json_string_value(json_array_get(test, 0));
        if (!strcmp(kind, "NONE"))
                return 0;
        if (strcmp(kind, "CMD") != 0 && strcmp(kind, "CMD-SHELL") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "Unknown healthcheck type '%s' (expected 'CMD')", kind);
        if (json_array_size(test) < 2)
                return err_set(err, ERR_INVALID, -EINVAL, "Healthcheck.Test: %s needs a command", kind);
        h->test = (json_t *) test;
        h->wanted = true;
        return 0;
}

int spec_read_restart(struct spec *s, struct err *err) {
        static const char *const words[] = {
                [SPEC_RESTART_NO] = "no", [SPEC_RESTART_ON_FAILURE] = "on-failure", [SPEC_RESTART_ALWAYS] = "always", [SPEC_RESTART_UNLESS_STOPPED] = "unless-stopped",
        };
        const char *name = json_get_str(s->restart_policy, "Name", "");
        size_t i = 0;

        if (!*name)
                name = "no";
        while (i < ARRAY_SIZE(words) && strcmp(words[i], name) != 0)
                i++;
        if (i == ARRAY_SIZE(words))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'", name);
        s->restart = (enum spec_restart) i;
        s->restart_max = json_get_int(s->restart_policy, "MaximumRetryCount", 0);
        if (s->restart_max < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid restart policy: maximum retry count cannot be negative");
        if (s->restart_max > 0 && s->restart != SPEC_RESTART_ON_FAILURE)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid restart policy: maximum retry count can only be used with 'on-failure'");
        if (s->auto_remove && s->restart != SPEC_RESTART_NO)
                return err_set(err, ERR_INVALID, -EINVAL, "can't create 'AutoRemove' container with restart policy");
        return 0;
}

static bool is_address(const char *text) {
        unsigned char buf[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, text, buf) == 1 || inet_pton(AF_INET6, text, buf) == 1;
}

static int check_words(const json_t *list, const char *field, bool addresses, struct err *err) {
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) list, i, v) {
                const char *text = json_string_value(v);

                if (addresses ? !is_address(text) : text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:")] != '\0' || !*text)
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.%s: invalid value \"%s\"", field, text);
        }
        return 0;
}

int spec_read_networks(struct spec *s, struct err *err) {
        json_t *v;
        size_t i;
        int r;

        if ((r = ports_check(s, err)) < 0 || (r = links_check(s, err)) < 0)
                return r;
        if ((r = check_words(s->dns, "Dns", true, err)) < 0 || (r = check_words(s->dns_search, "DnsSearch", false, err)) < 0 ||
            (r = check_words(s->dns_options, "DnsOptions", false, err)) < 0)
                return r;
        json_array_foreach(s->extra_hosts, i, v) {
                const char *text = json_string_value(v), *colon = strpbrk(text, ":=");
                auto_free char *host = colon ? strndup(text, (size_t) (colon - text)) : NULL;

                if (!host || !spec_is_hostname(host) || (!is_address(colon + 1) && strcmp(colon + 1, "host-gateway") != 0))
                        return err_set(err, ERR_INVALID, -EINVAL, "bad format for add-host: \"%s\"", text);
        }
        return 0;
}
