/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What kistd and kist-dns say to each other: messages of one size over AF_UNIX SOCK_SEQPACKET. kist-dns is started with fd 3, a socket that listens
 * in the daemon's run root; every daemon after that connects there, which only root of the host may. The newest connection is the one that counts.
 *
 * The daemon may say all it knows again at any time: between DNS_BEGIN and DNS_END, what is not said anew is forgotten at DNS_END. DNS_NETWORK,
 * DNS_LOCAL and DNS_SYNC are answered, in order; the others are not. */

#include <stdint.h>

enum { DNS_FD = 3, DNS_ID_SIZE = 65, DNS_TEXT_SIZE = 256, DNS_SERVERS_MAX = 3, DNS_SERVER_SIZE = 48 };

enum dns_message_type {
        DNS_BEGIN = 1,
        DNS_NETWORK,       /* network, address (of the gateway), prefix, address6 and prefix6 (0: no IPv6), internal, index (of the bridge; DNS_NO_BRIDGE), text: its name. fds: UDP, TCP; or none */
        DNS_NETWORK_DROP,  /* network; with all endpoints on it */
        DNS_ENDPOINT,      /* network, container, address, address6 (prefix6 0: none), servers; in place of an earlier one of that container on that network, with its names */
        DNS_NAME,          /* network, container, text: one more name of that endpoint; the first is the one that its address leads back to */
        DNS_ENDPOINT_DROP, /* network, container */
        DNS_END,
        DNS_SYNC,
        DNS_LOCAL,         /* container: asks on its own loopback. fds: UDP, TCP; or none; and one of its first process, with which they go, when that is known */
        DNS_LOCAL_DROP,    /* container */
};

struct dns_message {
        uint32_t type;
        uint32_t address; /* in host byte order */
        int32_t index;
        uint8_t prefix, internal, n_servers, prefix6, address6[16];
        char network[DNS_ID_SIZE], container[DNS_ID_SIZE], text[DNS_TEXT_SIZE];
        char servers[DNS_SERVERS_MAX][DNS_SERVER_SIZE]; /* addresses, IPv4 or IPv6 */
};

struct dns_answer {
        int32_t result; /* 0, or DNS_NEEDS_SOCKETS to a DNS_NETWORK or DNS_LOCAL that came without */
};
enum { DNS_NEEDS_SOCKETS = 1, DNS_NO_BRIDGE = -1 /* nobody asks on the gateway, which is not this host's */ };
