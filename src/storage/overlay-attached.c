/* SPDX-License-Identifier: Apache-2.0 */

/* Before Linux 6.15 overlayfs takes only layers that are attached in the mount namespace of whoever makes it. So it is made in a namespace
 * of storage's own, in which nothing is but an empty tmpfs, and what comes back is a detached clone: the host's table never sees any of it.
 *
 * To enter a mount namespace, a thread must have a root and a working directory that it shares with no other, and it cannot share them
 * again: hence a thread per mount, that ends with it. A helper process would need the layers sent to it, 32 at a time, and be watched over;
 * a thread has them, and its credentials are its own as well. The namespace is kept, by its fd: a new one copies the host's whole table. */

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "storage/overlay.h"

/* mount(2) takes a page. Names are short for it: with 499 lower directories it is half full. */
enum { OPTIONS_SIZE = 4096, NAME_SIZE = 24 };

struct job {
        struct storage *s;
        const struct overlay *o;
        struct err *err;
        int stage_fd; /* a tmpfs with a directory for each part */
        int result;   /* the mount, or negative errno */
};

static int run_thread(struct job *j, void *(*fn)(void *data), const char *what) {
        pthread_t thread;
        int r = pthread_create(&thread, NULL, fn, j);

        if (r != 0)
                return overlay_error(j->o, -r, what, "", j->err);
        pthread_join(thread, NULL);
        return j->result;
}

static int fail(struct job *j, const char *what) {
        return overlay_error(j->o, -errno, what, "", j->err);
}

static int make_tmpfs(void) {
        auto_fd fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
        int fd;

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "700", 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return fd < 0 ? -errno : fd;
}

/* --- the namespace --- */

/* Private first: the copies of shared mounts are their peers, and unmounting these would unmount those. */
static int leave_host(int root_fd) {
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || move_mount(root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
            fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                return -errno;
        return 0;
}

static void *make_namespace(void *data) {
        struct job *j = data;
        auto_fd root = make_tmpfs(), ns = -EBADF;

        j->result = 0;
        if (root < 0 || unshare(CLONE_NEWNS) < 0)
                j->result = fail(j, "a mount namespace to make it in");
        else if ((ns = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC)) < 0 || leave_host(root) < 0)
                j->result = fail(j, "leaving the host's mounts");
        else
                j->result = move_fd(ns);
        return NULL;
}

/* Two that come at once both make one; the later is dropped. Returns the fd, which stays s's. */
static int get_namespace(struct job *j) {
        int known = atomic_load(&j->s->mount_ns), made;

        if (known >= 0)
                return known;
        made = run_thread(j, make_namespace, "a thread to make a mount namespace");
        if (made >= 0 && !atomic_compare_exchange_strong(&j->s->mount_ns, &known, made)) {
                close(made);
                made = known;
        }
        return made;
}

/* --- one mount --- */

static int attach(struct job *j, int fd, const char *name) {
        return mkdirat(j->stage_fd, name, 0700) < 0 || move_mount(fd, "", j->stage_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static int attach_all(struct job *j) {
        const struct overlay *o = j->o;

        for (size_t i = 0; i < o->n_lowers; i++) {
                char name[NAME_SIZE], what[128];

                snprintf(name, sizeof(name), "%zu", i);
                if (attach(j, o->lowers[i], name) < 0) {
                        overlay_lower_name(o, i, what);
                        return fail(j, what);
                }
        }
        return o->own >= 0 && attach(j, o->own, "own") < 0 ? fail(j, "directory of its own") : 0;
}

static int format_options(const struct overlay *o, struct strbuf *b) {
        for (size_t i = 0; i < o->n_lowers; i++)
                strbuf_addf(b, "%s%zu", i == 0 ? "lowerdir=" : ":", i);
        if (o->own >= 0)
                strbuf_adds(b, ",upperdir=own/upper,workdir=own/work");
        for (const struct overlay_option *opt = overlay_options(o); opt->key; opt++)
                strbuf_addf(b, ",%s%s%s", opt->key, opt->value ? "=" : "", opt->value ? opt->value : "");
        return strbuf_error(b);
}

static int mount_overlay(void *data) {
        return mount("overlay", "root", "overlay", 0, data) < 0 ? -errno : 0;
}

/* The working directory is the stage, and the options' names are relative to it. */
static int make_on_stage(struct job *j) {
        auto_strbuf options;
        int fd, r;

        strbuf_init(&options, OPTIONS_SIZE - 1);
        r = attach_all(j);
        if (r < 0)
                return r;
        r = format_options(j->o, &options);
        if (r == 0 && mkdirat(j->stage_fd, "root", 0700) < 0)
                r = -errno;
        if (r == 0)
                r = overlay_with_creds(j->o, mount_overlay, options.data);
        if (r < 0)
                return overlay_error(j->o, r, "overlay", "", j->err);
        fd = open_tree(j->stage_fd, "root", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        return fd < 0 ? fail(j, "detaching it") : fd;
}

/* The stage has a name of its own in the namespace's root, as others may be at work there; it is unmounted with all on it in one go. */
static void *make_in_namespace(void *data) {
        struct job *j = data;
        char name[NAME_SIZE];

        snprintf(name, sizeof(name), "%x", atomic_fetch_add(&j->s->n_mounts, 1));
        if (unshare(CLONE_FS) < 0 || setns(atomic_load(&j->s->mount_ns), CLONE_NEWNS) < 0 || mkdir(name, 0700) < 0) {
                j->result = fail(j, "the mount namespace to make it in");
                return NULL;
        }
        if (move_mount(j->stage_fd, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(j->stage_fd) < 0)
                j->result = fail(j, "a place to make it in");
        else
                j->result = make_on_stage(j);
        if (chdir("/") == 0 && umount2(name, MNT_DETACH) == 0)
                rmdir(name);
        return NULL;
}

int overlay_make_attached(struct storage *s, const struct overlay *o, int *ret_fd, struct err *err) {
        auto_fd stage = make_tmpfs();
        struct job j = { .s = s, .o = o, .err = err, .stage_fd = stage };
        int r = stage < 0 ? stage : get_namespace(&j);

        if (stage < 0)
                return overlay_error(o, r, "a place to make it in", "", err);
        if (r >= 0)
                r = run_thread(&j, make_in_namespace, "a thread to make it in");
        if (r < 0)
                return r;
        *ret_fd = r;
        return 0;
}
