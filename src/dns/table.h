/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who is on which network, at which address, and under which names. No system calls. Addresses are in host byte order; names are in the form of the
 * wire (length, label, length, label, 0) and in lower case. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/protocol.h"

enum { DNS_WIRE_NAME_MAX = 255, DNS_NETWORKS_MAX = 4096, DNS_ENDPOINTS_MAX = 65536, DNS_NAMES_MAX = 160 /* of one endpoint */ };

struct dns_network {
        struct dns_network *next;
        char id[DNS_ID_SIZE], name[DNS_TEXT_SIZE];
        uint32_t gateway;
        uint8_t prefix;
        uint8_t prefix6, subnet6[16]; /* prefix6 0: no IPv6 */
        bool internal, stale;
        int index; /* DNS_NO_BRIDGE: its gateway is another host, and its subnet may have hosts that we know nothing of */
        void *sockets; /* the server's; not looked at here */
};

struct dns_endpoint {
        struct dns_endpoint *next_address, *next_address6, *next_container; /* of the same hash value */
        struct dns_network *network;
        char container[DNS_ID_SIZE];
        uint32_t address;
        uint8_t address6[16];
        bool has_ipv6, stale;
        size_t n_names, n_servers;
        struct dns_name *names; /* the last one first */
        char servers[DNS_SERVERS_MAX][DNS_SERVER_SIZE];
};

struct dns_name {
        struct dns_name *next, *next_of_endpoint;
        struct dns_endpoint *endpoint;
        uint8_t size;
        uint8_t wire[];
};

enum { DNS_BUCKETS = 8192 };

struct dns_table {
        struct dns_network *networks;
        struct dns_endpoint *by_address[DNS_BUCKETS], *by_address6[DNS_BUCKETS], *by_container[DNS_BUCKETS];
        struct dns_name *by_name[DNS_BUCKETS];
        size_t n_networks, n_endpoints;
        void (*network_gone)(struct dns_network *n, void *data); /* before one is freed; may be NULL */
        void *data;
};

void dns_table_done(struct dns_table *t);
/* Text → wire. −EINVAL: no name that can be asked for (an empty label, one of more than 63 bytes, more than 255 in all). */
int dns_name_from_text(const char *text, uint8_t ret[DNS_WIRE_NAME_MAX], size_t *ret_size);
void dns_name_lower(uint8_t *wire, size_t size);

/* The messages. −EINVAL: fields that do not fit together; −ENOENT: of something that is not there; −ENOSPC, −ENOMEM. */
int dns_table_set_network(struct dns_table *t, const struct dns_message *m, struct dns_network **ret);
int dns_table_set_endpoint(struct dns_table *t, const struct dns_message *m);
int dns_table_add_name(struct dns_table *t, const struct dns_message *m);
void dns_table_drop_endpoint(struct dns_table *t, const struct dns_message *m);
void dns_table_drop_network(struct dns_table *t, const char *id);
void dns_table_begin(struct dns_table *t);
void dns_table_end(struct dns_table *t);

struct dns_network *dns_table_network(const struct dns_table *t, const char *id);
bool dns_network_contains(const struct dns_network *n, uint32_t address);
/* Of a container: its endpoint on a network that leads outside, or else on any. NULL: it has none. */
struct dns_endpoint *dns_table_home(const struct dns_table *t, const char *container);
/* NULL: nobody that we know. */
struct dns_endpoint *dns_table_asker(const struct dns_table *t, const struct dns_network *from, uint32_t address);
/* May who asks see what is on `n`? With asker NULL: the network that it asked on only. */
bool dns_table_sees(const struct dns_table *t, const struct dns_network *from, const struct dns_endpoint *asker, const struct dns_network *n);
/* Who has a name, of those that the asker may see, at most `max`; each once. */
size_t dns_table_lookup(const struct dns_table *t, const struct dns_network *from, const struct dns_endpoint *asker, const uint8_t *name, size_t size,
                        const struct dns_endpoint **ret, size_t max);
/* Whose address is it, among what the asker may see? *ret_ours: it belongs to such a network, whether it has an owner or not (of one
 * without a bridge: when it has). */
struct dns_endpoint *dns_table_owner(const struct dns_table *t, const struct dns_network *from, const struct dns_endpoint *asker, uint32_t address, bool *ret_ours);
struct dns_endpoint *dns_table_owner6(const struct dns_table *t, const struct dns_network *from, const struct dns_endpoint *asker, const uint8_t address[16], bool *ret_ours);
/* The name that was given first, in the form of the wire, with the network's after it; 0: none fits. */
size_t dns_endpoint_full_name(const struct dns_endpoint *p, uint8_t ret[DNS_WIRE_NAME_MAX]);
