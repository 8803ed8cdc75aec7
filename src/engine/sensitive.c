/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sensitive.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/defaults.h"
#include "engine/host-places.h"
#include "engine/internal.h"
#include "engine/spec.h"
#include "engine/volumes.h"

#define OF_A_SOCKET "who can connect to it, be it through a read-only mount, has anything started as root of the host"
#define OF_KERNEL   "the host's devices and kernel can be set up otherwise"

static const struct host_place places[] = {
        { "/", HOST_PLACE_TOP, 0, "every file of the host can be changed, and with them what its root runs" },
        { "/etc", HOST_PLACE_TREE, 0, "the host's users, services and what it runs at which time can be changed" },
        { "/proc", HOST_PLACE_TREE, PROC_SUPER_MAGIC, "the host's kernel can be told what to run, and its processes can be looked into" },
        { "/sys", HOST_PLACE_TREE, SYSFS_MAGIC, OF_KERNEL },
        { "/sys/kernel/debug", HOST_PLACE_TREE, DEBUGFS_MAGIC, OF_KERNEL },
        { "/sys/kernel/security", HOST_PLACE_TREE, SECURITYFS_MAGIC, OF_KERNEL },
        { "/sys/fs/cgroup", HOST_PLACE_TREE, CGROUP_SUPER_MAGIC,
          "limits of others can be lifted, and on hosts with cgroup v1 their release agents run as root of the host" },
        { "/sys/fs/cgroup", HOST_PLACE_TREE, CGROUP2_SUPER_MAGIC,
          "limits of others can be lifted, and what is not the container's can be killed" },
        { "/boot", HOST_PLACE_TREE, 0, "the kernel that the host starts next can be exchanged" },
        { "/dev", HOST_PLACE_TOP, 0, "the host's disks, terminals and memory are there to be written to" },
        { "/run/docker.sock", HOST_PLACE_SOCKET, 0, OF_A_SOCKET },
        { "/run/containerd/containerd.sock", HOST_PLACE_SOCKET, 0, OF_A_SOCKET },
        { "/run/crio/crio.sock", HOST_PLACE_SOCKET, 0, OF_A_SOCKET },
        { "/run/podman/podman.sock", HOST_PLACE_SOCKET, 0, OF_A_SOCKET },
        { "/run/buildkit/buildkitd.sock", HOST_PLACE_SOCKET, 0, OF_A_SOCKET },
        { "/run/kist/kist.sock", HOST_PLACE_SOCKET, 0, OF_A_SOCKET },
};

struct bound {
        const struct host_source *source;
        const char *path; /* as it was asked for */
        bool read_only;
};

static bool matters(const struct bound *b, const struct host_place *p) {
        return !b->read_only || p->kind == HOST_PLACE_SOCKET || S_ISSOCK(b->source->st.st_mode);
}

/* The sentence on the heap; NULL: there is nothing to say about this place. -ENOMEM in *ret_r. */
static char *sentence(const struct bound *b, const struct host_place *p, const struct spec *s, const struct spec_mount *m, int *ret_r) {
        static const char *const words[] = { [HOST_SAME] = " (that is %s)",
                                             [HOST_WITHIN] = " (in %s)",
                                             [HOST_AROUND] = " (%s is in it)",
                                             [HOST_ALIKE] = " (the same as %s)" };
        enum host_relation relation = matters(b, p) ? host_source_relation(b->source, p) : HOST_APART;
        auto_strbuf text;

        strbuf_init(&text, 16384);
        if (relation == HOST_APART)
                return NULL;
        strbuf_adds(&text, b->path);
        if (strcmp(b->path, p->path) != 0) {
                const char *word = words[relation], *hole = strstr(word, "%s");

                strbuf_add(&text, word, (size_t) (hole - word));
                strbuf_adds(&text, p->path);
                strbuf_adds(&text, hole + 2);
        }
        strbuf_addf(&text, " is bound %s to %s of a container whose root is %s: %s", b->read_only ? "read-only" : "read-write", m->target,
                    s->host_userns ? "root of the host" : "root on these files", p->danger);
        *ret_r = strbuf_error(&text);
        return strbuf_take(&text, NULL);
}

/* Also where this daemon lives and listens. The first that there is something to say about. */
static char *find_danger(struct engine *e, const struct bound *b, const struct spec *s, const struct spec_mount *m, int *ret_r) {
        static const char own[] =
                "they are this daemon's own: its containers, images and volumes can be made another's, and it runs as root of the host";
        auto_free char *socket = str_format("%s/kist.sock", e->run_root);
        const struct host_place folders[] = { { e->root, HOST_PLACE_TREE, 0, own }, { e->run_root, HOST_PLACE_TREE, 0, own } };
        auto_json *sockets = defaults_sockets(e);
        char *text = NULL;
        json_t *v;
        size_t i;

        if (!socket) {
                *ret_r = -ENOMEM;
                return NULL;
        }
        json_array_append_new(sockets, json_string(socket));
        for (i = 0; !text && !*ret_r && i < ARRAY_SIZE(places); i++)
                text = sentence(b, &places[i], s, m, ret_r);
        for (i = 0; !text && !*ret_r && i < ARRAY_SIZE(folders); i++)
                text = sentence(b, &folders[i], s, m, ret_r);
        json_array_foreach(sockets, i, v) {
                const struct host_place of = { json_string_value(v), HOST_PLACE_SOCKET, 0, OF_A_SOCKET };

                if (!text && !*ret_r)
                        text = sentence(b, &of, s, m, ret_r);
        }
        return text;
}

/* Has the container's root the rights of the host's on these files? */
static bool is_root_there(const struct spec *s, const struct spec_mount *m) {
        auto_json *map = NULL;
        json_t *v;
        size_t i;

        if (s->host_userns || !m->idmap || spec_idmap_parse(m->idmap, "uids", 0, &map) < 0)
                return true;
        json_array_foreach(map, i, v) if (json_get_int(v, "containerID", -1) == 0) return true;
        return false;
}

/* The path of the host that a mount shows, on the heap; NULL: none. */
static char *host_path(struct engine *e, const struct spec_mount *m, bool *ret_read_only) {
        auto_json *stored = NULL;
        struct db_volume v = {};
        const char *device;

        /* What is mounted below stays writable. */
        *ret_read_only = m->read_only && !m->read_only_top;
        if (m->type == SPEC_MOUNT_BIND)
                return strdup(m->source);
        if (m->type != SPEC_MOUNT_VOLUME)
                return NULL;
        if (*m->source && db_volume_get(e->db, m->source, &v, NULL) == 0 && v.options)
                stored = json_loads(v.options, 0, NULL);
        db_volume_done(&v);
        device = volume_options_bind_source(stored ? stored : m->driver_options, ret_read_only);
        return device ? strdup(device) : NULL;
}

/* warnings NULL: policy strict */
static int look_at(struct engine *e, const struct spec *s, const struct spec_mount *m, const struct bound *b, json_t *warnings,
                   struct err *err) {
        int r = 0;
        auto_free char *text = is_root_there(s, m) ? find_danger(e, b, s, m, &r) : NULL;

        if (r < 0)
                return err_errno(err, r, "%s", b->path);
        if (!text)
                return 0;
        if (!warnings || defaults_policy_is_strict(e))
                return err_set(err, ERR_DENIED, -EPERM, "policy strict: %s", text);
        json_array_append_new(warnings, json_string(text));
        return 0;
}

int sensitive_check(struct engine *e, const struct spec *s, json_t *warnings, struct err *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < s->n_mounts; i++) {
                const struct spec_mount *m = &s->mounts[i];
                auto_host_source source = HOST_SOURCE_NONE;
                bool read_only = false;
                auto_free char *path = host_path(e, m, &read_only);

                /* What cannot be opened cannot be mounted either: the start says so. */
                if (path && host_source_open(path, &source) == 0)
                        r = look_at(e, s, m, &(struct bound){ &source, path, read_only }, warnings, err);
        }
        return r;
}

int sensitive_open(struct engine *e, const struct spec *s, const struct spec_mount *m, int *ret, bool *ret_missing, struct err *err) {
        auto_host_source source = HOST_SOURCE_NONE;
        bool read_only = false;
        auto_free char *path = host_path(e, m, &read_only);
        int r = path ? host_source_open(path, &source) : 0;

        if (r < 0)
                return err_set(err, ERR_INVALID, r, "bind source path %s: %s", path, strerror(-r));
        if (path && defaults_policy_is_strict(e))
                r = look_at(e, s, m, &(struct bound){ &source, path, read_only }, NULL, err);
        if (r < 0)
                return r;
        *ret = move_fd(source.fd);
        *ret_missing = source.missing;
        return 0;
}

int sensitive_check_mount(struct engine *e, const struct spec *s, const struct spec_mount *m, int mount_fd, struct err *err) {
        auto_host_source source = HOST_SOURCE_NONE;
        auto_free char *what = str_format("volume %s", m->source);
        int r;

        if (!defaults_policy_is_strict(e))
                return 0;
        r = what ? host_source_of_fd(fcntl(mount_fd, F_DUPFD_CLOEXEC, 3), &source) : -ENOMEM;
        if (r < 0)
                return err_errno(err, r, "volume %s", m->source);
        return look_at(e, s, m, &(struct bound){ &source, what, m->read_only }, NULL, err);
}
