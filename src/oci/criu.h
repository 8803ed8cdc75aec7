/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Debian's criu as a program: its options and its log. */

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct err;
struct exec_fds;
struct options;

#define CRIU_LOG "criu.log" /* in work_fd */

/* stdio of a container that is restored is CRIU_STDIO + 0 … 2 in the program, namespaces that it joins come after that: above all that we hold */
enum { CRIU_STDIO = 200, CRIU_NAMESPACES = CRIU_STDIO + 3, CRIU_NAMESPACES_MAX = 8 };

/* Numbers of its protocol. */
enum criu_request { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 13 };

/* One run and its options. Built by criu_add(), which remembers the first failure for criu_run(). */
struct criu {
        enum criu_request request;
        char *args[512];
        size_t n;
        int failed;
        int images_fd;        /* borrowed */
        int work_fd;          /* where the log goes, borrowed */
        pid_t tree;           /* dump: the first process */
        const char *root;     /* restore: the root of the container, made a mount point in a mount namespace of the program's own */
        const char *lock;     /* restore: the table that locks its network, see criu_unlock(); NULL: none */
        struct exec_fds *cgroup; /* restore: enter that before; NULL: criu does it */
        int namespaces[CRIU_NAMESPACES_MAX]; /* restore: handed on as CRIU_NAMESPACES + i */
        size_t n_namespaces;
        bool terminal; /* the first process has one, whose master is not its own */
        /* What came of it. */
        pid_t pid; /* restore: of the first process */
        int pty;   /* restore with `terminal`: the new master, the caller's; else -EBADF */
};
#define CRIU_NONE .images_fd = -EBADF, .work_fd = -EBADF, .pty = -EBADF
#define auto_criu __attribute__((cleanup(criu_done))) struct criu
void criu_done(struct criu *c);
void criu_add(struct criu *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What `checkpoint` and `restore` have in common. ERR_UNSUPPORTED names the flag that cannot be had. */
int criu_check_options(const struct options *o, bool restoring, struct err *err);
/* --external for what is mounted from outside: binds, and those of the masked paths that are files. `restoring`: from where. */
int criu_add_mounts(struct criu *c, const json_t *config, const json_t *masked_files, bool restoring, struct err *err);
void criu_add_options(struct criu *c, const struct options *o);

/* criu-namespaces.c: a namespace that the config has by path is not in the images, but joined again at restore. */
int criu_add_namespaces(struct criu *c, const json_t *config, struct err *err);
/* Has it a network that is not the host's; and the path of that, when it is somebody else's, else NULL. */
bool criu_has_network(const json_t *config);
const char *criu_shared_network(const json_t *config);

/* criu-run.c: run it and wait. On failure *err has criu's own reason, from its log. `what` is "checkpoint container X". */
int criu_run(struct criu *c, const struct options *o, const char *what, struct err *err);

/* criu-lock.c: while it works, criu keeps packets away from a network namespace by a table of nftables, "CRIU-PID". Version 3.17 puts the
 * table into the images, too, and looks for one of another name when it unlocks. Delete it, in the namespace of that path. None: no error. */
enum { CRIU_LOCK_MAX = 32 };
bool criu_lock_is_name(const char *name);
int criu_unlock(const char *namespace, const char *name);

/* checkpoint.c: --work-path, or a directory of the container's, which goes again with checkpoint_work_done(). */
struct container;
int checkpoint_work_dir(const struct options *o, const struct container *c, int *ret_fd, struct err *err);
void checkpoint_work_done(const struct options *o, const struct container *c);

/* images.c: a directory of images comes from anywhere. `make`: it may be missing. Refused when others may write to it, and when there is anything in
 * it but regular files, and criu's relative link "parent" to such another directory. *ret_fd is the caller's. */
int images_open(const char *path, bool make, int *ret_fd, struct err *err);
/* --parent-path: such a directory, by its way from there. */
int images_check_parent(int images_fd, const char *parent, struct err *err);

/* What the process has from outside, for criu to tell it from the rest: noted beside the images, and read back. */
enum { IMAGE_KEY_MAX = 64 };
struct image_note {
        char key[3][IMAGE_KEY_MAX]; /* stdin, stdout and stderr; "": nothing from outside */
        char lock[CRIU_LOCK_MAX];    /* the table in its network namespace, see criu_unlock(); "": none */
        json_t *masked_files;       /* those of linux.maskedPaths that are files: over each is a null device */
};
void images_note_done(struct image_note *n);
int images_find_note(pid_t pid, const json_t *config, struct image_note *ret, struct err *err);
int images_save_note(int images_fd, const struct image_note *n, struct err *err);
/* The masked files are such of `config`, too. */
int images_load_note(int images_fd, const json_t *config, struct image_note *ret, struct err *err);
