/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/peers.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/internal.h"
#include "engine/monitors.h"
#include "engine/spec.h"

static const char prefix[] = "container:";

static bool same_inode(int fd, const char *path) {
        struct stat a, b;

        return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* "         0     131072      65536": where the container's root lies. */
static int read_first_id(int proc_fd, uint32_t *ret) {
        auto_free char *text = NULL;
        unsigned inside, outside;
        int r = file_read_at(proc_fd, "uid_map", 4096, &text, NULL);

        if (r < 0)
                return r;
        if (sscanf(text, "%u %u", &inside, &outside) != 2 || inside != 0)
                return -EINVAL;
        *ret = outside;
        return 0;
}

struct peer {
        int proc, userns;
        uint32_t first_id;
        char id[CONTAINER_ID_SIZE];
};

static void peer_done(struct peer *p) {
        fd_close(p->proc);
        fd_close(p->userns);
}

/* The directory of its init in /proc: a process whose monitor still holds it, which is looked at again after the open. */
static int peer_open(struct engine *e, const char *name, const char *what, struct peer *ret, struct err *err) {
        auto_container *c = NULL;
        auto_link *link = NULL;
        struct container_row row;
        char path[32];
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        container_peek(c, &row);
        link = container_get_link(c);
        if (!link || !container_state_is_live(row.state) || row.pid <= 0)
                return err_set(err, ERR_CONFLICT, -ESRCH, "cannot join %s of a non running container: %s", what, row.id);
        snprintf(path, sizeof(path), "/proc/%d", row.pid);
        ret->proc = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (ret->proc >= 0)
                ret->userns = openat(ret->proc, "ns/user", O_RDONLY | O_CLOEXEC);
        if (ret->userns < 0 || read_first_id(ret->proc, &ret->first_id) < 0 || monitor_link_has_ended(link))
                return err_set(err, ERR_CONFLICT, -ESRCH, "cannot join %s of a non running container: %s", what, row.id);
        memcpy(ret->id, row.id, sizeof(ret->id));
        return 0;
}

static int open_space(const struct peer *p, const char *kind, int *ret, struct err *err) {
        *ret = openat(p->proc, kind, O_RDONLY | O_CLOEXEC);
        return *ret < 0 ? err_errno(err, -errno, "namespaces of container %.12s", p->id) : 0;
}

static int take_userns(struct peer_spaces *s, struct peer *p, struct err *err) {
        struct stat a, b;
        bool is_host = same_inode(p->userns, "/proc/self/ns/user");

        if (s->userns >= 0 && (is_host || fstat(s->userns, &a) < 0 || fstat(p->userns, &b) < 0 || a.st_ino != b.st_ino))
                return err_set(err, ERR_CONFLICT, -EINVAL, "container %.12s lives in another user namespace than the other container that is joined", p->id);
        if (!is_host && s->userns < 0) {
                s->userns = move_fd(p->userns);
                s->first_id = p->first_id;
        }
        return 0;
}

void peers_close(struct peer_spaces *p) {
        p->userns = fd_close(p->userns);
        p->netns = fd_close(p->netns);
        p->pidns = fd_close(p->pidns);
        p->ipcns = fd_close(p->ipcns);
        p->shm = fd_close(p->shm);
}

/* One that keeps its IPC to itself said so, or said nothing. */
static int check_shareable(struct engine *e, const char *id, struct err *err) {
        auto_json *body = NULL;
        auto_spec s = {};
        int r = db_spec(e->db, id, &body, err);

        if (r < 0 || (r = spec_parse(body, &s, err)) < 0)
                return r;
        if (!strcmp(s.ipc_mode, "shareable") || s.host_ipc || s.ipc_of)
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "can't join IPC of container %s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)", id);
}

static int open_shm(struct engine *e, const struct peer *p, struct peer_spaces *ret, struct err *err) {
        auto_fd mounts = -EBADF;
        int r = check_shareable(e, p->id, err);

        if (r < 0 || (r = open_space(p, "ns/mnt", &mounts, err)) < 0)
                return r;
        r = peer_shm_open(mounts, &ret->shm);
        return r < 0 ? err_set(err, ERR_CONFLICT, r, "can't join IPC of container %s: its /dev/shm: %s", p->id, strerror(-r)) : 0;
}

static int open_all(struct engine *e, const struct spec *s, struct peer_spaces *ret, struct err *err) {
        struct {
                const char *name, *what, *kind;
                int *fd;
        } const wanted[] = {
                { s->network_of, "network", "ns/net", &ret->netns },
                { s->pid_of, "PID namespace", "ns/pid", &ret->pidns },
                { s->ipc_of, "IPC", "ns/ipc", &ret->ipcns },
        };

        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
                __attribute__((cleanup(peer_done))) struct peer p = { .proc = -EBADF, .userns = -EBADF };
                int r;

                if (!wanted[i].name)
                        continue;
                r = peer_open(e, wanted[i].name, wanted[i].what, &p, err);
                if (r < 0 || (r = open_space(&p, wanted[i].kind, wanted[i].fd, err)) < 0 || (r = take_userns(ret, &p, err)) < 0)
                        return r;
                if (wanted[i].fd == &ret->ipcns && (r = open_shm(e, &p, ret, err)) < 0)
                        return r;
                if (wanted[i].fd == &ret->netns)
                        memcpy(ret->network_id, p.id, sizeof(ret->network_id));
        }
        return 0;
}

int peers_open(struct engine *e, const struct spec *s, struct peer_spaces *ret, struct err *err) {
        int r;

        *ret = (struct peer_spaces) { .userns = -EBADF, .netns = -EBADF, .pidns = -EBADF, .ipcns = -EBADF, .shm = -EBADF };
        r = open_all(e, s, ret, err);
        if (r < 0)
                peers_close(ret);
        return r;
}

static int take_hostname(struct engine *e, struct container *c, json_t *body, struct err *err) {
        auto_json *theirs = NULL;
        auto_spec s = {};
        char hostname[64];
        int r;

        if (*json_get_str(body, "Hostname", ""))
                return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: hostname and the network mode");
        if ((r = db_spec(e->db, c->row.id, &theirs, err)) < 0 || (r = spec_parse(theirs, &s, err)) < 0)
                return r;
        config_hostname(&s, c->row.id, hostname);
        json_object_set_new(body, "Hostname", json_string(hostname));
        return 0;
}

int peers_resolve(struct engine *e, json_t *body, json_t *host, struct err *err) {
        static const char *const modes[] = { "NetworkMode", "PidMode", "IpcMode" };

        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                const char *mode = json_get_str(host, modes[i], "");
                auto_container *c = NULL;
                int r;

                if (!str_starts_with(mode, prefix) || !mode[strlen(prefix)]) /* without a name it is no mode: spec_parse() says so */
                        continue;
                r = table_find(&e->table, mode + strlen(prefix), &c, err);
                if (r == 0 && i == 0)
                        r = take_hostname(e, c, body, err);
                if (r < 0)
                        return r;
                json_object_set_new(host, modes[i], json_sprintf("%s%s", prefix, c->row.id));
        }
        return 0;
}
