/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this room share. Nobody else includes it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/cgroup/cgroup.h"

/* The controllers that we know. v1 calls CONTROLLER_IO "blkio". FREEZER, DEVICES and CPUACCT are controllers of v1 only: v2 has them
 * built in (cgroup.freeze, eBPF, cpu.stat). NET_CLS and NET_PRIO are v1's, and v2 has nothing in their place. */
enum controller {
        CONTROLLER_CPU,
        CONTROLLER_CPUACCT,
        CONTROLLER_CPUSET,
        CONTROLLER_MEMORY,
        CONTROLLER_DEVICES,
        CONTROLLER_FREEZER,
        CONTROLLER_IO,
        CONTROLLER_PIDS,
        CONTROLLER_HUGETLB,
        CONTROLLER_RDMA,
        CONTROLLER_MISC,
        CONTROLLER_NET_CLS,
        CONTROLLER_NET_PRIO,
        _CONTROLLER_MAX,
};
#define BIT(controller) (1u << (controller))
/* Of v1, those that a container enters only when its config has a setting there: an attach costs time, and few have one. */
#define CONTROLLERS_RARE \
        (BIT(CONTROLLER_HUGETLB) | BIT(CONTROLLER_RDMA) | BIT(CONTROLLER_MISC) | BIT(CONTROLLER_NET_CLS) | BIT(CONTROLLER_NET_PRIO))

const char *controller_name(enum controller c, bool v2);

struct hierarchy {
        int dir_fd;           /* its mount point, O_PATH */
        uint32_t controllers; /* BIT()s */
};

struct cgroup_host {
        struct hierarchy v1[EXEC_CGROUP_V1_MAX];   /* those that every container joins */
        size_t n_v1;
        /* Of v1, with none but CONTROLLERS_RARE; and systemd's own, in which its scopes are. n_v1 + n_rare <= EXEC_CGROUP_V1_MAX */
        struct hierarchy rare[EXEC_CGROUP_V1_MAX];
        size_t n_rare;
        struct hierarchy v2; /* dir_fd -1: none. It tracks, freezes and kills even when all controllers are v1's */
};

static inline bool host_has_v2(const struct cgroup_host *h) {
        return h->v2.dir_fd >= 0;
}

/* The v1 hierarchy of a controller, a rare one, too; or NULL. */
const struct hierarchy *host_find_v1(const struct cgroup_host *h, enum controller c);

/* The hierarchy in which processes are counted, frozen and killed: v2, else v1's freezer, else any. NULL: the host has none at all. */
const struct hierarchy *host_tracker(const struct cgroup_host *h);

/* Parse /proc/self/mountinfo's text. Opens the mount points below root "/". Split from cgroup_host_open() for tests. */
struct mount_seen {
        const char *mount_point; /* points into the text, unescaped in place */
        bool v2;
        bool systemd; /* v1's "name=systemd", without controllers */
        uint32_t controllers;
};
size_t mountinfo_find_cgroups(char *text, struct mount_seen *ret, size_t room);

/* --- files of a cgroup; all names are relative to a hierarchy's or a cgroup's directory fd --- */

enum { CGROUP_FILE_MAX = 320, CGROUP_VALUE_MAX = 256 };

int cgroup_file_open(int dir_fd, const char *path, const char *file, int flags);
int cgroup_file_write(int dir_fd, const char *path, const char *file, const char *value);
/* One read(2) of a small file into buf, NUL-terminated. */
int cgroup_file_read(int dir_fd, const char *path, const char *file, char *buf, size_t size);
int cgroup_file_read_u64(int dir_fd, const char *path, const char *file, uint64_t *ret); /* "max" is UINT64_MAX */
/* The number after `key` in a file of "key number" lines; -ENOENT when there is no such line. */
int cgroup_text_find_u64(const char *text, const char *key, uint64_t *ret);

/* --- resources.c: linux.resources → settings, without touching the host --- */

struct setting {
        char field[64]; /* "memory.limit": what a person wrote below linux.resources */
        enum controller controller;
        bool v2;
        char file[64];
        char value[CGROUP_VALUE_MAX];
        /* When this kernel has no `file`: ELSE_NOTHING, or the same in `other_file` with `other_value`. */
        enum { ELSE_REFUSE, ELSE_NOTHING, ELSE_OTHER } otherwise;
        char other_file[32];
        char other_value[72];
};

struct device_rule {
        bool allow;
        char type;            /* 'a', 'b', 'c' */
        int64_t major, minor; /* -1: any */
        bool read, write, mknod;
};

struct resources {
        struct setting *settings;
        size_t n_settings;
        uint32_t v2_wanted; /* controllers of v2 that settings need */
        uint32_t v1_wanted; /* the same of v1 */
        struct device_rule *devices;
        size_t n_devices;
        bool has_devices;     /* the list was given */
        bool devices_allowed; /* what no rule names */
        uint64_t memory_check; /* memory.checkBeforeUpdate: refuse when more is in use; 0: do not look */
};
void resources_done(struct resources *r);
int resources_parse(const struct cgroup_host *h, const json_t *spec, struct resources *ret, struct err *err);
/* One more setting, and where it goes: for the files that parse a part. Where a controller lives decides the file: v1's hierarchy when there
 * is one, else v2. ERR_UNSUPPORTED when the host has no such controller, or no such file (NULL) where it is. */
int resources_add(struct resources *r, const struct setting *s, struct err *err);
int resources_choose(const struct cgroup_host *h, enum controller c, const char *v1, const char *v2, struct setting *s, struct err *err);
/* spec[key], which may be missing or null (NULL then), and must be an array. `at` is the name of the object, "" or "blockIO.". */
int resources_array(const json_t *spec, const char *at, const char *key, json_t **ret, struct err *err);
int resources_parse_huge_pages(const struct cgroup_host *h, const json_t *spec, struct resources *r, struct err *err);
int resources_parse_network(const struct cgroup_host *h, const json_t *spec, struct resources *r, struct err *err);
int resources_parse_rdma(const struct cgroup_host *h, json_t *spec, struct resources *r, struct err *err);
int resources_parse_unified(const struct cgroup_host *h, json_t *map, struct resources *r, struct err *err);
int resources_parse_block_io(const struct cgroup_host *h, const json_t *spec, struct resources *r, struct err *err);
int resources_parse_devices(const json_t *list, struct resources *r, struct err *err);

/* "c 1:3 rwm", as v1 takes it. */
enum { DEVICE_LINE_MAX = 64 };
void device_rule_line(const struct device_rule *rule, char ret[DEVICE_LINE_MAX]);

/* --- apply.c --- */

/* Write them, in order, to the cgroup `path`. `fresh`: it was just made. */
int resources_apply(const struct cgroup_host *h, const char *path, const struct resources *r, bool fresh, struct err *err);

/* --- v1.c, v2.c, devices-bpf.c --- */

/* A cpuset of v1 is born empty, and no process may enter it: fill cpus and mems of `path` and of its parents from above. */
int v1_fill_cpuset(int dir_fd, const char *path, struct err *err);
int v1_apply_devices(int dir_fd, const char *path, const struct resources *r, bool fresh, struct err *err);

/* Enable controllers for the children of all parents of `path`. `needed`: fail without them; `useful`: go on. */
int v2_enable(int dir_fd, const char *path, uint32_t needed, uint32_t useful, struct err *err);
int v2_apply_devices(int dir_fd, const char *path, const struct resources *r, bool fresh, struct err *err);

enum { DEVICE_PROGRAM_MAX = 4096 };
struct bpf_insn;
/* The instructions that decide like the rules do, last match first; returns their count, or 0 when there are too many. */
size_t device_program(const struct resources *r, struct bpf_insn *ret, size_t room);

/* --- kill.c: all that are in `path` of one hierarchy --- */

int kill_in(const struct cgroup_host *h, const struct hierarchy *in, const char *path, struct err *err);

/* --- tree.c --- */

/* Parents are made when they are missing. */
int make_parents(int dir_fd, const char *path);
/* A cgroup in the hierarchy that tells whether there is one: ERR_NOT_FOUND. */
int must_exist(const struct cgroup_host *h, const char *path, struct err *err);

/* rmdir(2) of `path` and everything below, retried while the kernel is still letting go of dead processes, until `deadline_ms`
 * (monotonic clock). 0 also when it is not there. */
int tree_remove(int dir_fd, const char *path, int64_t deadline_ms);
int64_t monotonic_ms(void);
