/* SPDX-License-Identifier: Apache-2.0 */
#include "network/addresses.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

uint32_t subnet_mask(uint8_t prefix) {
        return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

int address_parse(const char *text, uint32_t *ret) {
        struct in_addr a;

        if (inet_pton(AF_INET, text, &a) != 1)
                return -EINVAL;
        *ret = ntohl(a.s_addr);
        return 0;
}

int subnet_parse(const char *text, struct subnet *ret) {
        const char *slash = strchr(text, '/');
        char address[ADDRESS_TEXT];
        uint64_t prefix;
        uint32_t base;

        if (!slash || (size_t) (slash - text) >= sizeof(address))
                return -EINVAL;
        memcpy(address, text, (size_t) (slash - text));
        address[slash - text] = '\0';
        if (address_parse(address, &base) < 0 || str_to_u64(slash + 1, 0, 32, &prefix) < 0)
                return -EINVAL;
        if (base & ~subnet_mask((uint8_t) prefix))
                return -EINVAL;
        *ret = (struct subnet) { .base = base, .prefix = (uint8_t) prefix };
        return 0;
}

void address_format(uint32_t address, char ret[ADDRESS_TEXT]) {
        snprintf(ret, ADDRESS_TEXT, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

void subnet_format(const struct subnet *s, char ret[SUBNET_TEXT]) {
        char address[ADDRESS_TEXT];

        address_format(s->base, address);
        snprintf(ret, SUBNET_TEXT, "%s/%u", address, (unsigned) (s->prefix & 63));
}

bool subnet_contains(const struct subnet *s, uint32_t address) {
        return (address & subnet_mask(s->prefix)) == s->base;
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b) {
        return subnet_contains(a, b->base) || subnet_contains(b, a->base);
}

int mac_parse(const char *text, uint8_t ret[6]) {
        uint8_t mac[6];
        int all = 0;

        for (size_t i = 0; i < 6; i++, text += 3) {
                unsigned byte;

                if (!isxdigit((unsigned char) text[0]) || !isxdigit((unsigned char) text[1]) || (i < 5 ? text[2] != ':' && text[2] != '-' : text[2] != '\0'))
                        return -EINVAL;
                sscanf(text, "%2x", &byte);
                mac[i] = (uint8_t) byte;
                all |= mac[i];
        }
        if (mac[0] & 1 || !all)
                return -EINVAL;
        memcpy(ret, mac, sizeof(mac));
        return 0;
}

void mac_format(const uint8_t mac[6], char ret[18]) {
        snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void address_mac(uint32_t address, uint8_t ret[6]) {
        const uint8_t mac[6] = { 0x02, 0x42, (uint8_t) (address >> 24), (uint8_t) (address >> 16), (uint8_t) (address >> 8), (uint8_t) address };

        memcpy(ret, mac, sizeof(mac));
}

static uint32_t size_of(const struct address_pool *p) {
        return 1u << (32 - p->subnet.prefix);
}

int address_pool_init(struct address_pool *p, const struct subnet *s, uint32_t gateway) {
        uint64_t *owners;

        if (s->prefix < SUBNET_PREFIX_MIN || s->prefix > SUBNET_PREFIX_MAX)
                return -ERANGE;
        owners = calloc(1u << (32 - s->prefix), sizeof(*owners));
        if (!owners)
                return -ENOMEM;
        *p = (struct address_pool) { .subnet = *s, .gateway = gateway, .owners = owners, .end_offset = 1u << (32 - s->prefix) };
        return 0;
}

int address_pool_restrict(struct address_pool *p, const struct subnet *range) {
        if (range->prefix < p->subnet.prefix || !subnet_contains(&p->subnet, range->base))
                return -ERANGE;
        p->first_offset = range->base - p->subnet.base;
        p->end_offset = p->first_offset + (range->prefix == 0 ? 0 : 1u << (32 - range->prefix));
        p->last = p->first_offset > 0 ? p->first_offset - 1 : 0;
        return 0;
}

void address_pool_done(struct address_pool *p) {
        free(p->owners);
        *p = (struct address_pool) { 0 };
}

static bool is_given_out(const struct address_pool *p, uint32_t offset) {
        return offset > 0 && offset < size_of(p) - 1 && p->subnet.base + offset != p->gateway;
}

int address_pool_take(struct address_pool *p, uint64_t owner, uint32_t *ret) {
        uint32_t size = size_of(p);

        for (uint32_t i = 1; i <= size; i++) {
                uint32_t offset = (p->last + i) % size;

                if (offset < p->first_offset || offset >= p->end_offset || !is_given_out(p, offset) || p->owners[offset] != 0)
                        continue;
                p->owners[offset] = owner;
                p->n_taken++;
                p->last = offset;
                *ret = p->subnet.base + offset;
                return 0;
        }
        return -ENOSPC;
}

int address_pool_claim(struct address_pool *p, uint64_t owner, uint32_t address) {
        uint32_t offset = address - p->subnet.base;

        if (!subnet_contains(&p->subnet, address) || !is_given_out(p, offset))
                return -ERANGE;
        if (p->owners[offset] != 0 && p->owners[offset] != owner)
                return -EEXIST;
        if (p->owners[offset] == 0 && owner != ADDRESS_RESERVED)
                p->n_taken++;
        p->owners[offset] = owner;
        /* So that a daemon that starts again goes on where the earlier one was, more or less. */
        if (offset > p->last && owner != ADDRESS_RESERVED && offset >= p->first_offset && offset < p->end_offset)
                p->last = offset;
        return 0;
}

void address_pool_release(struct address_pool *p, uint64_t owner, uint32_t address) {
        if (!subnet_contains(&p->subnet, address) || p->owners[address - p->subnet.base] != owner)
                return;
        p->owners[address - p->subnet.base] = 0;
        p->n_taken--;
}
