/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dns/resolvers.h"
#include "dns/table.h"

enum { LEFT = 0x0a010001, RIGHT = 0x0a020001 };

static struct dns_network *add_network(struct dns_table *t, const char *id, uint32_t gateway) {
        struct dns_message m = { .address = gateway, .prefix = 24 };
        struct dns_network *n;

        snprintf(m.network, sizeof(m.network), "%s", id);
        snprintf(m.text, sizeof(m.text), "%s", id);
        assert_int_equal(dns_table_set_network(t, &m, &n), 0);
        return n;
}

static int add(struct dns_table *t, const char *network, const char *container, uint32_t address, const char *name) {
        struct dns_message m = { .address = address };
        int r;

        snprintf(m.network, sizeof(m.network), "%s", network);
        snprintf(m.container, sizeof(m.container), "%s", container);
        snprintf(m.text, sizeof(m.text), "%s", name);
        r = dns_table_set_endpoint(t, &m);
        return r < 0 ? r : dns_table_add_name(t, &m);
}

static size_t look(const struct dns_table *t, const struct dns_network *from, uint32_t asker, const char *name) {
        uint8_t wire[DNS_WIRE_NAME_MAX];
        const struct dns_endpoint *found[8];
        size_t size;

        assert_int_equal(dns_name_from_text(name, wire, &size), 0);
        return dns_table_lookup(t, from, dns_table_asker(t, from, asker), wire, size, found, 8);
}

static void test_visible(void **state) {
        struct dns_table t = { 0 };
        struct dns_network *left = add_network(&t, "left", LEFT), *right = add_network(&t, "right", RIGHT);

        assert_int_equal(add(&t, "left", "a", LEFT + 1, "service"), 0);
        assert_int_equal(add(&t, "left", "b", LEFT + 2, "Service"), 0);
        assert_int_equal(add(&t, "right", "c", RIGHT + 1, "other"), 0);
        assert_int_equal(add(&t, "left", "x", RIGHT + 9, "outside"), -EINVAL);
        assert_int_equal(add(&t, "none", "x", LEFT + 9, "x"), -ENOENT);
        assert_int_equal(look(&t, left, LEFT + 1, "SERVICE"), 2);
        assert_int_equal(look(&t, left, LEFT + 1, "service.left"), 2);
        assert_int_equal(look(&t, left, LEFT + 1, "service.right"), 0);
        assert_int_equal(look(&t, right, RIGHT + 1, "service"), 0);
        /* An address of the left one, asking on the right: it is nobody there. */
        assert_int_equal(look(&t, right, LEFT + 1, "service"), 0);
        /* On both. */
        assert_int_equal(add(&t, "right", "a", RIGHT + 2, "service"), 0);
        assert_int_equal(look(&t, right, RIGHT + 2, "service"), 3);
        assert_int_equal(look(&t, right, RIGHT + 1, "service"), 1);
        /* Said anew: in place of it. */
        assert_int_equal(add(&t, "left", "b", LEFT + 2, "renamed"), 0);
        assert_int_equal(look(&t, left, LEFT + 9, "service"), 1);
        dns_table_drop_network(&t, "left");
        assert_int_equal(t.n_endpoints, 2);
        dns_table_done(&t);
        assert_int_equal(t.n_endpoints, 0);
}

/* A network without a bridge has hosts that are no containers, and others know them. */
static void test_no_bridge(void **state) {
        struct dns_table t = { 0 };
        struct dns_network *left = add_network(&t, "left", LEFT), *right = add_network(&t, "right", RIGHT);
        const struct dns_endpoint *asker;
        bool ours;

        right->index = DNS_NO_BRIDGE;
        left->internal = true;
        assert_null(dns_table_home(&t, "a"));
        assert_int_equal(add(&t, "left", "a", LEFT + 1, "a"), 0);
        assert_ptr_equal(dns_table_home(&t, "a")->network, left);
        assert_int_equal(add(&t, "right", "a", RIGHT + 1, "a"), 0);
        assert_ptr_equal(dns_table_home(&t, "a")->network, right);
        asker = dns_table_home(&t, "a");
        assert_null(dns_table_owner(&t, left, asker, LEFT + 9, &ours));
        assert_true(ours);
        assert_null(dns_table_owner(&t, left, asker, RIGHT + 9, &ours));
        assert_false(ours);
        assert_ptr_equal(dns_table_owner(&t, left, asker, RIGHT + 1, &ours), asker);
        assert_true(ours);
        dns_table_done(&t);
}

static void test_said_again(void **state) {
        struct dns_table t = { 0 };

        add_network(&t, "left", LEFT);
        add_network(&t, "right", RIGHT);
        add(&t, "left", "a", LEFT + 1, "a");
        add(&t, "left", "b", LEFT + 2, "b");
        add(&t, "right", "c", RIGHT + 1, "c");
        dns_table_begin(&t);
        add_network(&t, "left", LEFT);
        add(&t, "left", "b", LEFT + 2, "b");
        dns_table_end(&t);
        assert_int_equal(t.n_networks, 1);
        assert_int_equal(t.n_endpoints, 1);
        assert_int_equal(look(&t, t.networks, LEFT + 2, "b"), 1);
        assert_int_equal(look(&t, t.networks, LEFT + 2, "a"), 0);
        dns_table_done(&t);
}

static void test_names(void **state) {
        uint8_t wire[DNS_WIRE_NAME_MAX];
        char text[300];
        size_t size;

        assert_int_equal(dns_name_from_text("A.b", wire, &size), 0);
        assert_int_equal(size, 5);
        assert_memory_equal(wire, "\1a\1b", 5);
        assert_int_equal(dns_name_from_text("", wire, &size), -EINVAL);
        assert_int_equal(dns_name_from_text("a..b", wire, &size), -EINVAL);
        memset(text, 'x', sizeof(text));
        text[63] = '\0';
        assert_int_equal(dns_name_from_text(text, wire, &size), 0);
        text[63] = 'x';
        text[64] = '\0';
        assert_int_equal(dns_name_from_text(text, wire, &size), -EINVAL);
        text[64] = 'x';
        for (size_t i = 1; i < sizeof(text); i += 2)
                text[i] = '.';
        text[255] = '\0';
        assert_int_equal(dns_name_from_text(text, wire, &size), -EINVAL);
}

static void test_resolvers(void **state) {
        struct resolvers r;

        resolvers_read("# nameserver 192.0.2.9\nsearch x\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # two\nnameserver nonsense\nnameserverx 192.0.2.2\nnameserver 192.0.2.3", &r);
        assert_int_equal(r.n, 3);
        assert_int_equal(ntohl(r.v[0].v4.sin_addr.s_addr), 0xc0000201);
        assert_int_equal(r.v[1].any.sa_family, AF_INET6);
        assert_int_equal(ntohs(r.v[2].v4.sin_port), 53);
        resolvers_read("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\nnameserver 1.1.1.5\nnameserver 1.1.1.6\nnameserver 1.1.1.7\n", &r);
        assert_int_equal(r.n, RESOLVERS_MAX);
        resolvers_read("", &r);
        assert_int_equal(r.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_visible),
                cmocka_unit_test(test_no_bridge),
                cmocka_unit_test(test_said_again),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_resolvers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
