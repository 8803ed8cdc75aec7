/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's side of kist-dns: containers that ask on their own loopback. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "dns/client-internal.h"

static struct known_local *find(struct dns_client *c, const char *container) {
        for (size_t i = 0; i < c->n_locals; i++)
                if (!strcmp(c->locals[i].m.container, container))
                        return &c->locals[i];
        return NULL;
}

bool dns_forget_local(struct dns_client *c, const char *container) {
        struct known_local *l = find(c, container);

        if (!l)
                return false;
        fd_close(l->pidfd);
        *l = c->locals[--c->n_locals];
        return true;
}

static int remember(struct dns_client *c, const char *container, int pidfd, struct known_local **ret) {
        auto_fd copy = pidfd < 0 ? -EBADF : fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
        struct known_local *l = find(c, container);

        if (pidfd >= 0 && copy < 0)
                return -errno;
        if (!l) {
                struct known_local *grown = reallocarray(c->locals, c->n_locals + 1, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                c->locals = grown;
                l = &grown[c->n_locals++];
                *l = (struct known_local) { .m = { .type = DNS_LOCAL }, .pidfd = -EBADF };
                snprintf(l->m.container, sizeof(l->m.container), "%s", container);
        }
        if (copy >= 0) {
                fd_close(l->pidfd);
                l->pidfd = move_fd(copy);
        }
        *ret = l;
        return 0;
}

int dns_tell_local(struct dns_client *c, struct known_local *l, int netns, struct err *err) {
        int fds[3] = { -EBADF, -EBADF, l->pidfd }, r;
        size_t watched = l->pidfd >= 0;

        l->served = false;
        r = dns_say(c, &l->m, &fds[2], watched);
        if (r == 0)
                r = dns_hear(c);
        if (r == DNS_NEEDS_SOCKETS) {
                if (netns < 0)
                        netns = l->pidfd;
                r = netns < 0 ? err_set(err, ERR_UNAVAILABLE, -ESRCH, "names of container %.12s: it has no process yet", l->m.container) : c->open_local(netns, fds, err);
                if (r < 0)
                        return r;
                r = dns_say(c, &l->m, fds, 2 + watched);
                fd_close(fds[0]);
                fd_close(fds[1]);
                if (r == 0)
                        r = dns_hear(c);
        }
        l->served = r == 0;
        return r < 0 ? err_errno(err, r, "kist-dns: container %.12s", l->m.container) : 0;
}

static int tell(struct dns_client *c, const char *container, int netns, struct err *err) {
        struct dns_message gone = { .type = DNS_LOCAL_DROP };
        bool had = c->sock >= 0;
        int r = dns_ensure(c, err);

        /* What is there is of an earlier life of it. */
        snprintf(gone.container, sizeof(gone.container), "%s", container);
        if (r == 0 && netns >= 0 && (r = dns_say(c, &gone, NULL, 0)) < 0)
                err_errno(err, r, "kist-dns");
        if (r == 0)
                r = dns_tell_local(c, find(c, container), netns, err);
        if (r >= 0 || !had || !dns_is_lost(r))
                return r;
        dns_hang_up(c);
        r = dns_ensure(c, err);
        return r < 0 ? r : dns_tell_local(c, find(c, container), netns, err);
}

int dns_client_serve_local(struct dns_client *c, const char *container, int netns, int pidfd, struct err *err) {
        struct known_local *l;
        int r;

        pthread_mutex_lock(&c->lock);
        r = remember(c, container, pidfd, &l);
        if (r < 0)
                err_errno(err, r, "names of container %.12s", container);
        else if (c->begun)
                r = tell(c, container, netns, err);
        pthread_mutex_unlock(&c->lock);
        return r;
}

bool dns_client_serves_local(struct dns_client *c, const char *container) {
        const struct known_local *l;
        bool served;

        pthread_mutex_lock(&c->lock);
        l = find(c, container);
        served = l && l->served;
        pthread_mutex_unlock(&c->lock);
        return served;
}
