/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "network/addresses.h"
#include "network/addresses6.h"

static struct subnet subnet(const char *text) {
        struct subnet s;

        assert_int_equal(subnet_parse(text, &s), 0);
        return s;
}

static void subnets_are_parsed_strictly(void **state) {
        static const char *const bad[] = { "", "/", "172.30.0.0", "172.30.0.0/", "172.30.0.0/33", "172.30.0.0/-1", "172.30.0.0/ 16", "172.30.0.1/16",
                "172.30.0/16", "0172.30.0.0/16", "172.30.0.0/16 ", " 172.30.0.0/16", "172.30.0.0/16/16", "256.0.0.0/8", "fd00::/8",
                "11111111111111111111111111111111/8", NULL };
        struct subnet s = { 1, 2 };
        char text[SUBNET_TEXT];

        (void) state;
        for (int i = 0; bad[i]; i++)
                assert_int_equal(subnet_parse(bad[i], &s), -EINVAL);
        assert_int_equal(s.base, 1);
        assert_int_equal(subnet_parse("0.0.0.0/0", &s), 0);
        assert_int_equal(subnet_parse("255.255.255.255/32", &s), 0);
        subnet_format(&s, text);
        assert_string_equal(text, "255.255.255.255/32");
        s = subnet("172.30.0.0/16");
        assert_int_equal(s.base, 0xac1e0000);
        assert_int_equal(s.prefix, 16);
}

static void overlaps(void **state) {
        static const struct { const char *a, *b; bool overlap; } cases[] = {
                { "10.0.0.0/8", "10.201.0.0/16", true },
                { "10.201.0.0/16", "10.0.0.0/8", true },
                { "172.30.0.0/16", "172.31.0.0/16", false },
                { "172.30.0.0/15", "172.31.0.0/16", true },
                { "192.168.240.0/20", "192.168.255.255/32", true },
                { "192.168.240.0/20", "192.168.239.255/32", false },
        };

        (void) state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                struct subnet a = subnet(cases[i].a), b = subnet(cases[i].b);

                assert_int_equal(subnet_overlaps(&a, &b), cases[i].overlap);
        }
}

static void addresses_go_round(void **state) {
        struct subnet s = subnet("10.1.2.0/29");
        struct address_pool p;
        uint32_t a, seen[5];

        (void) state;
        assert_int_equal(address_pool_init(&p, &s, s.base + 1), 0);
        for (uint32_t i = 0; i < 5; i++) {
                assert_int_equal(address_pool_take(&p, i + 1, &seen[i]), 0);
                assert_int_equal(seen[i], s.base + 2 + i); /* not the net's, not the gateway's, not the broadcast address */
        }
        assert_int_equal(address_pool_take(&p, 9, &a), -ENOSPC);
        address_pool_release(&p, 77, seen[2]); /* not the owner */
        assert_int_equal(address_pool_take(&p, 9, &a), -ENOSPC);
        address_pool_release(&p, 3, seen[2]);
        address_pool_release(&p, 1, seen[0]);
        assert_int_equal(address_pool_take(&p, 9, &a), 0);
        assert_int_equal(a, seen[0]); /* the last given was the last there is */
        address_pool_release(&p, 9, a);
        assert_int_equal(address_pool_take(&p, 10, &a), 0);
        assert_int_equal(a, seen[2]); /* not the one that just became free */
        address_pool_done(&p);
}

static void claims(void **state) {
        struct subnet s = subnet("10.1.2.0/24");
        struct address_pool p;
        uint32_t a;

        (void) state;
        assert_int_equal(address_pool_init(&p, &s, s.base + 1), 0);
        assert_int_equal(address_pool_claim(&p, 1, s.base + 7), 0);
        assert_int_equal(address_pool_claim(&p, 1, s.base + 7), 0);
        assert_int_equal(address_pool_claim(&p, 2, s.base + 7), -EEXIST);
        assert_int_equal(address_pool_claim(&p, 2, s.base), -ERANGE);
        assert_int_equal(address_pool_claim(&p, 2, s.base + 1), -ERANGE);
        assert_int_equal(address_pool_claim(&p, 2, s.base + 255), -ERANGE);
        assert_int_equal(address_pool_claim(&p, 2, s.base + 256), -ERANGE);
        assert_int_equal(address_pool_claim(&p, 2, s.base - 1), -ERANGE);
        assert_int_equal(address_pool_take(&p, 3, &a), 0);
        assert_int_equal(a, s.base + 8);
        address_pool_release(&p, 3, s.base - 1);
        address_pool_done(&p);
}

static void a_range_is_kept_to(void **state) {
        struct subnet s = subnet("10.5.0.0/16"), part = subnet("10.5.1.4/30"), other = subnet("10.6.0.0/24");
        struct address_pool p;
        uint32_t a;

        (void) state;
        assert_int_equal(address_pool_init(&p, &s, s.base + 1), 0);
        assert_int_equal(address_pool_restrict(&p, &other), -ERANGE);
        assert_int_equal(address_pool_restrict(&p, &part), 0);
        assert_int_equal(address_pool_claim(&p, ADDRESS_RESERVED, part.base + 1), 0);
        for (uint32_t want = 0; want < 4; want++) {
                if (want == 1)
                        continue;
                assert_int_equal(address_pool_take(&p, 7, &a), 0);
                assert_int_equal(a, part.base + want);
        }
        assert_int_equal(address_pool_take(&p, 7, &a), -ENOSPC);
        assert_int_equal(address_pool_claim(&p, 8, s.base + 9), 0); /* by name: anywhere in the subnet */
        assert_int_equal(p.n_taken, 4);
        address_pool_release(&p, 8, s.base + 9);
        assert_int_equal(p.n_taken, 3);
        address_pool_done(&p);
}

static void macs_are_parsed_strictly(void **state) {
        static const char *const bad[] = { "", "02:42:ac:1e:00", "02:42:ac:1e:00:0g", "02:42:ac:1e:00:02 ", "03:42:ac:1e:00:02", "00:00:00:00:00:00", "02.42.ac.1e.00.02", "0242ac1e0002" };
        uint8_t mac[6];
        char text[18];

        (void) state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_int_equal(mac_parse(bad[i], mac), -EINVAL);
        assert_int_equal(mac_parse("02:42:AC-1e:00:02", mac), 0);
        mac_format(mac, text);
        assert_string_equal(text, "02:42:ac:1e:00:02");
}

static void sizes_have_limits(void **state) {
        struct subnet s = subnet("10.0.0.0/7"), t = subnet("10.0.0.0/31");
        struct address_pool p;

        (void) state;
        assert_int_equal(address_pool_init(&p, &s, s.base + 1), -ERANGE);
        assert_int_equal(address_pool_init(&p, &t, t.base + 1), -ERANGE);
}

static void macs_follow_the_address(void **state) {
        static const uint8_t want[6] = { 0x02, 0x42, 0xac, 0x1e, 0x00, 0x02 };
        uint8_t mac[6];

        (void) state;
        address_mac(0xac1e0002, mac);
        assert_memory_equal(mac, want, 6);
}

static struct subnet6 subnet6(const char *text) {
        struct subnet6 s;

        assert_int_equal(subnet6_parse(text, &s), 0);
        return s;
}

static struct address6 address6(const char *text) {
        struct address6 a;

        assert_int_equal(address6_parse(text, &a), 0);
        return a;
}

static void subnets6_are_parsed_strictly(void **state) {
        static const char *const bad[] = { "", "/", "fd00::", "fd00::/", "fd00::/128", "fd00::1/64", "fd00::/64 ", "10.0.0.0/8", "::ffff:10.0.0.0/104", "fd00:0:0:1::/63",
                "fd00:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/64", NULL };
        struct subnet6 s = subnet6("fd00:5:0:8::/61");
        struct address6 a;
        char text[SUBNET6_TEXT];

        (void) state;
        for (int i = 0; bad[i]; i++)
                assert_int_equal(subnet6_parse(bad[i], &s), -EINVAL);
        subnet6_format(&s, text);
        assert_string_equal(text, "fd00:5:0:8::/61");
        a = address6("fd00:5:0:f::9");
        assert_true(subnet6_contains(&s, &a));
        a = address6("fd00:5:0:10::9");
        assert_false(subnet6_contains(&s, &a));
        a = address6_of_ipv4(0x0a000001);
        address6_format(&a, text);
        assert_string_equal(text, "10.0.0.1");
        assert_true(address6_is_ipv4(&a) && address6_ipv4(&a) == 0x0a000001);
        s = subnet6_unique_local("a host");
        assert_int_equal(s.base.b[0], 0xfd);
        assert_int_equal(s.prefix, 48);
}

static void addresses6_follow_those_of_ipv4(void **state) {
        struct address6_pool p = { .subnet = subnet6("fd00:5::/64"), .gateway = address6("fd00:5::1") };
        struct address6 a, b = address6("fd00:5::3"), outside = address6("fd00:6::3");

        (void) state;
        p.range = p.subnet;
        assert_int_equal(address6_pool_take(&p, 7, 2, &a), 0);
        assert_true(address6_equal(&a, &(struct address6) { .b = { 0xfd, 0, 0, 5, [15] = 2 } }));
        assert_int_equal(address6_pool_claim(&p, 8, &a), -EEXIST);
        assert_int_equal(address6_pool_claim(&p, 7, &a), 0);
        assert_int_equal(address6_pool_claim(&p, 8, &b), 0);
        /* That one and the next are taken. */
        assert_int_equal(address6_pool_take(&p, 9, 2, &a), 0);
        assert_int_equal(a.b[15], 4);
        assert_int_equal(address6_pool_claim(&p, 9, &outside), -ERANGE);
        assert_int_equal(address6_pool_claim(&p, 9, &p.gateway), -ERANGE);
        assert_int_equal(address6_pool_claim(&p, 9, &p.subnet.base), -ERANGE);
        address6_pool_release(&p, 9, &b); /* another's */
        assert_int_equal(address6_pool_claim(&p, 9, &b), -EEXIST);
        address6_pool_release(&p, 8, &b);
        assert_int_equal(address6_pool_claim(&p, 9, &b), 0);
        address6_pool_done(&p);
}

static void a_small_subnet6_runs_out(void **state) {
        struct address6_pool p = { .subnet = subnet6("fd00:5::/124"), .gateway = address6("fd00:5::1") };
        struct address6 a;
        unsigned seen = 0;

        (void) state;
        p.range = p.subnet;
        for (unsigned i = 0; i < 14; i++) {
                assert_int_equal(address6_pool_take(&p, i + 1, i * 3, &a), 0);
                assert_false(seen & 1u << a.b[15]);
                seen |= 1u << a.b[15];
        }
        assert_int_equal(address6_pool_take(&p, 99, 0, &a), -ENOSPC);
        assert_int_equal(seen, 0xfffc); /* not the first, nor the gateway */
        address6_pool_done(&p);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(subnets_are_parsed_strictly),
                cmocka_unit_test(overlaps),
                cmocka_unit_test(addresses_go_round),
                cmocka_unit_test(claims),
                cmocka_unit_test(a_range_is_kept_to),
                cmocka_unit_test(macs_are_parsed_strictly),
                cmocka_unit_test(sizes_have_limits),
                cmocka_unit_test(macs_follow_the_address),
                cmocka_unit_test(subnets6_are_parsed_strictly),
                cmocka_unit_test(addresses6_follow_those_of_ipv4),
                cmocka_unit_test(a_small_subnet6_runs_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
