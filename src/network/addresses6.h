/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* IPv6 addresses and subnets, and who has which address of one. No system calls. Where addresses of both kinds may stand (published ports, requests to the
 * kernel), an IPv4 one is ::ffff:a.b.c.d; no subnet contains such. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address6 {
        uint8_t b[16];
};

struct subnet6 {
        struct address6 base; /* all bits after the prefix are 0 */
        uint8_t prefix;
};

enum { SUBNET6_PREFIX_MIN = 16, SUBNET6_PREFIX_MAX = 124, SUBNET6_PART = 64, ADDRESS6_TEXT = 40, SUBNET6_TEXT = 44 };

/* -EINVAL: not an IPv6 address, or one that is IPv4's. */
int address6_parse(const char *text, struct address6 *ret);
/* "fd00:5::/64": no bits after the prefix. -EINVAL. */
int subnet6_parse(const char *text, struct subnet6 *ret);
/* An address of either kind. -EINVAL. */
int address_any_parse(const char *text, struct address6 *ret);
/* Of either kind. */
void address6_format(const struct address6 *a, char ret[ADDRESS6_TEXT]);
void subnet6_format(const struct subnet6 *s, char ret[SUBNET6_TEXT]);

struct address6 address6_of_ipv4(uint32_t address);
bool address6_is_ipv4(const struct address6 *a);
uint32_t address6_ipv4(const struct address6 *a);
/* "0.0.0.0" or "::". */
bool address6_is_any(const struct address6 *a);
bool address6_equal(const struct address6 *a, const struct address6 *b);
/* base + offset. */
struct address6 address6_at(const struct address6 *base, uint64_t offset);

bool subnet6_contains(const struct subnet6 *s, const struct address6 *a);
bool subnet6_overlaps(const struct subnet6 *a, const struct subnet6 *b);
struct subnet6 subnet6_around(const struct address6 *a, uint8_t prefix);
/* fd, 40 bits that depend on the text, and nothing after them: a prefix of this host's own (RFC 4193). /48. */
struct subnet6 subnet6_unique_local(const char *text);

struct address6_owner {
        struct address6 address;
        uint64_t owner;
};

/* A subnet has more addresses than a table: only those are kept that somebody has, in order. */
struct address6_pool {
        struct subnet6 subnet, range; /* prefix 0: there is none */
        struct address6 gateway;
        struct address6_owner *taken;
        size_t n, room;
};
void address6_pool_done(struct address6_pool *p);
/* The address that is `wish` after the begin of the range, or the first after it that is free: the same host part as in the IPv4 subnet. -ENOSPC, -ENOMEM. */
int address6_pool_take(struct address6_pool *p, uint64_t owner, uint32_t wish, struct address6 *ret);
/* -ERANGE: not an address of the pool. -EEXIST: another's. Claiming one's own again is no error. */
int address6_pool_claim(struct address6_pool *p, uint64_t owner, const struct address6 *a);
/* Nothing happens when it is another's. */
void address6_pool_release(struct address6_pool *p, uint64_t owner, const struct address6 *a);
