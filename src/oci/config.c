/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/config.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "runtime/cgroup/cgroup.h"

void bundle_done(struct bundle *b) {
        free(b->path);
        free(b->text);
        json_decref(b->config);
        *b = (struct bundle) { 0 };
}

static int check_version(const json_t *config, struct err *err) {
        const char *version = json_get_str(config, "ociVersion", NULL);

        if (!version)
                return err_set(err, ERR_INVALID, -EINVAL, "ociVersion is missing");
        if (strncmp(version, "1.", 2) != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "ociVersion %s: only 1.x is known", version);
        return 0;
}

/* A fifo would hold us, and a device may do anything: only a file is read. */
static int read_config(int dir, char **ret, size_t *ret_size) {
        auto_fd fd = openat(dir, "config.json", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        return fd_read_file(fd, CONFIG_MAX, ret, ret_size);
}

int bundle_load(const char *path, struct bundle *ret, struct err *err) {
        auto_bundle b = { 0 };
        auto_fd dir = -EBADF;
        int r;

        b.path = realpath(path ?: ".", NULL);
        if (!b.path)
                return err_errno(err, -errno, "bundle %s", path ?: ".");
        dir = open(b.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_errno(err, -errno, "bundle %s", b.path);
        r = read_config(dir, &b.text, &b.size);
        if (r == -EINVAL)
                return err_set(err, ERR_INVALID, r, "%s/config.json: it is not a regular file", b.path);
        if (r < 0)
                return err_errno(err, r, "%s/config.json", b.path);
        r = json_parse_unsigned(b.text, b.size, CONFIG_MAX, "config.json", &b.config, err);
        if (r == 0 && !json_is_object(b.config))
                r = err_set(err, ERR_INVALID, -EINVAL, "it is not an object");
        if (r == 0)
                r = check_version(b.config, err);
        if (r < 0)
                return err_prefix(err, "%s/config.json", b.path);
        *ret = b;
        b = (struct bundle) { 0 };
        return 0;
}

int config_cgroup_path(const json_t *config, const char *id, char **ret, struct err *err) {
        const json_t *v = json_object_get(json_object_get(config, "linux"), "cgroupsPath");
        const char *path = json_string_value(v);
        auto_free char *made = NULL;
        size_t n;

        if (v && !json_is_null(v) && !path)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.cgroupsPath is not a text");
        if (path && strchr(path, ':'))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.cgroupsPath: %s: a slice of systemd needs --systemd-cgroup", path);
        path = path ? path + strspn(path, "/") : "";
        n = strlen(path);
        while (n > 0 && path[n - 1] == '/')
                n--;
        made = n > 0 ? strndup(path, n) : str_format("kist/%s", id);
        if (!made)
                return err_errno(err, -ENOMEM, "linux.cgroupsPath");
        if (cgroup_path_check(made, err) < 0)
                return err_prefix(err, "linux.cgroupsPath");
        *ret = take_ptr(&made);
        return 0;
}
