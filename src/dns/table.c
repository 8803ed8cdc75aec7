/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/table.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t hash(const void *data, size_t size) {
        const uint8_t *p = data;
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < size; i++)
                h = (h ^ p[i]) * 16777619u;
        return (h ^ h >> 16) % DNS_BUCKETS;
}

static size_t hash_id(const char *id) {
        return hash(id, strlen(id));
}

int dns_name_from_text(const char *text, uint8_t ret[DNS_WIRE_NAME_MAX], size_t *ret_size) {
        size_t at = 0;

        for (;;) {
                size_t n = strcspn(text, ".");

                if (n == 0 || n > 63 || at + n + 2 > DNS_WIRE_NAME_MAX)
                        return -EINVAL;
                ret[at++] = (uint8_t) n;
                for (size_t i = 0; i < n; i++)
                        ret[at++] = (uint8_t) tolower((unsigned char) text[i]);
                text += n;
                if (!*text)
                        break;
                text++;
        }
        ret[at++] = 0;
        *ret_size = at;
        return 0;
}

/* Lengths are below 64 and no letters: the whole can be lowered at once. */
void dns_name_lower(uint8_t *wire, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (wire[i] >= 'A' && wire[i] <= 'Z')
                        wire[i] = (uint8_t) (wire[i] + 32);
}

struct dns_network *dns_table_network(const struct dns_table *t, const char *id) {
        for (struct dns_network *n = t->networks; n; n = n->next)
                if (!strcmp(n->id, id))
                        return n;
        return NULL;
}

static uint32_t mask(uint8_t prefix) {
        return prefix ? ~0u << (32 - prefix) : 0;
}

static void mask6(const uint8_t address[16], uint8_t prefix, uint8_t ret[16]) {
        for (unsigned i = 0; i < 16; i++)
                ret[i] = i * 8 >= prefix ? 0 : address[i] & (uint8_t) (prefix >= (i + 1) * 8 ? 0xff : 0xff << (8 - prefix % 8));
}

static bool network_contains6(const struct dns_network *n, const uint8_t address[16]) {
        uint8_t subnet[16];

        mask6(address, n->prefix6, subnet);
        return n->prefix6 && !memcmp(subnet, n->subnet6, sizeof(subnet));
}

bool dns_network_contains(const struct dns_network *n, uint32_t address) {
        return (address & mask(n->prefix)) == (n->gateway & mask(n->prefix));
}

int dns_table_set_network(struct dns_table *t, const struct dns_message *m, struct dns_network **ret) {
        struct dns_network *n = dns_table_network(t, m->network);

        if (!*m->network || !m->address || m->prefix < 8 || m->prefix > 30 || m->prefix6 > 127)
                return -EINVAL;
        if (!n) {
                if (t->n_networks >= DNS_NETWORKS_MAX)
                        return -ENOSPC;
                n = calloc(1, sizeof(*n));
                if (!n)
                        return -ENOMEM;
                memcpy(n->id, m->network, sizeof(n->id));
                n->next = t->networks;
                t->networks = n;
                t->n_networks++;
        }
        memcpy(n->name, m->text, sizeof(n->name));
        n->gateway = m->address;
        n->prefix = m->prefix;
        n->prefix6 = m->prefix6;
        mask6(m->address6, m->prefix6, n->subnet6);
        n->internal = m->internal;
        n->stale = false;
        *ret = n;
        return 0;
}

/* --- endpoints --- */

static struct dns_endpoint *find_endpoint(const struct dns_table *t, const char *network, const char *container) {
        for (struct dns_endpoint *p = t->by_container[hash_id(container)]; p; p = p->next_container)
                if (!strcmp(p->container, container) && !strcmp(p->network->id, network))
                        return p;
        return NULL;
}

static void forget_names(struct dns_table *t, struct dns_endpoint *p) {
        for (struct dns_name *n = p->names, *next; n; n = next) {
                struct dns_name **at = &t->by_name[hash(n->wire, n->size)];

                next = n->next_of_endpoint;
                while (*at != n)
                        at = &(*at)->next;
                *at = n->next;
                free(n);
        }
        p->names = NULL;
        p->n_names = 0;
}

static void unlink_address(struct dns_table *t, struct dns_endpoint *p) {
        struct dns_endpoint **at = &t->by_address[hash(&p->address, sizeof(p->address))];

        while (*at != p)
                at = &(*at)->next_address;
        *at = p->next_address;
        if (!p->has_ipv6)
                return;
        at = &t->by_address6[hash(p->address6, sizeof(p->address6))];
        while (*at != p)
                at = &(*at)->next_address6;
        *at = p->next_address6;
}

static void link_address(struct dns_table *t, struct dns_endpoint *p) {
        struct dns_endpoint **at = &t->by_address[hash(&p->address, sizeof(p->address))];

        p->next_address = *at;
        *at = p;
        if (!p->has_ipv6)
                return;
        at = &t->by_address6[hash(p->address6, sizeof(p->address6))];
        p->next_address6 = *at;
        *at = p;
}

static void drop(struct dns_table *t, struct dns_endpoint *p) {
        struct dns_endpoint **at = &t->by_container[hash_id(p->container)];

        forget_names(t, p);
        unlink_address(t, p);
        while (*at != p)
                at = &(*at)->next_container;
        *at = p->next_container;
        t->n_endpoints--;
        free(p);
}

int dns_table_set_endpoint(struct dns_table *t, const struct dns_message *m) {
        struct dns_network *n = dns_table_network(t, m->network);
        struct dns_endpoint *p = n ? find_endpoint(t, m->network, m->container) : NULL;

        if (!n)
                return -ENOENT;
        if (!*m->container || !dns_network_contains(n, m->address) || m->n_servers > DNS_SERVERS_MAX || (m->prefix6 && !network_contains6(n, m->address6)))
                return -EINVAL;
        if (p) {
                forget_names(t, p);
                unlink_address(t, p);
        } else {
                struct dns_endpoint **at = &t->by_container[hash_id(m->container)];

                if (t->n_endpoints >= DNS_ENDPOINTS_MAX)
                        return -ENOSPC;
                p = calloc(1, sizeof(*p));
                if (!p)
                        return -ENOMEM;
                memcpy(p->container, m->container, sizeof(p->container));
                p->next_container = *at;
                *at = p;
                t->n_endpoints++;
        }
        p->network = n;
        p->address = m->address;
        p->has_ipv6 = m->prefix6 > 0;
        memcpy(p->address6, m->address6, sizeof(p->address6));
        p->stale = false;
        p->n_servers = m->n_servers;
        memcpy(p->servers, m->servers, sizeof(p->servers));
        link_address(t, p);
        return 0;
}

static int add_wire(struct dns_table *t, struct dns_endpoint *p, const uint8_t *wire, size_t size) {
        struct dns_name **at = &t->by_name[hash(wire, size)], *n;

        for (n = *at; n; n = n->next)
                if (n->endpoint == p && n->size == size && !memcmp(n->wire, wire, size))
                        return 0;
        if (p->n_names >= DNS_NAMES_MAX)
                return -ENOSPC;
        n = calloc(1, sizeof(*n) + size);
        if (!n)
                return -ENOMEM;
        n->endpoint = p;
        n->size = (uint8_t) size;
        memcpy(n->wire, wire, size);
        n->next = *at;
        *at = n;
        n->next_of_endpoint = p->names;
        p->names = n;
        p->n_names++;
        return 0;
}

/* As it is, and with the network's name behind it: "web" and "web.front". */
int dns_table_add_name(struct dns_table *t, const struct dns_message *m) {
        struct dns_endpoint *p = find_endpoint(t, m->network, m->container);
        uint8_t wire[DNS_WIRE_NAME_MAX], domain[DNS_WIRE_NAME_MAX];
        size_t size, n;
        int r;

        if (!p)
                return -ENOENT;
        r = dns_name_from_text(m->text, wire, &size);
        if (r < 0 || (r = add_wire(t, p, wire, size)) < 0)
                return r;
        if (dns_name_from_text(p->network->name, domain, &n) < 0 || size - 1 + n > DNS_WIRE_NAME_MAX)
                return 0;
        memcpy(wire + size - 1, domain, n);
        return add_wire(t, p, wire, size - 1 + n);
}

void dns_table_drop_endpoint(struct dns_table *t, const struct dns_message *m) {
        struct dns_endpoint *p = find_endpoint(t, m->network, m->container);

        if (p)
                drop(t, p);
}

/* --- dropping many --- */

static void drop_matching(struct dns_table *t, const struct dns_network *of) {
        for (size_t i = 0; i < DNS_BUCKETS; i++)
                for (struct dns_endpoint *p = t->by_container[i], *next; p; p = next) {
                        next = p->next_container;
                        if (of ? p->network == of : p->stale)
                                drop(t, p);
                }
}

static void free_network(struct dns_table *t, struct dns_network *n) {
        struct dns_network **at = &t->networks;

        drop_matching(t, n);
        while (*at != n)
                at = &(*at)->next;
        *at = n->next;
        t->n_networks--;
        if (t->network_gone)
                t->network_gone(n, t->data);
        free(n);
}

void dns_table_drop_network(struct dns_table *t, const char *id) {
        struct dns_network *n = dns_table_network(t, id);

        if (n)
                free_network(t, n);
}

void dns_table_begin(struct dns_table *t) {
        for (struct dns_network *n = t->networks; n; n = n->next)
                n->stale = true;
        for (size_t i = 0; i < DNS_BUCKETS; i++)
                for (struct dns_endpoint *p = t->by_container[i]; p; p = p->next_container)
                        p->stale = true;
}

void dns_table_end(struct dns_table *t) {
        drop_matching(t, NULL);
        for (struct dns_network *n = t->networks, *next; n; n = next) {
                next = n->next;
                if (n->stale)
                        free_network(t, n);
        }
}

void dns_table_done(struct dns_table *t) {
        while (t->networks)
                free_network(t, t->networks);
}

/* --- questions --- */

struct dns_endpoint *dns_table_home(const struct dns_table *t, const char *container) {
        struct dns_endpoint *found = NULL;

        for (struct dns_endpoint *p = t->by_container[hash_id(container)]; p; p = p->next_container)
                if (!strcmp(p->container, container) && (!found || (found->network->internal && !p->network->internal)))
                        found = p;
        return found;
}

struct dns_endpoint *dns_table_asker(const struct dns_table *t, const struct dns_network *from, uint32_t address) {
        for (struct dns_endpoint *p = t->by_address[hash(&address, sizeof(address))]; p; p = p->next_address)
                if (p->address == address && p->network == from)
                        return p;
        return NULL;
}

bool dns_table_sees(const struct dns_table *t, const struct dns_network *from, const struct dns_endpoint *asker, const struct dns_network *n) {
        if (n == from)
                return true;
        for (struct dns_endpoint *p = asker ? t->by_container[hash_id(asker->container)] : NULL; p; p = p->next_container)
                if (p->network == n && !strcmp(p->container, asker->container))
                        return true;
        return false;
}

size_t dns_table_lookup(const struct dns_table *t, const struct dns_network *from, const struct dns_endpoint *asker, const uint8_t *name, size_t size,
                        const struct dns_endpoint **ret, size_t max) {
        size_t n = 0;

        for (struct dns_name *p = t->by_name[hash(name, size)]; p && n < max; p = p->next)
                if (p->size == size && !memcmp(p->wire, name, size) && dns_table_sees(t, from, asker, p->endpoint->network))
                        ret[n++] = p->endpoint;
        return n;
}

struct dns_endpoint *dns_table_owner(const struct dns_table *t, const struct dns_network *from, const struct dns_endpoint *asker, uint32_t address, bool *ret_ours) {
        *ret_ours = false;
        for (struct dns_network *n = t->networks; n; n = n->next)
                if (dns_network_contains(n, address) && dns_table_sees(t, from, asker, n)) {
                        struct dns_endpoint *owner = dns_table_asker(t, n, address);

                        if (!owner && n->index == DNS_NO_BRIDGE)
                                continue;
                        *ret_ours = true;
                        return owner;
                }
        return NULL;
}

struct dns_endpoint *dns_table_owner6(const struct dns_table *t, const struct dns_network *from, const struct dns_endpoint *asker, const uint8_t address[16], bool *ret_ours) {
        *ret_ours = false;
        for (struct dns_network *n = t->networks; n; n = n->next) {
                if (!network_contains6(n, address) || !dns_table_sees(t, from, asker, n))
                        continue;
                *ret_ours = true;
                for (struct dns_endpoint *p = t->by_address6[hash(address, 16)]; p; p = p->next_address6)
                        if (p->network == n && !memcmp(p->address6, address, 16))
                                return p;
                if (n->index != DNS_NO_BRIDGE)
                        return NULL;
                *ret_ours = false;
        }
        return NULL;
}

size_t dns_endpoint_full_name(const struct dns_endpoint *p, uint8_t ret[DNS_WIRE_NAME_MAX]) {
        const struct dns_name *first = p->names, *second = NULL;

        /* The list is the wrong way round: the last but one is the first name with the network's. */
        for (const struct dns_name *n = p->names; n && n->next_of_endpoint; n = n->next_of_endpoint) {
                second = n;
                first = n->next_of_endpoint;
        }
        if (second && second->size > first->size && !memcmp(second->wire, first->wire, first->size - 1u))
                first = second;
        if (!first)
                return 0;
        memcpy(ret, first->wire, first->size);
        return first->size;
}
