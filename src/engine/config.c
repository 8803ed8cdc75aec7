/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"
#include "runtime/plan/plan.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Every capability there is; the kernel's bounding set decides which of them a privileged container gets (the planner leaves out those that the
 * host does not know). */
static const char *const all_capabilities[] = {
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
        "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
        "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
        "PERFMON", "BPF", "CHECKPOINT_RESTORE",
};

/* Is capability i in the bounding set of the daemon? What we do not have we cannot give. */
static bool is_in_bounding_set(size_t i) {
        static uint64_t bounding;

        if (!__atomic_load_n(&bounding, __ATOMIC_RELAXED)) {
                uint64_t found = 1ull << 63; /* "was read" */
                char line[256];
                FILE *f = fopen("/proc/self/status", "re");

                while (f && fgets(line, sizeof(line), f)) {
                        unsigned long long value;

                        if (sscanf(line, "CapBnd: %llx", &value) == 1)
                                found |= value;
                }
                if (f)
                        fclose(f);
                __atomic_store_n(&bounding, found, __ATOMIC_RELAXED);
        }
        return __atomic_load_n(&bounding, __ATOMIC_RELAXED) & (1ull << i);
}

static int capability_index(const char *name) {
        if (!strncasecmp(name, "CAP_", 4))
                name += 4;
        for (size_t i = 0; i < ARRAY_SIZE(all_capabilities); i++)
                if (!strcasecmp(all_capabilities[i], name))
                        return (int) i;
        return -1;
}

static uint64_t all_mask(void) {
        uint64_t mask = 0;

        for (size_t i = 0; i < ARRAY_SIZE(all_capabilities); i++)
                if (is_in_bounding_set(i))
                        mask |= 1ull << i;
        return mask;
}

static int parse_capabilities(const json_t *list, const char *field, uint64_t *ret, bool *ret_all, struct err *err) {
        json_t *v;
        size_t i;

        *ret = 0;
        *ret_all = false;
        json_array_foreach((json_t *) list, i, v) {
                const char *name = json_string_value(v);
                int index;

                if (!strcasecmp(name, "ALL")) {
                        *ret_all = true;
                        continue;
                }
                index = capability_index(name);
                if (index < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid %s: unknown capability: \"%s\"", field, name);
                *ret |= 1ull << index;
        }
        return 0;
}

int config_check_capabilities(const struct spec *s, struct err *err) {
        uint64_t mask;
        bool all;
        int r = parse_capabilities(s->cap_add, "CapAdd", &mask, &all, err);

        return r < 0 ? r : parse_capabilities(s->cap_drop, "CapDrop", &mask, &all, err);
}

/* Docker's arithmetic: drop ALL starts from nothing, add ALL from everything; single names are added and dropped after that. */
static int work_out_capabilities(const struct spec *s, bool privileged, json_t **ret, struct err *err) {
        uint64_t add, drop, mask = 0;
        bool add_all, drop_all;
        json_t *v;
        size_t i;
        int r;

        if ((r = parse_capabilities(s->cap_add, "CapAdd", &add, &add_all, err)) < 0 || (r = parse_capabilities(s->cap_drop, "CapDrop", &drop, &drop_all, err)) < 0)
                return r;
        if (privileged || add_all)
                mask = all_mask();
        else if (!drop_all) {
                auto_json *defaults = plan_default_capabilities();

                json_array_foreach(defaults, i, v)
                        mask |= 1ull << capability_index(json_string_value(v));
        }
        if (!privileged)
                mask = (mask | add) & ~drop;
        *ret = json_array();
        for (i = 0; i < ARRAY_SIZE(all_capabilities); i++)
                if (mask & (1ull << i))
                        json_array_append_new(*ret, json_sprintf("CAP_%s", all_capabilities[i]));
        return 0;
}

/* As execve(2) leaves them: root has them at once, others only up to the bounding set. Inheritable and ambient are always empty. */
static json_t *capability_sets(json_t *caps, bool is_root) {
        json_t *sets = json_pack("{s:O, s:[], s:[]}", "bounding", caps, "inheritable", "ambient");

        json_object_set_new(sets, "effective", is_root ? json_incref(caps) : json_array());
        json_object_set_new(sets, "permitted", is_root ? json_incref(caps) : json_array());
        return sets;
}

static json_t *user_object(const struct spec *s, const struct plan_user *u) {
        json_t *groups = json_array(), *o;

        for (size_t i = 0; i < u->n_groups; i++)
                json_array_append_new(groups, json_integer(u->groups[i]));
        o = json_pack("{s:I, s:I, s:o}", "uid", (json_int_t) u->uid, "gid", (json_int_t) u->gid, "additionalGids", groups);
        if (o && s->umask >= 0)
                json_object_set_new(o, "umask", json_integer(s->umask));
        return o;
}

static bool env_has(const json_t *env, const char *assignment) {
        size_t n = strcspn(assignment, "=") + 1, i;
        json_t *v;

        json_array_foreach((json_t *) env, i, v)
                if (!strncmp(json_string_value(v), assignment, n))
                        return true;
        return false;
}

/* The last assignment of a name wins. "NAME" without a value takes it out again. */
static void env_put(json_t *env, const char *assignment) {
        size_t n = strcspn(assignment, "="), i;
        json_t *v;

        json_array_foreach(env, i, v) {
                const char *old = json_string_value(v);

                if (strcspn(old, "=") == n && !strncmp(old, assignment, n)) {
                        if (assignment[n])
                                json_array_set_new(env, i, json_string(assignment));
                        else
                                json_array_remove(env, i);
                        return;
                }
        }
        if (assignment[n])
                json_array_append_new(env, json_string(assignment));
}

static json_t *environment(const struct config_input *in, const json_t *more, bool tty) {
        char hostname[64];
        json_t *env = json_array(), *v;
        const json_t *const lists[] = { in->spec->env, more };
        size_t i;

        config_hostname(in->spec, in->id, hostname);
        json_array_append_new(env, json_string(DEFAULT_PATH));
        json_array_append_new(env, json_sprintf("HOSTNAME=%s", hostname));
        if (tty)
                json_array_append_new(env, json_string("TERM=xterm"));
        for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
                json_array_foreach((json_t *) lists[l], i, v)
                        env_put(env, json_string_value(v));
        json_array_foreach(in->spec->unset_env, i, v)
                env_put(env, json_string_value(v));
        if (!env_has(env, "HOME="))
                json_array_append_new(env, json_sprintf("HOME=%s", in->user->home[0] ? in->user->home : "/"));
        return env;
}

static json_t *rlimits(const struct spec *s) {
        json_t *list = json_array(), *v;
        size_t i;

        json_array_foreach(s->ulimits, i, v) {
                json_int_t soft = json_get_int(v, "Soft", -1), hard = json_get_int(v, "Hard", -1);
                char type[64] = "RLIMIT_";
                const char *name = json_get_str(v, "Name", "");
                json_t *o;

                for (size_t k = 0; k < sizeof(type) - 8 && name[k]; k++)
                        type[7 + k] = (char) (name[k] - 'a' + 'A');
                /* −1 is "unlimited": the spec counts in uint64, which Jansson's integers hold as −1 too. */
                o = json_pack("{s:s, s:I, s:I}", "type", type, "soft", soft, "hard", hard);
                json_array_append_new(list, o);
        }
        return list;
}


static json_t *command(const struct spec *s) {
        const json_t *const parts[] = { s->entrypoint, s->cmd };
        json_t *args = s->init ? json_pack("[s, s]", CONFIG_INIT_TARGET, "--") : json_array();

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                if (json_is_string(parts[i]))
                        json_array_append(args, (json_t *) parts[i]);
                else if (parts[i])
                        json_array_extend(args, (json_t *) parts[i]);
        }
        return args;
}

static json_t *process_object(const struct config_input *in, json_t *caps) {
        const struct spec *s = in->spec;
        json_t *p = json_pack("{s:b, s:o, s:o, s:o, s:s, s:o, s:b, s:o}", "terminal", s->tty, "user", user_object(in->spec, in->user), "args", command(s), "env",
                              environment(in, NULL, s->tty), "cwd", *s->workdir ? s->workdir : "/", "capabilities",
                              capability_sets(caps, in->user->uid == 0), "noNewPrivileges", s->no_new_privileges, "rlimits", rlimits(s));

        if (p && s->oom_score_adj)
                json_object_set_new(p, "oomScoreAdj", json_integer(s->oom_score_adj));
        if (p && in->apparmor)
                json_object_set_new(p, "apparmorProfile", json_string(in->apparmor));
        return p;
}

/* The nodes to make. Where the container has a user namespace none can be made: they are mounted there, see config-mounts.c. */
static json_t *devices(const struct spec *s) {
        json_t *list = json_array();

        for (size_t i = 0; i < s->n_devices_found && s->host_userns; i++) {
                const struct spec_device *d = &s->devices_found[i];

                json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "path", d->target, "type", S_ISBLK(d->mode) ? "b" : "c", "major", (json_int_t) d->major,
                                                      "minor", (json_int_t) d->minor, "fileMode", (json_int_t) (d->mode & 07777), "uid", (json_int_t) d->uid, "gid",
                                                      (json_int_t) d->gid));
        }
        return list;
}

static json_t *namespaces(const struct config_input *in) {
        const struct spec *s = in->spec;
        const struct {
                const char *type;
                bool wanted;
                const char *path; /* of another container's; NULL: a new one */
        } all[] = {
                { "mount", true, NULL },
                { "pid", !s->host_pid, in->pid_path },
                { "network", s->network != SPEC_NETWORK_HOST, NULL },
                { "ipc", !s->host_ipc, in->ipc_path },
                { "uts", !s->host_uts, NULL },
                { "user", !s->host_userns, NULL },
                { "cgroup", !s->host_cgroupns, NULL },
                { "time", json_object_size(s->time_offsets) > 0, NULL },
        };
        json_t *list = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                if (all[i].wanted)
                        json_array_append_new(list, json_pack("{s:s, s:s*}", "type", all[i].type, "path", all[i].path));
        return list;
}

static json_t *sysctls(const struct spec *s) {
        json_t *o = json_object();

        /* Ports below 1024 need no privilege inside: they are the container's own. */
        if (s->network != SPEC_NETWORK_HOST && s->network != SPEC_NETWORK_CONTAINER)
                json_object_set_new(o, "net.ipv4.ip_unprivileged_port_start", json_string("0"));
        if (s->sysctls)
                json_object_update(o, s->sysctls);
        return o;
}

static bool has_path(const json_t *list, const char *path) {
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) list, i, v)
                if (!strcmp(json_string_value(v), path) || !strcmp(json_string_value(v), "ALL"))
                        return true;
        return false;
}

/* A list of hidden or read-only paths without those that are to be seen, and with more. Takes `list`. */
static json_t *change_paths(json_t *list, const json_t *without, const json_t *more) {
        json_t *changed, *v;
        size_t i;

        if (!without && !more)
                return list;
        changed = json_array();
        json_array_foreach(list, i, v)
                if (!has_path(without, json_string_value(v)))
                        json_array_append(changed, v);
        if (more)
                json_array_extend(changed, (json_t *) more);
        json_decref(list);
        return changed;
}

static int set_paths_and_seccomp(const struct spec *s, json_t *linux_object, const json_t *caps, struct err *err) {
        bool open_paths = s->privileged || s->systempaths_unconfined;
        json_t *seccomp = NULL;

        json_object_set_new(linux_object, "maskedPaths", change_paths(open_paths ? json_array() : s->masked_paths ? json_incref(s->masked_paths) : plan_default_masked_paths(), s->unmask, s->mask));
        json_object_set_new(linux_object, "readonlyPaths", change_paths(open_paths ? json_array() : s->readonly_paths ? json_incref(s->readonly_paths) : plan_default_readonly_paths(), s->unmask, NULL));
        if (s->seccomp) {
                int r = config_seccomp(s->seccomp, caps, &seccomp, err);

                if (r < 0)
                        return r;
        } else if (!s->privileged && !s->seccomp_unconfined)
                seccomp = plan_default_seccomp(caps);
        if (seccomp)
                json_object_set_new(linux_object, "seccomp", seccomp);
        return 0;
}

/* Nanoseconds → {"secs", "nanosecs"}, of which the second is never negative. */
static json_t *time_offsets(const struct spec *s) {
        json_t *all = json_object(), *v;
        const char *clock;

        json_object_foreach(s->time_offsets, clock, v) {
                json_int_t ns = json_integer_value(v), secs = ns / 1000000000, rest = ns % 1000000000;

                if (rest < 0) {
                        secs--;
                        rest += 1000000000;
                }
                json_object_set_new(all, clock, json_pack("{s:I, s:I}", "secs", secs, "nanosecs", rest));
        }
        return all;
}

void config_hostname(const struct spec *s, const char *id, char ret[64]) {
        if (*s->hostname)
                snprintf(ret, 64, "%s", s->hostname);
        else
                snprintf(ret, 64, "%.12s", id);
}

int config_container(const struct config_input *in, json_t **ret, struct err *err) {
        const struct spec *s = in->spec;
        auto_json *caps = NULL, *config = NULL;
        json_t *linux_object;
        char hostname[64];
        int r;

        r = work_out_capabilities(s, s->privileged, &caps, err);
        if (r < 0)
                return r;
        linux_object = json_pack("{s:o, s:o, s:o, s:o}", "devices", devices(s), "namespaces", namespaces(in), "resources", config_resources(s), "sysctl", sysctls(s));
        config = json_pack("{s:s, s:{s:s, s:b}, s:o, s:o, s:o}", "ociVersion", "1.2.0", "root", "path", "rootfs", "readonly", s->readonly_rootfs, "process",
                           process_object(in, caps), "mounts", config_mounts(in), "linux", linux_object);
        if (!config)
                return err_set(err, ERR_INTERNAL, -ENOMEM, "configuration of container %.12s: it does not fit into JSON", in->id);
        r = set_paths_and_seccomp(s, linux_object, caps, err);
        if (r < 0)
                return r;
        if (json_object_size(s->time_offsets))
                json_object_set_new(linux_object, "timeOffsets", time_offsets(s));
        if (*s->personality)
                json_object_set_new(linux_object, "personality", json_pack("{s:s}", "domain", s->personality));
        if (s->cdi_hooks)
                json_object_set(config, "hooks", s->cdi_hooks);
        if (json_object_size(s->annotations))
                json_object_set(config, "annotations", s->annotations);
        if (!s->host_uts) {
                config_hostname(s, in->id, hostname);
                json_object_set_new(config, "hostname", json_string(hostname));
                if (*s->domainname)
                        json_object_set_new(config, "domainname", json_string(s->domainname));
        }
        *ret = take_ptr(&config);
        return 0;
}

int config_exec(const struct config_input *in, const json_t *body, bool tty, json_t **ret, struct err *err) {
        const struct spec *s = in->spec;
        const char *cwd = json_get_str(body, "WorkingDir", "");
        bool privileged = s->privileged || json_get_bool(body, "Privileged", false);
        auto_json *caps = NULL;
        json_t *p;
        int r;

        r = work_out_capabilities(s, privileged, &caps, err);
        if (r < 0)
                return r;
        if (!*cwd)
                cwd = *s->workdir ? s->workdir : "/";
        if (*cwd != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "the working directory '%s' is invalid, it needs to be an absolute path", cwd);
        p = json_pack("{s:b, s:o, s:O, s:o, s:s, s:o, s:b, s:o}", "terminal", tty, "user", user_object(in->spec, in->user), "args", json_get_array(body, "Cmd"), "env",
                      environment(in, json_get_array(body, "Env"), tty), "cwd", cwd, "capabilities", capability_sets(caps, in->user->uid == 0),
                      "noNewPrivileges", s->no_new_privileges, "rlimits", rlimits(s));
        if (!p)
                return err_set(err, ERR_INVALID, -EINVAL, "the exec's command or environment is not text");
        if (s->oom_score_adj)
                json_object_set_new(p, "oomScoreAdj", json_integer(s->oom_score_adj));
        if (in->apparmor)
                json_object_set_new(p, "apparmorProfile", json_string(in->apparmor));
        *ret = p;
        return 0;
}
