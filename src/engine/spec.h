/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The body of POST /containers/create, read and checked: {…Config, HostConfig, NetworkingConfig}. The rows of the table in spec.c say of each field
 * what becomes of it: used, only recorded, or refused when it asks for something. A field that nobody knows is ignored, as dockerd does. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/log-driver.h"
#include "network/network.h"

struct err;

enum spec_network { SPEC_NETWORK_BRIDGE, SPEC_NETWORK_NONE, SPEC_NETWORK_HOST, SPEC_NETWORK_CONTAINER, SPEC_NETWORK_USER /* by name */ };
enum spec_restart { SPEC_RESTART_NO, SPEC_RESTART_ON_FAILURE, SPEC_RESTART_ALWAYS, SPEC_RESTART_UNLESS_STOPPED };

enum { ENDPOINTS_MAX = 8 }; /* networks of one container */

/* A network that the container is to be on. All is borrowed from the body; texts that were not given are "". */
#define ENDPOINTS_CHANGED "Changed" /* in the stored NetworkingConfig: see endpoints.h */

struct spec_endpoint {
        const char *network, *network_id; /* "bridge" for the default one */
        const char *address, *address6, *mac, *link;
        json_t *aliases; /* an array of names, or NULL */
        json_t *config;  /* the whole object, or NULL */
        struct network_rates rates;
        uint32_t class_id; /* 0: none */
        int64_t priority; /* of its gateway; the highest is the default route */
};

enum { SPEC_SOURCES_MAX = 32 };

struct spec_mount {
        enum { SPEC_MOUNT_BIND, SPEC_MOUNT_TMPFS, SPEC_MOUNT_VOLUME, SPEC_MOUNT_IMAGE } type;
        char *source;      /* host path of a bind mount; name of a volume ("": it is still to get one) or image until volumes_mount(): then what the
                            * planner takes, a path or "fd:N" */
        char *target;      /* absolute and clean */
        char *options;     /* of a tmpfs: "size=1m,mode=1777"; of a bind mount of CDI's: "nosuid,nodev" */
        char *subpath;     /* of a volume or an image: relative and clean; NULL: all of it */
        char *idmap;       /* "uids=0-1-10#…;gids=…": ids of its own; NULL: the container's */
        const json_t *driver_options, *labels; /* of a volume, for when it is made; borrowed */
        char propagation[12]; /* "rprivate", … */
        bool read_only, recursive;
        bool anonymous;    /* a volume whose name is not the user's */
        bool is_mapped;     /* its source has the container's ids already */
        bool read_only_top; /* what is mounted below stays writable */
        bool no_copy;      /* a volume: not filled from the image */
        bool make_source;  /* -v: a missing host directory is made */
        bool from_binds;   /* asked for as HostConfig.Binds, for inspect */
};

/* A device of the host that the container gets. */
struct spec_device {
        char *host, *target; /* paths */
        uint32_t mode;       /* type and permissions, as of stat(2) */
        uint32_t uid, gid;
        uint32_t major, minor;
        char access[4];      /* "rwm" */
};

/* A limit on one block device of the host. */
struct spec_block {
        enum { SPEC_BLOCK_WEIGHT, SPEC_BLOCK_READ_BPS, SPEC_BLOCK_WRITE_BPS, SPEC_BLOCK_READ_IOPS, SPEC_BLOCK_WRITE_IOPS, _SPEC_BLOCK_MAX } kind;
        uint32_t major, minor;
        int64_t value;
};

struct spec_health {
        bool wanted;
        json_t *test; /* ["CMD", …] or ["CMD-SHELL", "…"]; borrowed */
        int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
        int64_t retries;
};

/* Everything that is JSON or char * here is borrowed from the body, except mounts, devices_found and seccomp: spec_done(). */
struct spec {
        json_t *body, *host; /* Config's fields are on the body's top level */

        const char *image, *hostname, *domainname, *user, *workdir, *stop_signal;
        json_t *env, *cmd, *entrypoint, *labels, *exposed_ports, *volumes;
        bool tty, open_stdin, stdin_once, attach_stdin, attach_stdout, attach_stderr, network_disabled;
        int64_t stop_timeout; /* seconds; −1: not said */

        int64_t memory, memory_swap, memory_reservation, nano_cpus, cpu_quota, cpu_period, cpu_shares, pids_limit, shm_size, oom_score_adj, memory_swappiness /* −1: not said */,
                cpu_rt_period, cpu_rt_runtime, blkio_weight, timeout /* seconds; 0: none */;
        const char *cpuset_cpus, *cpuset_mems;
        const char *mac_address, *network_mode, *pid_mode, *ipc_mode, *uts_mode, *userns_mode, *cgroupns_mode, *cgroup_parent, *umask_text, *timezone,
                *health_action, *personality, *runtime;
        json_t *binds, *mount_list, *tmpfs, *ulimits, *sysctls, *cap_add, *cap_drop, *security_opt, *dns, *dns_search, *dns_options, *extra_hosts,
                *group_add, *masked_paths, *readonly_paths, *console_size, *restart_policy, *log_config, *port_bindings, *healthcheck, *shell, *devices, *device_rules, *device_requests, *links, *annotations, *unset_env, *time_offsets, *volumes_from, *storage_opt,
                *block_lists[_SPEC_BLOCK_MAX];
        bool privileged, readonly_rootfs, auto_remove, publish_all, init, oom_kill_disable;

        /* Worked out from the above: */
        enum spec_network network;
        struct spec_endpoint endpoints[ENDPOINTS_MAX]; /* the first is the network mode's, when it is still on that */
        size_t n_endpoints;
        uint32_t class_id; /* of cgroup v1's net_cls; 0: none */
        const char *network_of, *pid_of, *ipc_of; /* of another container: its name or id; NULL otherwise */
        uint64_t size_limit; /* bytes of what it writes into its root file system; 0: none */
        bool host_userns, host_pid, host_ipc, host_uts, host_cgroupns, no_shm;
        bool no_new_privileges, seccomp_unconfined, systempaths_unconfined;
        const char *apparmor; /* the name of a profile, or "unconfined"; NULL: not said */
        json_t *link_hosts; /* lines of /etc/hosts, by links_find(); owned, or NULL */
        json_t *cdi_env, *cdi_groups; /* what env and group_add are when a device by name brings more than the body has; owned, or NULL */
        json_t *cdi_hooks; /* `hooks` of the OCI configuration, that such devices bring; owned, or NULL */
        json_t *mask, *unmask; /* arrays of paths, "ALL" in the second is every one; owned, or NULL */
        json_t *seccomp; /* a profile of the caller's, in Docker's form; owned */
        struct spec_mount *mounts;
        size_t n_mounts;
        struct spec_device *devices_found; /* by spec_find_devices() */
        size_t n_devices_found;
        struct spec_block *blocks; /* by spec_find_block_devices() */
        size_t n_blocks;
        struct spec_health health;
        int32_t umask; /* −1: not said */
        int source_fds[SPEC_SOURCES_MAX]; /* detached mounts, the source "fd:0" … of mounts; ours to close */
        size_t n_source_fds;
        enum spec_restart restart;
        int64_t restart_max;
        struct spec_log log;
};

/* Checks everything that can be checked without looking at the host. ERR_INVALID and ERR_UNSUPPORTED name the field. */
int spec_parse(const json_t *body, struct spec *ret, struct err *err);
/* The body as it came, before an image's configuration is laid under it and hides what is of a wrong type. */
int spec_check_types(const json_t *body, struct err *err);
void spec_done(struct spec *s);
#define auto_spec __attribute__((cleanup(spec_done))) struct spec

/* spec-host.c: HostConfig's words. */
int spec_read_modes(struct spec *s, struct err *err);
int spec_read_security(struct spec *s, struct err *err);
int spec_read_limits(struct spec *s, struct err *err);
int spec_read_health(struct spec *s, struct err *err);
int spec_read_devices(struct spec *s, struct err *err);
int spec_read_restart(struct spec *s, struct err *err);
int spec_read_networks(struct spec *s, struct err *err);
/* spec-networks.c: NetworkingConfig → endpoints. */
int spec_read_endpoints(struct spec *s, struct err *err);
bool spec_is_link_name(const char *text);
/* spec-endpoint-options.c: DriverOpts of p->config into p->link and p->rates. Is this one of those that limit bandwidth? */
int spec_read_driver_options(struct spec_endpoint *p, struct err *err);
bool spec_is_endpoint_rate(const char *option);
/* host-limits.c: against the processors and memory nodes that this host has. ERR_INVALID. */
int spec_check_host(const struct spec *s, struct err *err);
/* --mount wants the host's directory to be there; -v makes it. */
int spec_check_sources(const struct spec *s, struct err *err);
/* Is the list of numbers `wanted` ("0-2,4") within `available`? `what` and `objects` are for the message. */
int spec_check_list(const char *wanted, const char *available, const char *what, const char *objects, struct err *err);
/* host-devices.c: "c 1:* rmw" of --device-cgroup-rule; −1 is any. */
struct device_rule {
        char type[2], access[4];
        int64_t major, minor;
};
bool device_rule_parse(const char *text, struct device_rule *ret);
/* looks up HostConfig.Devices (and, for a privileged container, all there are) → devices_found. ERR_INVALID names the device. */
int spec_find_devices(struct spec *s, struct err *err);
/* One more, by number; one that has this target already stays. The texts are copied. */
struct stat;
int spec_add_device(struct spec *s, const char *host, const char *target, const struct stat *st, const char *access, struct err *err);
bool spec_is_device_path(const char *path);   /* absolute, not the root, and does not climb */
bool spec_is_device_access(const char *text); /* of r, w and m */
/* Gives the fd to the spec; *source becomes "fd:N". ERR_TOO_LARGE. */
int spec_add_source(struct spec *s, int fd, char **source, struct err *err);
/* spec-resources.c: what the cgroup gets besides the plain numbers; a limit of size. */
int spec_read_resources(struct spec *s, struct err *err);
int spec_read_storage(struct spec *s, struct err *err);
/* "10G": at least what an empty directory and its like take. `what` is for the message. */
int spec_read_size(const char *what, const char *text, uint64_t *ret, struct err *err);
/* Looks up the devices that BlkioWeightDevice and its kin name → blocks. ERR_INVALID names the device. */
int spec_find_block_devices(struct spec *s, struct err *err);
/* "/a/b/" → "a/b", on the heap, "" for none. −EINVAL: it climbs, or is no path of plain names. */
int spec_cgroup_parent(const char *text, char **ret);
/* spec-process.c: mask, time zone, clocks, variables to leave out. */
int spec_read_process(struct spec *s, struct err *err);
/* spec-mounts.c: Binds, Mounts, Tmpfs → mounts. */
int spec_read_mounts(struct spec *s, struct err *err);
/* One more bind mount, the last of `mounts`; and one of its options: those of -v, and nosuid, nodev, noexec. */
int spec_add_bind(struct spec *s, const char *source, const char *target, struct err *err);
bool spec_add_bind_option(struct spec_mount *m, const char *word);
/* "uids=0-1-10;gids=0-0-5" → [{containerID, hostID, size}] of one kind, "uids" or "gids"; hostID is first_id and more. −EINVAL. */
int spec_idmap_parse(const char *text, const char *kind, uint32_t first_id, json_t **ret);
bool spec_is_volume_name(const char *text);
int spec_check_volume_name(const char *name, struct err *err); /* ERR_INVALID: what is wrong with it */
const struct spec_mount *spec_mount_at(const struct spec *s, const char *target);

/* "10m", "1g", "1024": what people write for bytes. −EINVAL. */
int spec_parse_bytes(const char *text, uint64_t *ret);
/* "" is false. Letters, digits and what a host name may have; no blanks, no newline, nothing that could end a line of /etc/hosts. */
bool spec_is_hostname(const char *text);
