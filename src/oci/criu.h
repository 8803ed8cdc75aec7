/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Debian's criu as a program: its options and its log. */

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct err;
struct options;

enum { CRIU_STDIO = 10 }; /* stdio of a container that is restored is CRIU_STDIO + 0 … 2 in the program */

/* The options of one run. Built by criu_add(), which remembers the first failure for criu_run(). */
struct criu {
        char *args[512];
        size_t n;
        int failed;
        int images_fd;    /* --images-dir, borrowed */
        int work_fd;      /* where the log goes, borrowed */
        const char *root; /* restore: the root of the container, made a mount point in a mount namespace of the program's own */
        bool stdio;       /* restore: hand on ours as CRIU_STDIO … */
};
#define auto_criu __attribute__((cleanup(criu_done))) struct criu
void criu_done(struct criu *c);
void criu_add(struct criu *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What `checkpoint` and `restore` have in common. ERR_UNSUPPORTED names the flag that cannot be had. */
int criu_check_options(const struct options *o, const json_t *config, struct err *err);
/* --external for what is mounted from outside: binds, and those of the masked paths that are files. `restoring`: from where. */
int criu_add_mounts(struct criu *c, const json_t *config, const json_t *masked_files, bool restoring, struct err *err);
void criu_add_options(struct criu *c, const struct options *o);

/* Run it and wait. On failure *err has criu's own reason, from its log. `what` is "checkpoint container X". */
int criu_run(const struct criu *c, const struct options *o, const char *what, struct err *err);

/* checkpoint.c: --work-path, or a directory of the container's, which goes again with checkpoint_work_done(). */
struct container;
int checkpoint_work_dir(const struct options *o, const struct container *c, int *ret_fd, struct err *err);
void checkpoint_work_done(const struct options *o, const struct container *c);

/* images.c: a directory of images comes from anywhere. `make`: it may be missing. Refused when others may write to it, and when there is anything in
 * it but regular files. *ret_fd is the caller's. */
int images_open(const char *path, bool make, int *ret_fd, struct err *err);

/* What the process has from outside, for criu to tell it from the rest: noted beside the images, and read back. */
enum { IMAGE_KEY_MAX = 64 };
struct image_note {
        char key[3][IMAGE_KEY_MAX]; /* stdin, stdout and stderr; "": nothing from outside */
        json_t *masked_files;       /* those of linux.maskedPaths that are files: over each is a null device */
};
void images_note_done(struct image_note *n);
int images_find_note(pid_t pid, const json_t *config, struct image_note *ret, struct err *err);
int images_save_note(int images_fd, const struct image_note *n, struct err *err);
/* The masked files are such of `config`, too. */
int images_load_note(int images_fd, const json_t *config, struct image_note *ret, struct err *err);
