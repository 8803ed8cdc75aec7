/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Inside of the executor. Three actors carry out one plan:
 *
 *   caller  (kist-monitor, kist-runtime)   opens what belongs to the host and detaches it          host.c, exec.c
 *   middle  (shares the caller's memory,  what needs the host's privileges or must be inherited:
 *            one shot, vfork; only where   cgroups, limits, joining namespaces; then the clone      middle.c, files.c
 *            namespaces are joined or a user namespace is made)
 *   process (the caller's child, too)      builds its root and becomes the command                 init.c, …, command.c
 *
 * Every function returns 0 or a negative errno with *err filled. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/exec/exec.h"
#include "runtime/plan/format.h"

#define EXEC_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A mapped plan. Its tables were checked by plan_map(); texts are checked as they are used. */
struct plan {
        const struct plan_header *header;
        const uint8_t *base;
        size_t size;
};

int plan_map(int fd, enum plan_kind kind, struct plan *ret, struct err *err);
void plan_unmap(struct plan *p);

/* The records of a table that plan_map() has checked. */
static inline const void *plan_records(const struct plan *p, struct plan_table t) {
        return p->base + t.offset;
}

/* A text, never NULL; one that lies outside of the table is the empty one. */
static inline const char *plan_text(const struct plan *p, uint32_t offset) {
        const struct plan_header *h = p->header;

        return (const char *) p->base + h->strings.offset + (offset < h->strings.count ? offset : 0);
}

/* What is known before the clone and inherited by the child: a copy of this lives in each of the two. */
struct launch {
        struct plan plan;
        const struct exec_fds *fds;
        int proc_fd;    /* the caller's /proc: checked to be one */
        int sockets[2]; /* [0] the caller's end, [1] the child's */
        int join_fds[8];
        size_t n_joins;
        int null_fd;    /* detached mount of the null device, for masks */
        int listener_sock; /* the agent that system calls are asked of, or -1 */
        int null_stdio; /* the null device open for reading and writing, when a stdio is not given */
        int cgroup_tree; /* the v2 cgroup as a read-only mount, attached nowhere, to be born into; -1: none, or the middle is in it */
        int source_fds[PLAN_SOURCES_MAX];
        /* results of the middle */
        int pid, pidfd;
        struct err err;
};

/* Messages on the pair of sockets. */
enum launch_message_type {
        LAUNCH_GO = 1,  /* caller → child: id maps are written, idmaps are set; or: its hooks have run */
        LAUNCH_FAILED,  /* child → caller: err */
        LAUNCH_PTY,     /* child → caller: the master beside it */
        LAUNCH_HOOKS,   /* child → caller: everything is mounted, run the hooks of the runtime */
        LAUNCH_READY,   /* child → caller: only the gate and execve(2) are left */
        LAUNCH_START,   /* caller → child: the gate is open */
        LAUNCH_EXECING, /* child → caller: the next thing is execve(2); what comes next is the end of file, or LAUNCH_FAILED */
};

struct launch_message {
        uint32_t type;
        uint32_t _reserved;
        struct err err;
};

struct child;

/* host.c: the caller's part before the clone. */
int host_prepare(struct launch *l, struct err *err);
void host_done(struct launch *l);
/* After it, when the user namespace was born with the child: its id maps, and the sources that are mapped by it. */
int host_complete_userns(struct launch *l, struct err *err);

/* net-devices.c: give devices of the caller's network namespace to the child's. */
int host_move_devices(struct launch *l, struct err *err);

/* tuning.c: scheduler, priorities and CPUs, set by the caller. */
int host_tune(struct launch *l, struct err *err);
/* The CPUs of the middle child itself, which the child inherits. */
int middle_set_cpus(struct launch *l);
/* Personality and NUMA policy, which a process sets for itself. */
int stage_tune(struct child *c, struct err *err);

/* Does the caller do something to the child after the clone? */
static inline bool child_awaits_caller(const struct plan_header *h) {
        return h->uid_map.count > 0 || h->net_devices.count > 0 || (h->flags & (PLAN_SCHEDULER | PLAN_IO_PRIORITY | PLAN_CPUS_FINAL));
}

/* middle.c: clone the child, by way of a middle child where that is needed. Fills l->pid and l->pidfd. `child` is run in the child and does not
 * return. */
int middle_clone(struct launch *l, void (*child)(struct launch *l) __attribute__((noreturn)), struct err *err);

/* What is inherited and needs the host's privileges: cgroups, the out-of-memory score, hard limits, CPUs. By the middle, or by a child that has
 * none (stage_enter). Errors are in l->err. */
bool middle_is_needed(const struct launch *l);
int middle_set_inherited(struct launch *l);

/* files.c, by the middle: have a table of files with nothing in it but what the child needs. */
int files_leave(struct launch *l);
/* Before that, and before namespaces are joined: fill l->cgroup_tree. */
int files_detach_cgroup(struct launch *l);

/* In the child: what its stages share. */
struct child {
        struct launch *launch;
        const struct plan *plan;
        const struct plan_header *header;
        int sock;
        int root_fd;
        int place_fd;              /* where the root is attached; -1: over "/" */
        int proc_mount, pts_mount; /* of the container, -1 before they are made */
        int tty;                   /* the slave */
        bool null_attached;        /* launch->null_fd is part of this mount namespace now */
        int empty_fd;              /* the empty read-only directory, for masks; -1 before the first */
        int apparmor_fd, selinux_fd; /* of the own attributes in the caller's procfs */
        int fifo;                  /* the gate that outlives the caller: errors go there once it is open */
        char **argv, **envp;
        char command[4096];        /* what execve(2) gets; empty: the search found nothing */
};

struct child_stage {
        const char *name;
        int (*apply)(struct child *c, struct err *err);
};

struct child child_new(struct launch *l);
int child_run(struct child *c, const struct child_stage *stages, size_t n, struct err *err);
/* Ignored signals would be inherited; handlers go by themselves. */
void child_reset_signals(void);
int child_send(const struct child *c, enum launch_message_type type, const struct err *err, int fd);
/* Wait for one message; anything else, or the end of the file, is an error: the caller is gone. */
int child_expect(const struct child *c, enum launch_message_type type);

void exec_init_main(struct launch *l) __attribute__((noreturn));
void exec_join_main(struct launch *l) __attribute__((noreturn));

/* Stages of init (init.c) and of a process that joins (join.c) alike. */
int stage_die_with_caller(struct child *c, struct err *err);
int stage_enter(struct child *c, struct err *err);
int stage_await_caller(struct child *c, struct err *err);
int stage_become_root(struct child *c, struct err *err);
int stage_stdio(struct child *c, struct err *err);
int stage_session(struct child *c, struct err *err);
int stage_identity(struct child *c, struct err *err);
int stage_cwd(struct child *c, struct err *err);
int stage_find_command(struct child *c, struct err *err);
int stage_rlimits(struct child *c, struct err *err);
int stage_filter_early(struct child *c, struct err *err);
int stage_capabilities(struct child *c, struct err *err);
int stage_gate(struct child *c, struct err *err);
int stage_filter_notify(struct child *c, struct err *err);
int stage_filter_late(struct child *c, struct err *err);
int stage_last_calls(struct child *c, struct err *err);
int stage_execute(struct child *c, struct err *err);

/* hooks.c: those inside of the container's namespaces. */
int stage_create_hooks(struct child *c, struct err *err);
int stage_start_hooks(struct child *c, struct err *err);

/* labels.c */
int stage_open_labels(struct child *c, struct err *err);
int stage_write_labels(struct child *c, struct err *err);

/* listener.c: a filter whose system calls an agent of the host answers. */
int host_connect_listener(struct launch *l, struct err *err);
/* Load the filter, and send its listener to the agent. Returns 0 or a negative errno with *err filled. */
int listener_load(struct child *c, const void *program, struct err *err);

/* root.c */
int stage_find_place(struct child *c, struct err *err);
int stage_attach_root(struct child *c, struct err *err);
int stage_pivot(struct child *c, struct err *err);

/* steps.c: the plan's list of steps. */
int stage_steps(struct child *c, struct err *err);
/* "mounts[3]: /proc: No such file or directory" */
int step_fail(const struct child *c, const struct plan_step *s, int num, struct err *err);

/* mounts.c, devices.c, masks.c, kernel.c, terminal.c: one operation each. */
int step_mount_tree(struct child *c, const struct plan_step *s, struct err *err);
int step_mount_fs(struct child *c, const struct plan_step *s, struct err *err);
int step_set_attr(struct child *c, const struct plan_step *s, struct err *err);
int step_symlink(struct child *c, const struct plan_step *s, struct err *err);
int step_node(struct child *c, const struct plan_step *s, struct err *err);
int step_console(struct child *c, const struct plan_step *s, struct err *err);
int step_hostname(struct child *c, const struct plan_step *s, struct err *err);
int step_domainname(struct child *c, const struct plan_step *s, struct err *err);
int step_sysctl(struct child *c, const struct plan_step *s, struct err *err);
int step_readonly(struct child *c, const struct plan_step *s, struct err *err);
int step_mask(struct child *c, const struct plan_step *s, struct err *err);

/* Open the target of a mount, made when it is missing: a directory, or an empty file. O_PATH. */
int target_open(struct child *c, const struct plan_step *s, bool directory);
/* A directory fd of the parent of `path` (made when missing), and its last part in `name` (room for 256). */
int target_parent(struct child *c, const char *path, bool no_symlinks, char *name);
/* A detached mount of a new file system. Returns the fd or a negative errno. */
int fs_make(const struct plan *p, const char *type, struct plan_table params, uint64_t attr);

/* copy-up.c: what is in the directory `from_path` into the mount `mount_fd`; `with_mode`: and its own mode and owner. */
int copy_up(int from_path, int mount_fd, bool with_mode);

/* terminal.c */
int terminal_open(struct child *c, int pts_fd, struct err *err);

/* raw.c: system calls that libc lacks, numbers, messages. */
long raw_clone3(void *args, size_t size);
int raw_write_file(int dir_fd, const char *name, const char *text, size_t size);
char *raw_put_text(char *at, char *end, const char *s);
char *raw_put_number(char *at, char *end, uint64_t v);
/* A file of a procfs by its path, on that very mount: nothing that is mounted over a part of it is taken instead (CVE-2025-52881). */
int raw_open_proc(int proc_fd, const char *path, int flags);
bool raw_is_fs(int fd, unsigned long magic);
/* "mounts[3]", "/proc" → *err "mounts[3]: /proc: No such file or directory". Chooses the kind from the errno. */
int raw_fail(struct err *err, int num, const char *what, const char *object);
