/* SPDX-License-Identifier: Apache-2.0 */
/* Links on our bridges, for whoever knows which containers there are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/internal.h"

struct port {
        char bridge[16], link[16];
};

struct ports {
        struct { int index; char name[16]; } *bridges;
        size_t n_bridges;
        struct port *v;
        size_t n, room;
};

static int collect(const struct link *l, void *data) {
        struct ports *p = data;

        if (strcmp(l->kind, "veth") != 0 || !str_starts_with(l->name, "kv"))
                return 0;
        for (size_t i = 0; i < p->n_bridges; i++) {
                if (l->master == 0 || p->bridges[i].index != l->master)
                        continue;
                if (p->n == p->room) {
                        size_t room = p->room ? p->room * 2 : 64;
                        struct port *grown = reallocarray(p->v, room, sizeof(*grown));

                        if (!grown)
                                return -ENOMEM;
                        p->v = grown;
                        p->room = room;
                }
                memcpy(p->v[p->n].bridge, p->bridges[i].name, sizeof(p->v->bridge));
                memcpy(p->v[p->n++].link, l->name, sizeof(p->v->link));
        }
        return 0;
}

int network_links_each(struct network_host *h, void (*fn)(const char *bridge, const char *link, void *data), void *data, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        struct ports p = { 0 };
        size_t room = 0;
        int r = rtnl_open(&n);

        if (r < 0)
                return err_errno(err, r, "netlink socket");
        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->n_networks; i++)
                room += 1 + h->networks[i]->chain.n;
        p.bridges = calloc(room + 1, sizeof(*p.bridges));
        for (size_t i = 0; p.bridges && i < h->n_networks; i++) {
                const struct bridge_network *b = h->networks[i];

                for (size_t k = 0; k <= b->chain.n; k++) {
                        char name[16];
                        struct link l;

                        chain_name(b->bridge, k, 'b', name);
                        if (link_find(&n, k ? name : b->bridge, &l) < 0)
                                continue;
                        p.bridges[p.n_bridges].index = l.index;
                        memcpy(p.bridges[p.n_bridges++].name, b->bridge, sizeof(p.bridges->name));
                }
        }
        pthread_mutex_unlock(&h->lock);
        r = p.bridges ? link_each(&n, collect, &p) : -ENOMEM;
        for (size_t i = 0; r >= 0 && i < p.n; i++)
                fn(p.v[i].bridge, p.v[i].link, data);
        free(p.bridges);
        free(p.v);
        return r < 0 ? rtnl_error(&n, r, err, "listing links") : 0;
}

/* --- ifbs whose links are gone: nothing arrives there any more --- */

struct ifbs {
        struct link *v;
        size_t n, room;
};

static int collect_ifb(const struct link *l, void *data) {
        struct ifbs *all = data;

        if (strcmp(l->kind, "ifb") != 0 || !str_starts_with(l->name, "ki"))
                return 0;
        if (all->n == all->room) {
                size_t room = all->room ? all->room * 2 : 16;
                struct link *grown = reallocarray(all->v, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                all->v = grown;
                all->room = room;
        }
        all->v[all->n++] = *l;
        return 0;
}

/* An endpoint has its link before its ifb. That by the link's name is looked for now, and this ifb is known by its number: one that is made meanwhile for a new link
 * of that name is another. */
static bool is_needed(struct rtnl *n, const struct link *ifb) {
        char name[16];
        struct link l;

        snprintf(name, sizeof(name), "kv%s", ifb->name + 2);
        return link_find(n, name, &l) != -ENODEV;
}

int network_stray_ifbs(struct network_host *h, bool fix, void (*fn)(const char *link, int result, void *data), void *data, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        struct ifbs all = { 0 };
        int r = rtnl_open(&n);

        if (r < 0)
                return err_errno(err, r, "netlink socket");
        r = link_each(&n, collect_ifb, &all);
        for (size_t i = 0; r >= 0 && i < all.n; i++)
                if (!is_needed(&n, &all.v[i]))
                        fn(all.v[i].name, fix ? reaper_discard_link(&h->reaper, &n, all.v[i].index, true) : 0, data);
        free(all.v);
        return r < 0 ? rtnl_error(&n, r, err, "listing links") : 0;
}

int network_link_is_plugged(const char *link) {
        auto_rtnl n = { .fd = -EBADF };
        struct link l;
        int r = rtnl_open(&n);

        if (r == 0)
                r = link_find(&n, link, &l);
        return r == -ENODEV ? 0 : r < 0 ? r : l.master != 0;
}

int network_discard_link(struct network_host *h, const char *link, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        int r = rtnl_open(&n);

        if (r == 0)
                r = reaper_discard(&h->reaper, &n, link, true);
        chain_release(h, NULL, link);
        return r < 0 && r != -ENODEV ? rtnl_error(&n, r, err, "deleting link %s", link) : 0;
}
