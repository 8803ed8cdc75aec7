/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* IPv4 subnets and who has which address of one. No system calls. Addresses are in host byte order. */

#include <stdbool.h>
#include <stdint.h>

struct subnet {
        uint32_t base; /* all bits after the prefix are 0 */
        uint8_t prefix;
};

enum { SUBNET_PREFIX_MIN = 8, SUBNET_PREFIX_MAX = 30, ADDRESS_TEXT = 16, SUBNET_TEXT = 20 };

/* "172.30.0.0/16": no bits after the prefix, no leading zeros. -EINVAL: not a subnet. Any prefix from 0 to 32. */
int subnet_parse(const char *text, struct subnet *ret);
void subnet_format(const struct subnet *s, char ret[SUBNET_TEXT]);
uint32_t subnet_mask(uint8_t prefix);
bool subnet_contains(const struct subnet *s, uint32_t address);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);

int address_parse(const char *text, uint32_t *ret);
/* "02:42:ac:1e:00:02", of one device: not a group's, not all zeros. */
int mac_parse(const char *text, uint8_t ret[6]);
void mac_format(const uint8_t mac[6], char ret[18]);
void address_format(uint32_t address, char ret[ADDRESS_TEXT]);
/* 02:42 and the four bytes of the address: no two of a network are the same, and it needs no table. */
void address_mac(uint32_t address, uint8_t ret[6]);

/* The first and last address of the subnet, and the gateway, belong to nobody. */
struct address_pool {
        struct subnet subnet;
        uint32_t gateway;
        uint64_t *owners; /* by offset in the subnet; 0: free. Only pages in use take memory */
        uint32_t last;    /* offset given out last */
        uint32_t first_offset, end_offset; /* address_pool_take() keeps to these */
        uint32_t n_taken; /* by owners other than ADDRESS_RESERVED */
};

#define ADDRESS_RESERVED UINT64_MAX /* the owner of what no endpoint gets */

int address_pool_init(struct address_pool *p, const struct subnet *s, uint32_t gateway);
void address_pool_done(struct address_pool *p);
/* Take only from this part of the subnet. -ERANGE: it is none. */
int address_pool_restrict(struct address_pool *p, const struct subnet *range);

/* The lowest free one after the last given, from the start again at the end: an address is not used again at once, when others
 * may still have it in their caches. `owner` is not 0. -ENOSPC when all are taken. */
int address_pool_take(struct address_pool *p, uint64_t owner, uint32_t *ret);
/* -ERANGE: not an address of the pool. -EEXIST: another's. Claiming one's own again is no error. */
int address_pool_claim(struct address_pool *p, uint64_t owner, uint32_t address);
/* Nothing happens when it is another's. */
void address_pool_release(struct address_pool *p, uint64_t owner, uint32_t address);
