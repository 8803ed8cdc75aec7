/* SPDX-License-Identifier: Apache-2.0 */
#include "network/addresses6.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "network/addresses.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

struct address6 address6_of_ipv4(uint32_t address) {
        struct address6 a;
        uint32_t wire = htonl(address);

        memcpy(a.b, mapped, sizeof(mapped));
        memcpy(a.b + sizeof(mapped), &wire, sizeof(wire));
        return a;
}

bool address6_is_ipv4(const struct address6 *a) {
        return !memcmp(a->b, mapped, sizeof(mapped));
}

uint32_t address6_ipv4(const struct address6 *a) {
        uint32_t wire;

        memcpy(&wire, a->b + sizeof(mapped), sizeof(wire));
        return ntohl(wire);
}

bool address6_is_any(const struct address6 *a) {
        static const struct address6 none;

        return address6_is_ipv4(a) ? !address6_ipv4(a) : address6_equal(a, &none);
}

bool address6_equal(const struct address6 *a, const struct address6 *b) {
        return !memcmp(a->b, b->b, sizeof(a->b));
}

int address6_parse(const char *text, struct address6 *ret) {
        struct address6 a;

        if (inet_pton(AF_INET6, text, a.b) != 1 || address6_is_ipv4(&a))
                return -EINVAL;
        *ret = a;
        return 0;
}

int address_any_parse(const char *text, struct address6 *ret) {
        uint32_t address;

        if (address_parse(text, &address) < 0)
                return address6_parse(text, ret);
        *ret = address6_of_ipv4(address);
        return 0;
}

void address6_format(const struct address6 *a, char ret[ADDRESS6_TEXT]) {
        if (address6_is_ipv4(a))
                address_format(address6_ipv4(a), ret);
        else
                inet_ntop(AF_INET6, a->b, ret, ADDRESS6_TEXT);
}

void subnet6_format(const struct subnet6 *s, char ret[SUBNET6_TEXT]) {
        char address[ADDRESS6_TEXT];

        address6_format(&s->base, address);
        snprintf(ret, SUBNET6_TEXT, "%s/%u", address, (unsigned) (s->prefix & 127));
}

struct subnet6 subnet6_around(const struct address6 *a, uint8_t prefix) {
        struct subnet6 s = { .prefix = prefix };

        for (unsigned i = 0; i < 16 && i * 8 < prefix; i++)
                s.base.b[i] = a->b[i] & (uint8_t) (prefix >= (i + 1) * 8 ? 0xff : 0xff << (8 - prefix % 8));
        return s;
}

bool subnet6_contains(const struct subnet6 *s, const struct address6 *a) {
        struct subnet6 other = subnet6_around(a, s->prefix);

        return address6_equal(&other.base, &s->base);
}

bool subnet6_overlaps(const struct subnet6 *a, const struct subnet6 *b) {
        return subnet6_contains(a, &b->base) || subnet6_contains(b, &a->base);
}

int subnet6_parse(const char *text, struct subnet6 *ret) {
        const char *slash = strchr(text, '/');
        char address[ADDRESS6_TEXT + 8];
        struct subnet6 s, clean;
        uint64_t prefix;

        if (!slash || (size_t) (slash - text) >= sizeof(address))
                return -EINVAL;
        snprintf(address, sizeof(address), "%.*s", (int) (slash - text), text);
        if (address6_parse(address, &s.base) < 0 || str_to_u64(slash + 1, 0, 127, &prefix) < 0)
                return -EINVAL;
        clean = subnet6_around(&s.base, (uint8_t) prefix);
        if (!address6_equal(&clean.base, &s.base))
                return -EINVAL;
        *ret = clean;
        return 0;
}

struct address6 address6_at(const struct address6 *base, uint64_t offset) {
        struct address6 a = *base;

        for (int i = 15; i >= 0 && offset; i--) {
                offset += a.b[i];
                a.b[i] = (uint8_t) offset;
                offset >>= 8;
        }
        return a;
}

struct subnet6 subnet6_unique_local(const char *text) {
        struct subnet6 s = { .base.b = { 0xfd }, .prefix = 48 };
        uint64_t h = 0xcbf29ce484222325;

        for (; *text; text++)
                h = (h ^ (unsigned char) *text) * 0x100000001b3;
        h ^= h >> 29;
        for (unsigned i = 1; i < 6; i++, h >>= 8)
                s.base.b[i] = (uint8_t) h;
        return s;
}

/* --- who has which --- */

void address6_pool_done(struct address6_pool *p) {
        free(p->taken);
        *p = (struct address6_pool) { 0 };
}

/* The first that is not before. */
static size_t position(const struct address6_pool *p, const struct address6 *a) {
        size_t low = 0, high = p->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (memcmp(p->taken[middle].address.b, a->b, sizeof(a->b)) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* The first of a subnet is that of all its routers. */
static bool is_given_out(const struct address6_pool *p, const struct address6 *a) {
        return p->subnet.prefix && subnet6_contains(&p->subnet, a) && !address6_equal(a, &p->subnet.base) && !address6_equal(a, &p->gateway);
}

int address6_pool_claim(struct address6_pool *p, uint64_t owner, const struct address6 *a) {
        size_t at = position(p, a);

        if (!is_given_out(p, a))
                return -ERANGE;
        if (at < p->n && address6_equal(&p->taken[at].address, a))
                return p->taken[at].owner == owner ? 0 : -EEXIST;
        if (p->n == p->room) {
                size_t room = p->room ? p->room * 2 : 16;
                struct address6_owner *grown = reallocarray(p->taken, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                p->taken = grown;
                p->room = room;
        }
        memmove(&p->taken[at + 1], &p->taken[at], (p->n - at) * sizeof(*p->taken));
        p->taken[at] = (struct address6_owner) { *a, owner };
        p->n++;
        return 0;
}

int address6_pool_take(struct address6_pool *p, uint64_t owner, uint32_t wish, struct address6 *ret) {
        unsigned bits = 128u - p->range.prefix;
        uint64_t size = bits >= 32 ? UINT64_C(1) << 32 : UINT64_C(1) << bits, tries = p->n + 3;

        for (uint64_t i = 0; i < tries && i < size; i++) {
                struct address6 a = address6_at(&p->range.base, (wish + i) % size);
                size_t at = position(p, &a);
                int r;

                /* One's own, too: whoever asks anew has not got it yet. */
                if (!is_given_out(p, &a) || (at < p->n && address6_equal(&p->taken[at].address, &a)))
                        continue;
                r = address6_pool_claim(p, owner, &a);
                if (r == 0)
                        *ret = a;
                return r;
        }
        return -ENOSPC;
}

void address6_pool_release(struct address6_pool *p, uint64_t owner, const struct address6 *a) {
        size_t at = position(p, a);

        if (at >= p->n || !address6_equal(&p->taken[at].address, a) || p->taken[at].owner != owner)
                return;
        memmove(&p->taken[at], &p->taken[at + 1], (--p->n - at) * sizeof(*p->taken));
}
