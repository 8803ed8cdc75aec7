/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The servers that names go to which nobody here knows. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

union dns_address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
};

enum { RESOLVERS_MAX = 6 };

struct resolvers {
        size_t n;
        union dns_address v[RESOLVERS_MAX];
};

/* "192.0.2.1", "2001:db8::1", "fe80::1%eth0": with port 53. False: no address. */
bool resolvers_parse(const char *text, union dns_address *ret);
socklen_t resolvers_size(const union dns_address *a);
/* The "nameserver" lines of a resolv.conf, at most RESOLVERS_MAX; what is no address is left out. */
void resolvers_read(const char *text, struct resolvers *ret);
