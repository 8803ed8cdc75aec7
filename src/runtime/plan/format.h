/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The layout of a plan: what the planner writes into a sealed memfd and the executor maps read-only. It never leaves the host and both
 * sides are of one build, so there is one version and native byte order. Everything is an offset: the executor maps it anywhere and
 * checks every table against the size of the file before it looks at one record.
 *
 * A text is a uint32_t: its offset in the table of strings. Offset 0 is the empty text, which also means "not given". */

#include <stdint.h>

#define PLAN_MAGIC 0x4e4c504bu /* "KPLN" */
#define PLAN_NONE UINT32_MAX   /* no such index */

enum {
        PLAN_VERSION = 1,
        PLAN_SOURCES_MAX = 512, /* each is an open file while the container starts */
        PLAN_GROUPS_MAX = 128,
        PLAN_SIZE_MAX = 16 << 20,
};

/* `count` records (bytes, for strings) from `offset` on, which is a multiple of eight. */
struct plan_table {
        uint32_t offset, count;
};

enum plan_kind {
        PLAN_CONTAINER = 1,
        PLAN_PROCESS,
};

enum plan_flags {
        PLAN_ROOTFS_BY_FD = 1 << 0,    /* else source 0 is the root file system */
        PLAN_USERNS_BY_FD = 1 << 1,
        PLAN_NETNS_BY_FD = 1 << 2,
        PLAN_OWN_USERNS = 1 << 3,      /* the process lives in a user namespace other than the caller's, made or joined */
        PLAN_NOTIFY_START = 1 << 4,    /* wait on the gate before execve(2) */
        PLAN_START_FIFO = 1 << 5,      /* the gate is a fifo that outlives the caller */
        PLAN_NEW_CGROUPNS = 1 << 6,    /* made by init itself, once it is in its cgroup */
        PLAN_NEW_TIMENS = 1 << 7,      /* made by init itself, which must not have entered it when the offsets are written */
        PLAN_ROOT_READONLY = 1 << 8,
        PLAN_TERMINAL = 1 << 9,
        PLAN_NO_NEW_PRIVS = 1 << 10,
        PLAN_OOM_SCORE = 1 << 11,
        PLAN_CREATE_CWD = 1 << 12,
        PLAN_RUNTIME_HOOKS = 1 << 13,  /* let the caller run its hooks once everything is mounted */
        PLAN_ROOT_IN_PLACE = 1 << 14,  /* hooks look for the root at its path: attach it there, not over "/" */
        PLAN_SCHEDULER = 1 << 15,
        PLAN_IO_PRIORITY = 1 << 16,
        PLAN_CPUS_INITIAL = 1 << 17,   /* of a process that joins, before it enters the cgroup */
        PLAN_CPUS_FINAL = 1 << 18,     /* and after */
        PLAN_PERSONALITY = 1 << 19,
        PLAN_MEMORY_POLICY = 1 << 20,
        PLAN_ROOT_PROPAGATES_TREE = 1 << 21, /* root_propagation is for all mounts below it, too */
};

/* A namespace to join by path. */
struct plan_join {
        uint32_t clone_flag; /* CLONE_NEWNET … */
        uint32_t path;
        uint32_t what;       /* the field, for messages */
        uint32_t _reserved;
};

/* One line of uid_map or gid_map. */
struct plan_id_map {
        uint32_t inside, outside, count;
};

/* A file or a tree of the host, which the caller opens and makes a detached mount of before there is a child. */
enum plan_source_flags {
        PLAN_SOURCE_RECURSIVE = 1 << 0,
        PLAN_SOURCE_IDMAP = 1 << 1,     /* by the container's user namespace, or by maps of its own when it has any */
        PLAN_SOURCE_IDMAP_RECURSIVE = 1 << 2,
        PLAN_SOURCE_DEVICE = 1 << 3,    /* must be the device node `mode`, `device` */
        PLAN_SOURCE_PROC_ONLY = 1 << 4, /* must be a procfs: it lands on /proc */
        PLAN_SOURCE_BY_FD = 1 << 5,     /* a detached mount that the caller has: number `device` of exec_fds.sources */
};

struct plan_source {
        uint32_t path, what;
        uint32_t flags;
        uint32_t mode;                      /* S_IFCHR or S_IFBLK, with PLAN_SOURCE_DEVICE */
        uint64_t device;                    /* makedev(3) */
        uint64_t attr_set, attr_clear;      /* MOUNT_ATTR_*, of the mount itself */
        uint64_t tree_set, tree_clear;      /* the same for it and all below it */
        uint64_t propagation;               /* MS_PRIVATE …, or 0 */
        uint64_t tree_propagation;
        struct plan_table uid_map, gid_map; /* of its own; count 0: the container's */
};

/* What init does in the new root, in order. */
enum plan_op {
        PLAN_MOUNT_TREE = 1, /* source → target */
        PLAN_MOUNT_FS,       /* a new file system of type `text` with `params` → target */
        PLAN_SET_ATTR,       /* change the attributes of the mount at target */
        PLAN_SYMLINK,        /* target → text */
        PLAN_NODE,           /* mknod(2) target: mode, device, uid, gid */
        PLAN_CONSOLE,        /* make the terminal, put it on target */
        PLAN_HOSTNAME,       /* text */
        PLAN_DOMAINNAME,     /* text */
        PLAN_SYSCTL,         /* target: "net/ipv4/…" below /proc/sys; text: the value */
        PLAN_READONLY,       /* target becomes read-only, when it exists */
        PLAN_MASK,           /* target is hidden, when it exists */
        _PLAN_OP_MAX,
};

enum plan_step_flags {
        PLAN_STEP_OPTIONAL = 1 << 0,    /* the kernel may refuse: go on without it */
        PLAN_STEP_NO_SYMLINKS = 1 << 1, /* no symlink on the way to target: /dev, /proc, /sys */
        PLAN_STEP_KEEP_PROC = 1 << 2,   /* this proc is the one for sysctls */
        PLAN_STEP_KEEP_PTS = 1 << 3,    /* this devpts is the one for the terminal */
        PLAN_STEP_RECURSIVE = 1 << 4,   /* PLAN_SET_ATTR */
        PLAN_STEP_OR_BIND = 1 << 5,     /* PLAN_MOUNT_FS: when the kernel refuses, the host's own tree at target, read-only */
        PLAN_STEP_REPLACE = 1 << 6,     /* PLAN_SYMLINK: whatever is there already may stay */
        PLAN_STEP_COPY_UP = 1 << 7,     /* PLAN_MOUNT_FS: begin with a copy of what is at target */
        PLAN_STEP_COPY_MODE = 1 << 8,   /* and with its mode and owner */
};

struct plan_step {
        uint32_t op, flags;
        uint32_t target, text, what;
        uint32_t source;         /* index, PLAN_MOUNT_TREE */
        struct plan_table params; /* struct plan_param */
        uint32_t mode, uid, gid, _reserved;
        uint64_t device;
        uint64_t attr_set, attr_clear;
        uint64_t propagation;
};

/* One fsconfig(2) parameter: a flag when `value` is empty. */
struct plan_param {
        uint32_t key, value;
};

/* A hook that runs inside of the container's namespaces. */
enum plan_hook_stage {
        PLAN_HOOK_CREATE_CONTAINER = 1, /* before pivot_root(2): its path is one of the host */
        PLAN_HOOK_START_CONTAINER,      /* after the gate */
};

struct plan_hook {
        uint32_t stage, path, what;
        uint32_t timeout;            /* seconds; 0: it may take as long as it likes */
        struct plan_table argv, env; /* uint32_t texts */
};

/* A network device of the caller's namespace that becomes the container's. */
struct plan_net_device {
        uint32_t name, new_name, what;
        uint32_t _reserved;
};

struct plan_time_offset {
        uint32_t clock; /* CLOCK_MONOTONIC, CLOCK_BOOTTIME */
        uint32_t nanoseconds;
        int64_t seconds;
};

struct plan_rlimit {
        uint32_t resource, what;
        uint64_t soft, hard;
};

/* sched_setattr(2) */
struct plan_scheduler {
        uint32_t policy;
        int32_t nice;
        uint32_t priority, _reserved;
        uint64_t flags, runtime, deadline, period;
};

/* CPUs, or NUMA nodes, by number. */
enum { PLAN_BITS = 1024 };
struct plan_bits {
        uint64_t words[PLAN_BITS / 64];
};

enum plan_capability_set {
        PLAN_CAP_BOUNDING,
        PLAN_CAP_EFFECTIVE,
        PLAN_CAP_PERMITTED,
        PLAN_CAP_INHERITABLE,
        PLAN_CAP_AMBIENT,
        _PLAN_CAP_MAX,
};

struct plan_header {
        uint32_t magic, version, size, kind;
        uint32_t flags;
        uint32_t new_namespaces;  /* CLONE_NEW* of the clone; cgroup and time are flags above. PLAN_PROCESS: those to join */
        uint64_t root_propagation;
        struct plan_table strings; /* bytes; the last is NUL */
        struct plan_table joins, uid_map, gid_map, time_offsets, sources, steps, params;
        struct plan_table argv, env; /* uint32_t texts */
        struct plan_table groups;    /* uint32_t ids */
        struct plan_table rlimits;
        struct plan_table filter;    /* struct sock_filter */
        struct plan_table hooks, hook_texts;
        struct plan_table net_devices;
        uint32_t apparmor, selinux; /* what is entered with the next execve(2); empty: nothing */
        /* With SECCOMP_FILTER_FLAG_NEW_LISTENER: whom to send the listener, and the text beside it, which is listener_head, the pid as the host
         * sees it, listener_tail, and, of a container, the pid again and "}}". */
        uint32_t listener_path, listener_head, listener_tail;
        uint32_t state_head;         /* the container's state as JSON, up to and with the quote before its status */
        uint32_t filter_flags;       /* SECCOMP_FILTER_FLAG_* */
        uint32_t uid, gid, umask;
        uint32_t cwd;
        int32_t oom_score;
        uint16_t rows, columns;      /* of the terminal; 0: the kernel's */
        uint64_t capabilities[_PLAN_CAP_MAX];
        struct plan_scheduler scheduler;
        uint32_t io_priority, personality;
        uint32_t memory_mode, _reserved;
        struct plan_bits memory_nodes, cpus_initial, cpus_final;
};
