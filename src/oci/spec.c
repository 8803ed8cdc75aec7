/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "oci/oci.h"
#include "runtime/plan/plan.h"

static json_t *namespaces(void) {
        static const char *const types[] = { "pid", "network", "ipc", "uts", "mount", "cgroup" };
        json_t *array = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                json_array_append_new(array, json_pack("{s:s}", "type", types[i]));
        return array;
}

static json_t *process(void) {
        json_t *caps = plan_default_capabilities();
        json_t *p = json_pack("{s:b, s:{s:i, s:i}, s:[s], s:[s,s], s:s, s:{s:O, s:O, s:O}, s:[{s:s, s:i, s:i}], s:b}", "terminal", 1, "user", "uid", 0,
                              "gid", 0, "args", "sh", "env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "cwd",
                              "/", "capabilities", "bounding", caps, "effective", caps, "permitted", caps, "rlimits", "type", "RLIMIT_NOFILE", "hard",
                              1024, "soft", 1024, "noNewPrivileges", 1);

        json_decref(caps);
        return p;
}

static json_t *config(void) {
        enum { SHM_SIZE = 64 << 20 };

        return json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:{s:{s:[{s:b, s:s}]}, s:o, s:o, s:o}}", "ociVersion", OCI_VERSION, "process", process(),
                         "root", "path", "rootfs", "readonly", 1, "hostname", "kist", "mounts", plan_default_mounts(SHM_SIZE), "linux", "resources",
                         "devices", "allow", 0, "access", "rwm", "namespaces", namespaces(), "maskedPaths", plan_default_masked_paths(),
                         "readonlyPaths", plan_default_readonly_paths());
}

/* What an ordinary user may have: a user namespace of that one id, no limits, and no terminal group, which is not mapped. */
static void make_rootless(json_t *c) {
        json_t *l = json_object_get(c, "linux"), *mount, *option;
        size_t i, k;

        json_array_append_new(json_object_get(l, "namespaces"), json_pack("{s:s}", "type", "user"));
        json_object_set_new(l, "uidMappings", json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t) geteuid(), "size", 1));
        json_object_set_new(l, "gidMappings", json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t) getegid(), "size", 1));
        json_object_del(l, "resources");
        json_array_foreach(json_object_get(c, "mounts"), i, mount)
                json_array_foreach(json_object_get(mount, "options"), k, option)
                        if (strcmp(json_string_value(option), "gid=5") == 0) {
                                json_array_remove(json_object_get(mount, "options"), k);
                                break;
                        }
}

int command_spec(const struct options *o, char **args, int n_args, struct err *err) {
        auto_json *c = config();
        auto_free char *text = NULL;
        auto_fd dir = -EBADF, fd = -EBADF;
        int r;

        if (c && o->rootless)
                make_rootless(c);
        text = c ? json_dumps(c, JSON_INDENT(4)) : NULL;
        if (!text)
                return err_errno(err, -ENOMEM, "config.json");
        dir = open(o->bundle ?: ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_errno(err, -errno, "bundle %s", o->bundle ?: ".");
        fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_errno(err, -errno, "config.json");
        r = fd_write_all(fd, text, strlen(text));
        if (r == 0)
                r = fd_write_all(fd, "\n", 1);
        if (r < 0) {
                unlinkat(dir, "config.json", 0);
                return err_errno(err, r, "config.json");
        }
        return 0;
}
