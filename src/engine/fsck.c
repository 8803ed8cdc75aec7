/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/fsck.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/cgroups.h"
#include "engine/endpoints.h"
#include "engine/internal.h"
#include "engine/projects.h"
#include "network/network.h"
#include "runtime/cgroup/cgroup.h"
#include "storage/storage.h"

void fsck_found(struct fsck *f, const char *kind, const char *object, const char *problem, const char *action, int result) {
        bool mended = f->fix && result >= 0;
        auto_free char *failed = f->fix && result < 0 ? str_format("cannot be mended: %s", strerror(-result)) : NULL;

        if (f->fix)
                log_info("fsck: %s %s: %s: %s", kind, object, problem, mended ? action : failed ? failed : "");
        json_array_append_new(f->findings, json_pack("{s:s, s:s, s:s, s:s, s:b}", "Kind", kind, "Object", object, "Problem", problem, "Action",
                                                     mended ? action : failed ? failed : "", "Mended", mended));
}

static bool is_id(const char *name) {
        return strlen(name) == CONTAINER_ID_SIZE - 1 && strspn(name, "0123456789abcdef") == CONTAINER_ID_SIZE - 1;
}

static bool exists(int dir_fd, const char *name) {
        return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The entries of a directory that are called like containers. */
static void each_id(int dir_fd, const char *path, void (*fn)(struct fsck *f, int dir_fd, const char *id), struct fsck *f) {
        auto_fd at = openat(dir_fd, path, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        int copy = at < 0 ? -1 : openat(at, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        DIR *d = copy < 0 ? NULL : fdopendir(copy);

        if (!d) {
                fd_close(copy);
                return;
        }
        for (struct dirent *entry; (entry = readdir(d));)
                if (is_id(entry->d_name))
                        fn(f, at, entry->d_name);
        closedir(d);
}

/* With c->op, when nobody is at work on it: who is, knows what to leave behind. */
static void each_idle(struct fsck *f, void (*fn)(struct fsck *f, struct container *c)) {
        struct container **containers;
        size_t n;

        if (table_snapshot(&f->engine->table, &containers, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                if (pthread_mutex_trylock(&containers[i]->op) == 0) {
                        if (!containers[i]->gone)
                                fn(f, containers[i]);
                        pthread_mutex_unlock(&containers[i]->op);
                }
                container_unref(containers[i]);
        }
        free(containers);
}

static bool is_known(struct engine *e, const char *id) {
        auto_container *c = NULL;

        return table_find(&e->table, id, &c, NULL) == 0;
}

/* --- directories of containers --- */

static void stray_directory(struct fsck *f, int dir_fd, const char *id) {
        /* A removal takes the directory first: one that is there and has no row stays for ever. */
        if (!is_known(f->engine, id) && exists(dir_fd, id))
                fsck_found(f, "container", id, "a directory without a row", "removed", f->fix ? storage_container_remove(f->engine->storage, id, NULL) : 0);
}

static void lost_directory(struct fsck *f, struct container *c) {
        auto_fd dir = -EBADF;
        int r;

        if (storage_container_open(f->engine->storage, c->row.id, &dir, NULL) != -ENOENT)
                return;
        if (container_state_is_live(c->row.state))
                r = -EBUSY;
        else
                r = f->fix ? storage_container_create(f->engine->storage, c->row.id, NULL, &dir, NULL) : 0;
        if (r == 0 && dir >= 0)
                r = project_assert_container(f->engine, c->row.id, dir, NULL, NULL);
        fsck_found(f, "container", c->row.id, "its directory is gone, and with it what it changed", "an empty one was made", r);
}

static void check_containers(struct fsck *f) {
        /* Nobody creates one meanwhile. */
        pthread_rwlock_wrlock(&f->engine->images_lock);
        each_id(f->engine->root_fd, "containers", stray_directory, f);
        pthread_rwlock_unlock(&f->engine->images_lock);
        each_idle(f, lost_directory);
}

/* --- run directories and sockets --- */

static void stray_run(struct fsck *f, int dir_fd, const char *id) {
        if (!is_known(f->engine, id) && exists(dir_fd, id))
                fsck_found(f, "run", id, "a run directory of no container", "removed", f->fix ? path_remove_tree_at(dir_fd, id) : 0);
}

static void idle_run(struct fsck *f, struct container *c) {
        if (!container_state_is_live(c->row.state) && exists(f->engine->run_fd, c->row.id))
                fsck_found(f, "run", c->row.id, "a run directory of a container that does not run", "removed",
                           f->fix ? path_remove_tree_at(f->engine->run_fd, c->row.id) : 0);
}

static void check_run(struct fsck *f) {
        each_id(f->engine->run_fd, ".", stray_run, f);
        each_idle(f, idle_run);
}

/* --- cgroups --- */

static int note_cgroup(const char *name, void *data) {
        return is_id(name) && json_object_set_new(data, name, json_null()) < 0 ? -ENOMEM : 0;
}

static void idle_cgroup(struct fsck *f, struct container *c) {
        auto_free char *path = engine_cgroup_path(f->engine, &c->row);

        if (path && !container_state_is_live(c->row.state) && cgroup_exists(f->engine->cgroups, path))
                fsck_found(f, "cgroup", path, "of a container that does not run", "removed", f->fix ? cgroups_remove(f->engine, path, NULL) : 0);
}

static void stray_cgroups(struct fsck *f) {
        struct engine *e = f->engine;
        auto_json *names = json_object();
        const char *name;
        json_t *v;

        if (cgroup_children(e->cgroups, e->cgroup_parent, note_cgroup, names, NULL) < 0)
                return;
        json_object_foreach(names, name, v) {
                auto_free char *path = str_format("%s/%s", e->cgroup_parent, name);

                if (path && !is_known(e, name) && cgroup_exists(e->cgroups, path))
                        fsck_found(f, "cgroup", path, "of no container", "killed and removed", f->fix ? cgroup_destroy(e->cgroups, path, NULL) : 0);
        }
}

static void check_cgroups(struct fsck *f) {
        /* A slice is everybody's: a scope in it that we do not know may be another daemon's. */
        if (!f->engine->systemd_cgroups)
                stray_cgroups(f);
        each_idle(f, idle_cgroup);
}

/* --- links and the firewall --- */

static bool has_link(const struct container_row *row, const char *link) {
        for (size_t i = 0; i < row->n_endpoints; i++)
                if (!strcmp(row->endpoints[i].host_link, link))
                        return true;
        return false;
}

/* The container whose link it is or would be, with a reference. */
static struct container *owner_of(struct engine *e, const char *bridge, const char *link) {
        struct container **containers, *owner = NULL;
        size_t n;

        if (table_snapshot(&e->table, &containers, &n) < 0)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                struct container_row row;
                char name[16];

                container_peek(containers[i], &row);
                network_link_name(e->network, row.id, bridge, name);
                if (!owner && (!strcmp(name, link) || has_link(&row, link)))
                        owner = containers[i];
                else
                        container_unref(containers[i]);
        }
        free(containers);
        return owner;
}

/* One that starts has a link that its row does not name yet; one that ends, one that it does not name any more. */
static bool is_anybody_at_work(struct engine *e) {
        struct container **containers;
        bool busy = false;
        size_t n;

        if (table_snapshot(&e->table, &containers, &n) < 0)
                return true;
        for (size_t i = 0; i < n; i++) {
                if (pthread_mutex_trylock(&containers[i]->op) != 0)
                        busy = true;
                else
                        pthread_mutex_unlock(&containers[i]->op);
                container_unref(containers[i]);
        }
        free(containers);
        return busy;
}

static void check_link(const char *bridge, const char *link, void *data) {
        struct fsck *f = data;
        auto_container *c = owner_of(f->engine, bridge, link);

        if (!c) {
                if (is_anybody_at_work(f->engine))
                        return;
                c = owner_of(f->engine, bridge, link); /* one that was at work says so in its row by now */
        }
        if (c && pthread_mutex_trylock(&c->op) != 0)
                return;
        if ((!c || (!c->gone && !container_state_is_live(c->row.state))) && network_link_is_plugged(link) == 1)
                fsck_found(f, "link", link, c ? "of a container that does not run" : "on a bridge of ours, of no container", "removed",
                           f->fix ? network_discard_link(f->engine->network, link, NULL) : 0);
        if (c)
                pthread_mutex_unlock(&c->op);
}

static void lost_links(struct fsck *f, struct container *c) {
        for (size_t i = 0; i < c->row.n_endpoints && (c->row.state == CONTAINER_RUNNING || c->row.state == CONTAINER_PAUSED); i++) {
                const struct network_endpoint *p = &c->row.endpoints[i];

                auto_fd netns = -EBADF, again = -EBADF;

                /* Before and after: the link of one that has just ended goes with its namespace, before its end is told. */
                if (container_open_netns(c, &netns, NULL) < 0 || network_is_plugged(f->engine->network, p, netns) != 0 || container_open_netns(c, &again, NULL) < 0)
                        continue;
                fsck_found(f, "link", *p->host_link ? p->host_link : p->link, "a running container's, and gone", "made again", f->fix ? network_plug(f->engine->network, c->row.id, p, netns, NULL) : 0);
        }
}

static void stray_ifb(const char *link, int result, void *data) {
        fsck_found(data, "link", link, "of a limit of bandwidth whose link is gone", "removed", result);
}

static void check_links(struct fsck *f) {
        network_links_each(f->engine->network, check_link, f, NULL);
        network_stray_ifbs(f->engine->network, f->fix, stray_ifb, f, NULL);
        each_idle(f, lost_links);
}

static void check_firewall(struct fsck *f) {
        char what[160] = "";
        int r = network_check_firewall(f->engine->network, f->fix, what, NULL);

        if (r == 1 || (r < 0 && *what))
                fsck_found(f, "firewall", f->engine->bridge, what, "the table was put in place anew", r < 0 ? r : 0);
}

static void audit_found(const char *object, const char *problem, const char *action, int result, void *data) {
        fsck_found(data, "network", object, problem, action, result);
}

/* Bridges before what is plugged into them. */
int engine_network_audit(struct engine *e, bool fix, json_t **ret, struct err *err) {
        struct fsck f = { .engine = e, .fix = fix, .findings = json_array() };
        int r = f.findings ? network_audit(e->network, fix, audit_found, &f, err) : err_errno(err, -ENOMEM, "networks");

        if (r < 0) {
                json_decref(f.findings);
                return r;
        }
        check_links(&f);
        check_firewall(&f);
        *ret = json_pack("{s:o}", "Findings", f.findings);
        return *ret ? 0 : err_errno(err, -ENOMEM, "networks");
}

/* In the order in which a container is made: what one leaves is found by the next. */
static void (*const checks[])(struct fsck *f) = {
        check_containers, fsck_volumes, fsck_sizes, fsck_layers, fsck_scratch, check_run, check_cgroups, check_links, check_firewall,
};

int engine_fsck(struct engine *e, const struct engine_fsck_options *o, json_t **ret, struct err *err) {
        struct fsck f = { .engine = e, .fix = o->fix, .findings = json_array() };
        int r = 0;

        for (size_t i = 0; f.findings && i < ARRAY_SIZE(checks); i++)
                checks[i](&f);
        if (f.findings && o->digests)
                r = fsck_digests(&f, o, err);
        if (r < 0) {
                json_decref(f.findings);
                return r;
        }
        *ret = f.findings ? json_pack("{s:o}", "Findings", f.findings) : NULL;
        return *ret ? 0 : err_errno(err, -ENOMEM, "fsck");
}
