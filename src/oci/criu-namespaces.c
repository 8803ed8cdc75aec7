/* SPDX-License-Identifier: Apache-2.0 */

/* Namespaces that a container shares: what has a path in its config is somebody else's. criu leaves those of the first table out of the images; of the
 * others there is a copy in them that nobody asks for. At restore all of them are what the path of the new config leads to. */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "oci/criu.h"

static const struct kind {
        const char *name, *file; /* in the config, and criu's and the kernel's */
        bool external;           /* else: joined at restore only */
} kinds[] = {
        { "network", "net", true },
        { "pid", "pid", true },
        { "ipc", "ipc", false },
        { "uts", "uts", false },
};

static const struct kind *find_kind(const char *name) {
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
                if (strcmp(kinds[i].name, name) == 0)
                        return &kinds[i];
        return NULL;
}

static int add_one(struct criu *c, const struct kind *k, size_t at, const char *path, struct err *err) {
        auto_fd fd = -EBADF;
        struct stat st;

        if (c->request == CRIU_RESTORE && !k->external) {
                criu_add(c, "--join-ns=%s:%s", k->file, path);
                return 0;
        }
        if (!k->external)
                return 0;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "linux.namespaces[%zu].path: %s", at, path);
        if (c->request != CRIU_RESTORE) {
                criu_add(c, "--external");
                criu_add(c, "%s[%llu]:kist-%s", k->file, (unsigned long long) st.st_ino, k->file);
                return 0;
        }
        if (c->n_namespaces == CRIU_NAMESPACES_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "linux.namespaces: more than %d with a path", CRIU_NAMESPACES_MAX);
        criu_add(c, "--inherit-fd");
        criu_add(c, "fd[%d]:kist-%s", CRIU_NAMESPACES + (int) c->n_namespaces, k->file);
        c->namespaces[c->n_namespaces++] = move_fd(fd);
        return 0;
}

int criu_add_namespaces(struct criu *c, const json_t *config, struct err *err) {
        size_t i;
        json_t *v;
        int r = 0;

        json_array_foreach(json_get_array(json_object_get(config, "linux"), "namespaces"), i, v) {
                const char *path = json_get_str(v, "path", ""), *type = json_get_str(v, "type", "");
                const struct kind *k = find_kind(type);

                if (r < 0 || !*path)
                        continue;
                r = k ? add_one(c, k, i, path, err)
                      : err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.namespaces[%zu].path: criu cannot restore into a %s namespace of others", i, type);
        }
        return r;
}

static const json_t *find_network(const json_t *config) {
        size_t i;
        json_t *v;

        json_array_foreach(json_get_array(json_object_get(config, "linux"), "namespaces"), i, v)
                if (strcmp(json_get_str(v, "type", ""), "network") == 0)
                        return v;
        return NULL;
}

bool criu_has_network(const json_t *config) {
        return find_network(config) != NULL;
}

const char *criu_shared_network(const json_t *config) {
        const char *path = json_get_str(find_network(config), "path", "");

        return *path ? path : NULL;
}
