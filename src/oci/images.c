/* SPDX-License-Identifier: Apache-2.0 */

/* A directory of checkpoint images. Whoever restores one gives the processes in it what they had, so it has to come from somebody who may do that;
 * what is looked at here is that it leads nowhere else: no links but to the images that these build on, no devices, nobody who could exchange a file meanwhile (CVE-2024-8676). */

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "oci/criu.h"

enum { MEMBERS_MAX = 100000, NOTE_MAX = 65536, PARENTS_MAX = 64 };
#define PARENT "parent"
#define NOTE "kist-note.json"

static int check_dir(int fd, const char *path, int depth, struct err *err);

/* criu's link to the images that these build on: "../before". They have to be as these. */
static int check_parent(int fd, const char *path, int depth, struct err *err) {
        char target[PATH_MAX] = "";
        auto_fd parent = -EBADF;
        ssize_t n = readlinkat(fd, PARENT, target, sizeof(target) - 1);

        if (n <= 0 || *target == '/')
                return err_set(err, ERR_DENIED, -EPERM, "images %s/" PARENT ": not a relative link", path);
        if (depth >= PARENTS_MAX)
                return err_set(err, ERR_TOO_LARGE, -ELOOP, "images %s: more than %d that build on each other", path, PARENTS_MAX);
        parent = openat(fd, target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (parent < 0)
                return err_errno(err, -errno, "images %s/" PARENT, path);
        return check_dir(parent, path, depth + 1, err);
}

static int check_member(int fd, const char *path, const char *name, int depth, struct err *err) {
        struct stat st;

        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, -errno, "images %s/%s", path, name);
        if (S_ISLNK(st.st_mode) && strcmp(name, PARENT) == 0)
                return check_parent(fd, path, depth, err);
        return S_ISREG(st.st_mode) ? 0 : err_set(err, ERR_DENIED, -EPERM, "images %s/%s: not a regular file", path, name);
}

static int check_dir(int fd, const char *path, int depth, struct err *err) {
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *d;
        struct stat st;
        size_t n = 0;
        int r = 0;

        if (!dir || fstat(fd, &st) < 0) {
                r = err_errno(err, -errno, "images %s", path);
                if (dir)
                        closedir(dir);
                else
                        fd_close(copy);
                return r;
        }
        if (st.st_mode & (S_IWGRP | S_IWOTH) || st.st_uid != geteuid())
                r = err_set(err, ERR_DENIED, -EPERM, "images %s%s: others may write to it", path, depth > 0 ? "/" PARENT : "");
        while (r == 0 && (d = readdir(dir))) {
                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                r = check_member(fd, path, d->d_name, depth, err);
                if (r == 0 && ++n > MEMBERS_MAX)
                        r = err_set(err, ERR_TOO_LARGE, -E2BIG, "images %s: more than %d files", path, MEMBERS_MAX);
        }
        closedir(dir);
        return r;
}

int images_open(const char *path, bool make, int *ret_fd, struct err *err) {
        auto_fd fd = -EBADF;
        int r;

        if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
                return err_errno(err, -errno, "images %s", path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, -errno, "images %s", path);
        r = check_dir(fd, path, 0, err);
        if (r < 0)
                return r;
        *ret_fd = move_fd(fd);
        return 0;
}

int images_check_parent(int images_fd, const char *parent, struct err *err) {
        auto_fd fd = openat(images_fd, parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return err_errno(err, -errno, "--parent-path %s", parent);
        return check_dir(fd, parent, 0, err);
}

/* "mnt_id:\t23" of /proc/PID/fdinfo/N */
static int mount_of(pid_t pid, int fd, unsigned *ret) {
        auto_free char *text = NULL;
        char path[64];
        const char *at;
        int r;

        snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int) pid, fd);
        r = file_read_at(AT_FDCWD, path, NOTE_MAX, &text, NULL);
        at = r == 0 ? strstr(text, "mnt_id:") : NULL;
        if (r == 0 && (!at || sscanf(at, "mnt_id: %u", ret) != 1))
                r = -EIO;
        return r;
}

static bool has_mount(const char *mountinfo, unsigned id) {
        for (const char *line = mountinfo; line && *line; line = strchr(line, '\n'), line += line != NULL) {
                unsigned seen;

                if (sscanf(line, "%u ", &seen) == 1 && seen == id)
                        return true;
        }
        return false;
}

static int find_one(pid_t pid, int fd, const char *mountinfo, char ret[IMAGE_KEY_MAX]) {
        char path[64], link[IMAGE_KEY_MAX] = "";
        struct stat st;
        unsigned mount;
        int r;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) pid, fd);
        if (stat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno; /* it has closed that one */
        if (S_ISFIFO(st.st_mode) && readlink(path, link, sizeof(link) - 1) > 0 && strncmp(link, "pipe:[", 6) == 0) {
                snprintf(ret, IMAGE_KEY_MAX, "%s", link);
                return 0;
        }
        if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
                return 0;
        r = mount_of(pid, fd, &mount);
        if (r == 0 && !has_mount(mountinfo, mount))
                snprintf(ret, IMAGE_KEY_MAX, "file[%x:%llx]", mount, (unsigned long long) st.st_ino);
        return r;
}

static bool is_masked_path(const json_t *config, const char *path) {
        size_t i;
        json_t *v;

        json_array_foreach(json_get_array(json_object_get(config, "linux"), "maskedPaths"), i, v)
                if (json_is_string(v) && strcmp(json_string_value(v), path) == 0)
                        return true;
        return false;
}

/* "56 43 0:5 /null /proc/kcore rw …": a file has a null device over it, a directory an empty one. */
static json_t *find_masked_files(const json_t *config, const char *mountinfo) {
        json_t *found = json_array();

        for (const char *line = mountinfo; line && *line; line = strchr(line, '\n'), line += line != NULL) {
                char root[256], at[1024];

                if (sscanf(line, "%*u %*u %*s %255s %1023s ", root, at) == 2 && strlen(root) >= 5 && strcmp(root + strlen(root) - 5, "/null") == 0 &&
                    is_masked_path(config, at))
                        json_array_append_new(found, json_string(at));
        }
        return found;
}

void images_note_done(struct image_note *n) {
        json_decref(n->masked_files);
        n->masked_files = NULL;
}

int images_find_note(pid_t pid, const json_t *config, struct image_note *ret, struct err *err) {
        auto_free char *mountinfo = NULL;
        struct image_note n = { 0 };
        char path[64];
        int r;

        snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int) pid);
        r = file_read_at(AT_FDCWD, path, 16 << 20, &mountinfo, NULL);
        for (int i = 0; r == 0 && i < 3; i++)
                r = find_one(pid, i, mountinfo, n.key[i]);
        if (r < 0)
                return err_errno(err, r, "standard input and output of process %d", (int) pid);
        n.masked_files = find_masked_files(config, mountinfo);
        *ret = n;
        return 0;
}

int images_save_note(int images_fd, const struct image_note *n, struct err *err) {
        auto_json *note = json_pack("{s:[s, s, s], s:s, s:O}", "stdio", n->key[0], n->key[1], n->key[2], "lock", n->lock, "masked", n->masked_files);
        auto_free char *text = note ? json_text(note) : NULL;
        int r = text ? file_write_atomic_at(images_fd, NOTE, text, strlen(text), 0600, false) : -ENOMEM;

        return r < 0 ? err_errno(err, r, "images: " NOTE) : 0;
}

/* "pipe:[123]", "file[1f:3a]" or nothing: it becomes a part of an option. */
static bool is_key(const char *s) {
        size_t n = strlen(s);

        if (n == 0)
                return true;
        if (n >= IMAGE_KEY_MAX || s[n - 1] != ']')
                return false;
        if (strncmp(s, "pipe:[", 6) == 0)
                return strspn(s + 6, "0123456789") == n - 7;
        return strncmp(s, "file[", 5) == 0 && strspn(s + 5, "0123456789abcdef:") == n - 6;
}

static int check_masked(const json_t *config, const json_t *list, struct err *err) {
        size_t i;
        json_t *v;

        json_array_foreach(list, i, v)
                if (!json_is_string(v) || !is_masked_path(config, json_string_value(v)))
                        return err_set(err, ERR_INVALID, -EINVAL, "images: " NOTE ": what was masked is not in linux.maskedPaths");
        return 0;
}

int images_load_note(int images_fd, const json_t *config, struct image_note *ret, struct err *err) {
        auto_fd fd = openat(images_fd, NOTE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        auto_free char *text = NULL;
        auto_json *note = NULL;
        json_t *masked;
        struct image_note n = { 0 };
        const char *lock;
        size_t size = 0;
        int r = fd < 0 ? -errno : fd_read_file(fd, NOTE_MAX, &text, &size);

        if (r < 0)
                return err_errno(err, r, "images: " NOTE);
        r = json_parse(text, size, NOTE_MAX, "images: " NOTE, &note, err);
        for (size_t i = 0; r == 0 && i < 3; i++) {
                const char *key = json_string_value(json_array_get(json_object_get(note, "stdio"), i));

                if (!key || !is_key(key))
                        return err_set(err, ERR_INVALID, -EINVAL, "images: " NOTE " does not name three files");
                snprintf(n.key[i], IMAGE_KEY_MAX, "%s", key);
        }
        lock = json_get_str(note, "lock", "");
        if (r == 0 && *lock && !criu_lock_is_name(lock))
                return err_set(err, ERR_INVALID, -EINVAL, "images: " NOTE ": the lock is no table of criu's");
        snprintf(n.lock, sizeof(n.lock), "%s", lock);
        masked = json_get_array(note, "masked");
        if (r == 0)
                r = check_masked(config, masked, err);
        if (r < 0)
                return r;
        n.masked_files = masked ? json_incref(masked) : json_array();
        *ret = n;
        return 0;
}
