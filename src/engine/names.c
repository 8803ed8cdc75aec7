/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/names.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "dns/dns.h"
#include "engine/db.h"
#include "engine/files.h"
#include "engine/internal.h"
#include "engine/networks.h"
#include "engine/spec.h"
#include "network/network.h"
#include "storage/storage.h"

enum { NAMES_MAX = 70, SERVERS_MAX = 3, SHORT_ID = 12 };

/* An internal network's endpoints have no gateway; it has one all the same. */
static const char *gateway_of(const struct network *n, bool ipv6) {
        const json_t *config = json_array_get(json_object_get(json_object_get(n->spec, "IPAM"), "Config"), ipv6);

        return json_get_str(config, "Gateway", "");
}

static bool find_user_network(struct engine *e, const struct network_endpoint *p, struct network *ret) {
        return *p->network && network_find(e, p->network, ret, NULL) == 0 && ret->kind == SPEC_NETWORK_USER;
}

static bool has_no_bridge(const struct network *n) {
        return network_driver_has_parent(n->driver);
}

static size_t texts(const json_t *list, const char **ret, size_t n, size_t max) {
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) list, i, v)
                if (n < max)
                        ret[n++] = json_string_value(v);
        return n;
}

static const json_t *aliases_on(const struct spec *s, const char *network_id) {
        for (size_t i = 0; i < s->n_endpoints; i++)
                if (!strcmp(s->endpoints[i].network_id, network_id))
                        return s->endpoints[i].aliases;
        return NULL;
}

void names_add(struct engine *e, const struct spec *s, const struct container_row *row, const struct network_endpoint *p) {
        const char *names[NAMES_MAX], *servers[SERVERS_MAX];
        char short_id[SHORT_ID + 1];
        struct dns_client_endpoint endpoint = { .container = row->id, .address = p->address, .address6 = p->address6, .names = names, .servers = servers };
        auto_network n = {};
        struct err err;

        if (!find_user_network(e, p, &n))
                return;
        snprintf(short_id, sizeof(short_id), "%.*s", SHORT_ID, row->id);
        names[endpoint.n_names++] = row->name;
        endpoint.n_names = texts(aliases_on(s, n.id), names, endpoint.n_names, NAMES_MAX - 2);
        names[endpoint.n_names++] = short_id;
        if (*s->hostname)
                names[endpoint.n_names++] = s->hostname;
        endpoint.n_servers = texts(s->dns, servers, 0, SERVERS_MAX);
        const struct dns_client_network network = { .id = n.id, .name = n.name, .bridge = has_no_bridge(&n) ? NULL : n.bridge, .gateway = gateway_of(&n, false), .prefix = p->prefix, .gateway6 = gateway_of(&n, true), .prefix6 = p->prefix6,
                                                 .internal = network_is_internal(&n) };
        if (dns_client_add(e->names, &network, &endpoint, &err) < 0)
                log_warning("container %.12s: its names are not served: %s", row->id, err.msg);
}

void names_listen(struct engine *e, const struct container_row *row, int netns, int pid) {
        auto_fd pidfd = pid > 0 ? (int) syscall(SYS_pidfd_open, pid, 0) : -EBADF;
        bool wanted = false;
        struct err err;

        for (size_t i = 0; i < row->n_endpoints && !wanted; i++) {
                auto_network n = {};

                wanted = find_user_network(e, &row->endpoints[i], &n) && has_no_bridge(&n);
        }
        if (wanted && dns_client_serve_local(e->names, row->id, netns, pidfd, &err) < 0)
                log_warning("container %.12s: names are not served to it: %s", row->id, err.msg);
}

void names_drop(struct engine *e, const struct container_row *row, const struct network_endpoint *p) {
        dns_client_drop(e->names, p->network, row->id);
}

void names_rename(struct engine *e, struct container *c) {
        auto_json *body = NULL;
        auto_spec s = {};

        if (!c->row.n_endpoints || db_spec(e->db, c->row.id, &body, NULL) < 0 || spec_parse(body, &s, NULL) < 0)
                return;
        for (size_t i = 0; i < c->row.n_endpoints; i++)
                names_add(e, &s, &c->row, &c->row.endpoints[i]);
}

static void add_resolver(struct names_resolvers *r, const char *address) {
        for (size_t i = 0; i < r->n; i++)
                if (!strcmp(r->v[i], address))
                        return;
        if (r->n < RESOLVERS_MAX_OF_CONTAINER)
                snprintf(r->v[r->n++], sizeof(r->v[0]), "%s", address);
}

void names_resolvers(struct engine *e, const struct container_row *row, struct names_resolvers *ret) {
        bool local = dns_client_serves_local(e->names, row->id);

        ret->n = 0;
        for (int internal = 0; internal < 2; internal++)
                for (size_t i = 0; i < row->n_endpoints; i++) {
                        auto_network n = {};

                        if (!find_user_network(e, &row->endpoints[i], &n) || network_is_internal(&n) != internal)
                                continue;
                        if (has_no_bridge(&n) && local)
                                add_resolver(ret, NETWORK_RESOLVER);
                        else if (!has_no_bridge(&n) && dns_client_serves(e->names, n.id))
                                add_resolver(ret, gateway_of(&n, false));
                }
}

/* Into the file that is there: the container has it mounted, and reads it at any time. One write, made as long as the old text by empty lines before what is
 * over is cut off: whoever is killed in between leaves nothing that is wrong. */
static int rewrite(int fd, const char *text, size_t old_size) {
        size_t size = strlen(text), room = size > old_size ? size : old_size;
        auto_free char *padded = malloc(room + 1);

        if (!padded)
                return -ENOMEM;
        memset(padded, '\n', room);
        memcpy(padded, text, size);
        if (pwrite(fd, padded, room, 0) != (ssize_t) room)
                return errno ? -errno : -EIO;
        fault_point("network", "file");
        return ftruncate(fd, (off_t) size) < 0 ? -errno : 0;
}

/* A plain file of ours with one name, or nothing: a link in its place leads nobody anywhere. */
static int open_own(struct engine *e, const char *id, const char *name, char **ret_text, size_t *ret_size) {
        auto_fd dir = -EBADF, fd = -EBADF;
        struct stat st;
        int r = storage_container_open(e->storage, id, &dir, NULL);

        if (r < 0)
                return r;
        fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
                return -EMLINK;
        r = fd_read_file(fd, FILES_HOSTS_MAX, ret_text, ret_size);
        return r < 0 ? r : move_fd(fd);
}

static void follow(struct engine *e, const char *id, const char *name, char *(*make)(const char *old, const void *data), const void *data) {
        auto_free char *old = NULL, *text = NULL;
        size_t size;
        auto_fd fd = open_own(e, id, name, &old, &size);
        int r = fd;

        if (r >= 0)
                text = make(old, data);
        if (r >= 0 && !text)
                r = -ENOMEM;
        if (r >= 0 && strcmp(old, text) != 0)
                r = rewrite(fd, text, size);
        if (r < 0)
                log_warning("container %.12s: its %s is not changed with its networks: %s", id, name, strerror(-r));
}

struct hosts_change {
        const struct spec *s;
        const struct container_row *before, *now;
};

static char *make_hosts(const char *old, const void *data) {
        const struct hosts_change *k = data;

        return files_hosts_follow(k->s, k->before, k->now, old);
}

void names_follow_hosts(struct engine *e, const struct spec *s, const struct container_row *before, const struct container_row *now) {
        const struct hosts_change k = { .s = s, .before = before, .now = now };

        follow(e, now->id, "hosts", make_hosts, &k);
}

struct resolv_change {
        const struct spec *s;
        const struct names_resolvers *now;
};

static char *make_resolv_conf(const char *old, const void *data) {
        const struct resolv_change *k = data;

        (void) old;
        return files_resolv_conf_of(k->s, k->now);
}

void names_follow(struct engine *e, const struct spec *s, const struct container_row *before, const struct container_row *row, const struct names_resolvers *resolvers) {
        struct names_resolvers now;
        struct resolv_change k = { .s = s, .now = &now };

        names_follow_hosts(e, s, before, row);
        names_resolvers(e, row, &now);
        if (now.n != resolvers->n || memcmp(now.v, resolvers->v, now.n * sizeof(now.v[0])) != 0)
                follow(e, row->id, "resolv.conf", make_resolv_conf, &k);
}
