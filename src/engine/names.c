/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/names.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "dns/dns.h"
#include "engine/db.h"
#include "engine/files.h"
#include "engine/internal.h"
#include "engine/networks.h"
#include "engine/spec.h"
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
        const struct dns_client_network network = { .id = n.id, .name = n.name, .bridge = n.bridge, .gateway = gateway_of(&n, false), .prefix = p->prefix, .gateway6 = gateway_of(&n, true), .prefix6 = p->prefix6,
                                                 .internal = network_is_internal(&n) };
        if (dns_client_add(e->names, &network, &endpoint, &err) < 0)
                log_warning("container %.12s: its names are not served: %s", row->id, err.msg);
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

void names_resolvers(struct engine *e, const struct container_row *row, struct names_resolvers *ret) {
        ret->n = 0;
        for (int internal = 0; internal < 2; internal++)
                for (size_t i = 0; i < row->n_endpoints && ret->n < RESOLVERS_MAX_OF_CONTAINER; i++) {
                        auto_network n = {};

                        if (find_user_network(e, &row->endpoints[i], &n) && network_is_internal(&n) == internal && dns_client_serves(e->names, n.id))
                                snprintf(ret->v[ret->n++], sizeof(ret->v[0]), "%s", gateway_of(&n, false));
                }
}

/* Into the file that is there: the container has it mounted. */
void names_follow(struct engine *e, const struct spec *s, const struct container_row *row, const struct names_resolvers *before) {
        auto_fd dir = -EBADF, fd = -EBADF;
        auto_free char *text = NULL;
        struct names_resolvers now;
        struct err err;

        names_resolvers(e, row, &now);
        if (now.n == before->n && !memcmp(now.v, before->v, now.n * sizeof(now.v[0])))
                return;
        text = files_resolv_conf_of(s, &now);
        if (!text || storage_container_open(e->storage, row->id, &dir, &err) < 0)
                return;
        fd = openat(dir, "resolv.conf", O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
                log_warning("container %.12s: resolv.conf: %s", row->id, strerror(errno));
}
