/* SPDX-License-Identifier: Apache-2.0 */

/* linux.netDevices. This program lives in a network namespace of its own, so the host's devices are not touched. */

#include <net/if.h>

#include "container.h"

static void run(const char *command) {
        if (system(command) != 0)
                fail_msg("%s", command);
}

static json_t *device(const char *name, const char *new_name) {
        return json_pack("{s:{s:s*}}", name, "name", new_name);
}

#define SHOW "busybox ip addr show dev cont0; busybox ip -o link; exit 0"

static void device_moves_with_its_addresses(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;

                char name[16], line[512];

                snprintf(name, sizeof(name), "kst-mode%d", (int) mode); /* the end of a namespace takes its time */
                snprintf(line, sizeof(line),
                         "D=%s; ip link add $D address 02:00:00:00:00:07 mtu 1300 type veth peer kst-peer%d && ip addr add 192.0.2.7/24 brd + dev $D &&"
                         "ip addr add 192.0.2.8 peer 192.0.2.9 dev $D && ip -6 addr add 2001:db8::7/64 nodad dev $D",
                         name, (int) mode);
                run(line);
                container_init(&c, mode, SHOW);
                container_set(&c, "linux", "netDevices", device(name, "cont0"));
                assert_int_equal(container_run(&c), 0);
                assert_true(says(&c, "UP"));
                assert_true(says(&c, "mtu 1300"));
                assert_true(says(&c, "02:00:00:00:00:07"));
                assert_true(says(&c, "inet 192.0.2.7/24 "));
                assert_true(says(&c, "inet 192.0.2.8 peer 192.0.2.9/32"));
                assert_true(says(&c, "inet6 2001:db8::7/64"));
                assert_int_equal(if_nametoindex(name), 0);
                container_done(&c);
        }
}

/* Several, one of which keeps its name. */
static void devices_keep_their_names_unless_asked(void **state) {
        struct container c;

        run("ip link add kst-dev1 type veth peer kst-dev2");
        container_init(&c, USERNS_BY_MAP, "ls /sys/class/net");
        container_set(&c, "linux", "netDevices", json_pack("{s:{}, s:{s:s}}", "kst-dev1", "kst-dev2", "name", "cont2"));
        assert_int_equal(container_run(&c), 0);
        assert_true(says(&c, "cont2"));
        assert_true(says(&c, "kst-dev1"));
        container_done(&c);
}

static void missing_device_is_named(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "true");
        container_set(&c, "linux", "netDevices", device("kst-none", NULL));
        assert_true(container_start(&c) < 0);
        assert_non_null(strstr(c.err.msg, "linux.netDevices.kst-none: no such network device"));
        container_done(&c);
}

/* The name is taken: the device stays where it is. */
static void taken_name_is_refused(void **state) {
        struct container c;

        run("ip link add kst-dev3 type veth peer kst-peer3");
        container_init(&c, USERNS_BY_MAP, "true");
        container_set(&c, "linux", "netDevices", device("kst-dev3", "lo"));
        assert_true(container_start(&c) < 0);
        assert_non_null(strstr(c.err.msg, "linux.netDevices.kst-dev3: lo: File exists"));
        assert_int_not_equal(if_nametoindex("kst-dev3"), 0);
        run("ip link del kst-dev3");
        container_done(&c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(device_moves_with_its_addresses),
                cmocka_unit_test(devices_keep_their_names_unless_asked),
                cmocka_unit_test(missing_device_is_named),
                cmocka_unit_test(taken_name_is_refused),
        };

        if (geteuid() != 0 || (access("/bin/busybox", X_OK) != 0 && access("/usr/bin/busybox", X_OK) != 0)) {
                print_message("1..0 # SKIP needs root and busybox-static\n");
                return 0;
        }
        if (unshare(CLONE_NEWNET) < 0 || system("ip link add kst-probe type veth peer kst-peer && ip link del kst-probe") != 0) {
                print_message("1..0 # SKIP needs veth devices and ip\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, remove_what_is_left);
}
