/* SPDX-License-Identifier: Apache-2.0 */

/* The "host" of these tests is a network namespace of their own, so is the "outside world": nothing of the real host is touched. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "network/network.h"

#define BRIDGE "kisttest0"
enum { PORT = 4711 };

static struct err err;
static int host_netns, outside_netns;

static void sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *format, ...) {
        char command[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(command, sizeof(command), format, ap);
        va_end(ap);
        if (system(command) != 0)
                fail_msg("%s", command);
}

/* What a command prints, in a network namespace. */
static char *output_in(int netns, const char *command) {
        static char text[8192];
        size_t n;
        FILE *f;

        assert_int_equal(setns(netns, CLONE_NEWNET), 0);
        f = popen(command, "re");
        n = fread(text, 1, sizeof(text) - 1, f);
        pclose(f);
        assert_int_equal(setns(host_netns, CLONE_NEWNET), 0);
        text[n] = '\0';
        return text;
}

/* A network namespace, owned by a user namespace of its own when asked; loopback up as the real ones have it. */
static int make_netns(bool with_userns) {
        int up[2], down[2], fd;
        char path[64], c;
        pid_t pid;

        assert_int_equal(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                c = unshare(CLONE_NEWNET | (with_userns ? CLONE_NEWUSER : 0)) == 0;
                _exit(write(up[1], &c, 1) != 1 || read(down[0], &c, 1) != 1);
        }
        assert_int_equal(read(up[0], &c, 1), 1);
        assert_int_equal(c, 1);
        snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(down[1], "x", 1), 1);
        waitpid(pid, NULL, 0);
        close(up[0]), close(up[1]), close(down[0]), close(down[1]);
        return fd;
}

static int socket_in(int netns) {
        int fd;

        assert_int_equal(setns(netns, CLONE_NEWNET), 0);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(setns(host_netns, CLONE_NEWNET), 0);
        return fd;
}

static int listen_in(int netns) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
        int fd = socket_in(netns);

        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

/* Can a TCP connection be made? *ret_peer: who the listener thinks that it is. */
static bool reaches(int from_netns, const char *to, int listener, int wait_ms, char ret_peer[INET_ADDRSTRLEN]) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) }, peer = { 0 };
        auto_fd fd = socket_in(from_netns), accepted = -EBADF;
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        socklen_t size = sizeof(peer);
        int error = 0;

        assert_int_equal(inet_pton(AF_INET, to, &a.sin_addr), 1);
        if (connect(fd, (struct sockaddr *) &a, sizeof(a)) < 0 && errno != EINPROGRESS)
                return false;
        if (poll(&p, 1, wait_ms) != 1)
                return false;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t) { sizeof(error) });
        if (error != 0)
                return false;
        p = (struct pollfd) { .fd = listener, .events = POLLIN };
        assert_int_equal(poll(&p, 1, 1000), 1);
        accepted = accept(listener, (struct sockaddr *) &peer, &size);
        assert_true(accepted >= 0);
        if (ret_peer)
                inet_ntop(AF_INET, &peer.sin_addr, ret_peer, INET_ADDRSTRLEN);
        return true;
}

static struct network_host *open_host(const char *pool) {
        struct network_options o = { .bridge = BRIDGE, .pools = &pool, .n_pools = pool ? 1 : 0, .nat = true };
        struct network_host *h = NULL;

        assert_int_equal(network_host_open(&o, &h, &err), 0);
        return h;
}

static const char *id_of(int n) {
        static char ids[8][65];
        static int next;
        char *id = ids[next++ % 8];

        snprintf(id, 65, "%08x%056d", (unsigned) n * 2654435761u, n);
        return id;
}

/* Deletion of links is in the background. */
static bool link_goes(int netns, const char *name) {
        char command[64];

        snprintf(command, sizeof(command), "ip -o link show %s 2>/dev/null", name);
        for (int i = 0; i < 300; i++) {
                if (*output_in(netns, command) == '\0')
                        return true;
                usleep(10000);
        }
        return false;
}

static int connect_to(struct network_host *h, const char *id, int netns, struct network_endpoint *e) {
        struct network_attachment a = { .bridge = BRIDGE, .id = id, .link = "eth0", .gateway = true };

        return network_connect(h, &a, netns, e, &err);
}

static void connected(struct network_host *h, int n, int netns, struct network_endpoint *e) {
        if (connect_to(h, id_of(n), netns, e) < 0)
                fail_msg("%s", err.msg);
}

static int setup(void **state) {
        int r = unshare(CLONE_NEWNET);

        (void) state;
        assert_int_equal(r, 0);
        host_netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        outside_netns = make_netns(false);
        sh("ip link set lo up");
        sh("ip link add out0 mtu 1450 type veth peer name out1 netns /proc/%d/fd/%d", getpid(), outside_netns);
        sh("ip addr add 203.0.113.1/24 dev out0 && ip link set out0 up && ip route add default via 203.0.113.2");
        output_in(outside_netns, "ip addr add 203.0.113.2/24 dev out1; ip link set out1 up; ip link set lo up");
        return 0;
}

static int teardown(void **state) {
        (void) state;
        close(host_netns);
        close(outside_netns);
        return 0;
}

static void a_container_gets_an_address_and_a_way_out(void **state) {
        struct network_host *h = open_host(NULL);
        auto_fd netns = make_netns(true), listener = listen_in(outside_netns);
        char peer[INET_ADDRSTRLEN] = "", *text;
        struct network_addresses addresses;
        struct network_endpoint e;
        struct timespec t[2];

        (void) state;
        connected(h, 1, netns, &e);
        assert_string_equal(e.address, "172.30.0.2");
        assert_string_equal(e.gateway, "172.30.0.1");
        assert_string_equal(e.mac, "02:42:ac:1e:00:02");
        assert_string_equal(e.bridge, BRIDGE);
        assert_int_equal(e.prefix, 16);
        assert_int_equal(network_describe(h, &addresses, &err), 0);
        assert_string_equal(addresses.subnet, "172.30.0.0/16");
        text = output_in(netns, "ip -o addr show dev eth0; ip link show eth0; ip route");
        assert_non_null(strstr(text, "inet 172.30.0.2/16"));
        assert_null(strstr(text, "inet6"));
        assert_non_null(strstr(text, "mtu 1450"));
        assert_non_null(strstr(text, "02:42:ac:1e:00:02"));
        assert_non_null(strstr(text, "default via 172.30.0.1 dev eth0"));
        clock_gettime(CLOCK_MONOTONIC, &t[0]);
        assert_true(reaches(netns, "203.0.113.2", listener, 3000, peer));
        clock_gettime(CLOCK_MONOTONIC, &t[1]);
        assert_string_equal(peer, "203.0.113.1"); /* masqueraded */
        print_message("# first connection to the outside after %.1f ms\n",
                (double) (t[1].tv_sec - t[0].tv_sec) * 1e3 + (double) (t[1].tv_nsec - t[0].tv_nsec) / 1e6);
        assert_int_equal(network_disconnect(h, id_of(1), &e, -1, &err), 0);
        assert_null(strstr(output_in(host_netns, "ip -o link show master " BRIDGE), "kv")); /* it is off the bridge at once */
        assert_true(link_goes(netns, "eth0"));
        assert_int_equal(network_disconnect(h, id_of(1), &e, -1, &err), 0);
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
}

static void nobody_outside_reaches_what_is_not_published(void **state) {
        struct network_host *h = open_host(NULL);
        auto_fd one = make_netns(true), two = make_netns(true), listener = -EBADF;
        struct network_endpoint a, b;
        char peer[INET_ADDRSTRLEN];

        (void) state;
        connected(h, 1, one, &a);
        connected(h, 2, two, &b);
        listener = listen_in(one);
        output_in(outside_netns, "ip route add 172.30.0.0/16 via 203.0.113.1");
        assert_false(reaches(outside_netns, a.address, listener, 300, NULL));
        /* That it was the table: without it they do. */
        sh("nft delete table inet kist-" BRIDGE);
        assert_true(reaches(outside_netns, a.address, listener, 3000, peer));
        /* The host and the neighbours do, under their own names. */
        struct network_host *again = open_host(NULL);
        assert_int_equal(network_claim(again, id_of(1), &a, &err), 0); /* puts the table back */
        assert_false(reaches(outside_netns, a.address, listener, 300, NULL));
        assert_true(reaches(host_netns, a.address, listener, 3000, peer));
        assert_string_equal(peer, a.gateway);
        assert_true(reaches(two, a.address, listener, 3000, peer));
        assert_string_equal(peer, b.address);
        assert_int_equal(network_host_destroy(again, &err), 0);
        network_host_free(again);
        network_host_free(h);
}

enum { ENOUGH = 3, PATIENT = 50 };

/* Does one of `n` datagrams from `source`, a tenth of a second between them, arrive outside? */
static bool arrives(int from_netns, const char *source, int n) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
        auto_fd to = -EBADF, from = -EBADF;
        struct pollfd p = { .events = POLLIN };

        assert_int_equal(setns(outside_netns, CLONE_NEWNET), 0);
        to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(setns(from_netns, CLONE_NEWNET), 0);
        from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(setns(host_netns, CLONE_NEWNET), 0);
        assert_int_equal(bind(to, (struct sockaddr *) &a, sizeof(a)), 0);
        a.sin_port = 0;
        assert_int_equal(inet_pton(AF_INET, source, &a.sin_addr), 1);
        assert_int_equal(bind(from, (struct sockaddr *) &a, sizeof(a)), 0);
        a.sin_port = htons(PORT);
        assert_int_equal(inet_pton(AF_INET, "203.0.113.2", &a.sin_addr), 1);
        p.fd = to;
        for (int i = 0; i < n; i++) {
                assert_int_equal(sendto(from, "x", 1, 0, (struct sockaddr *) &a, sizeof(a)), 1);
                if (poll(&p, 1, 100) == 1)
                        return true;
        }
        return false;
}

static void a_container_cannot_send_in_anothers_name(void **state) {
        struct network_host *h = open_host(NULL);
        auto_fd netns = make_netns(true);
        struct network_endpoint e;

        (void) state;
        connected(h, 1, netns, &e);
        output_in(netns, "ip addr add 198.51.100.7/32 dev eth0");
        assert_true(arrives(netns, e.address, PATIENT));
        assert_false(arrives(netns, "198.51.100.7", ENOUGH));
        sh("nft flush chain inet kist-" BRIDGE " forward");
        assert_true(arrives(netns, "198.51.100.7", PATIENT)); /* so it was the table */
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
}

static void there_is_no_ipv6(void **state) {
        struct network_host *h = open_host(NULL);
        auto_fd netns = make_netns(true);
        struct network_endpoint e;

        (void) state;
        connected(h, 1, netns, &e);
        assert_string_equal(output_in(netns, "cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6 /proc/sys/net/ipv6/conf/eth0/accept_ra"), "1\n0\n");
        assert_string_equal(output_in(host_netns, "ip -6 -o addr show dev " BRIDGE), "");
        assert_string_equal(output_in(host_netns, "ip -6 -o addr | grep kv"), "");
        assert_string_equal(output_in(host_netns, "cat /proc/sys/net/ipv6/conf/" BRIDGE "/disable_ipv6"), "1\n");
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
}

static void a_daemon_that_starts_again_finds_all(void **state) {
        struct network_host *h = open_host("192.168.77.0/24"), *again;
        auto_fd one = make_netns(true), two = make_netns(true);
        struct network_endpoint a, b, bad;
        struct network_addresses addresses;

        (void) state;
        connected(h, 1, one, &a);
        network_host_free(h);
        again = open_host("10.55.0.0/16"); /* other options: what is there stays */
        assert_int_equal(network_describe(again, &addresses, &err), 0);
        assert_string_equal(addresses.subnet, "192.168.77.0/24");
        assert_string_equal(addresses.gateway, "192.168.77.1");
        assert_int_equal(network_claim(again, id_of(1), &a, &err), 0);
        assert_int_equal(network_claim(again, id_of(2), &a, &err), -EEXIST);
        assert_int_equal(err.kind, ERR_CONFLICT);
        bad = a;
        strcpy(bad.address, "10.55.0.2");
        assert_int_equal(network_claim(again, id_of(3), &bad, &err), -ERANGE);
        connected(again, 2, two, &b);
        assert_string_equal(b.address, "192.168.77.3");
        assert_int_equal(network_disconnect(again, id_of(1), &a, -1, &err), 0);
        assert_int_equal(network_host_destroy(again, &err), 0);
        network_host_free(again);
}

static void pools_that_collide_are_passed_over(void **state) {
        static const char *const pools[] = { "203.0.0.0/16", "10.8.0.0/16", "10.9.0.0/16" };
        struct network_options o = { .bridge = BRIDGE, .pools = pools, .n_pools = 3 };
        struct network_addresses addresses;
        struct network_host *h = NULL;

        (void) state;
        sh("ip route add 10.8.128.0/24 via 203.0.113.2");
        assert_int_equal(network_host_open(&o, &h, &err), 0);
        assert_int_equal(network_describe(h, &addresses, &err), 0);
        assert_string_equal(addresses.subnet, "10.9.0.0/16");
        assert_string_equal(output_in(host_netns, "nft list set inet kist-" BRIDGE " translated | grep elements"), "");
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
        o.n_pools = 2;
        assert_int_equal(network_host_open(&o, &h, &err), 0);
        assert_int_equal(network_describe(h, &addresses, &err), -EADDRINUSE);
        assert_int_equal(err.kind, ERR_CONFLICT);
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
        sh("ip route del 10.8.128.0/24");
}

static void what_fails_leaves_nothing(void **state) {
        struct network_host *h = open_host("10.77.0.0/29");
        struct network_endpoint e, first;
        auto_fd taken = make_netns(true);

        (void) state;
        output_in(taken, "ip link add eth0 type bridge");
        for (int i = 0; i < 20; i++) {
                assert_true(connect_to(h, id_of(i), taken, &e) < 0);
                assert_int_equal(err.kind, ERR_CONFLICT);
        }
        assert_string_equal(output_in(host_netns, "ip -o link | grep -E 'kv|kd'"), "");
        assert_int_equal(connect_to(h, id_of(1), -1, &e), -EBADF);
        assert_int_equal(connect_to(h, "../../x", taken, &e), -EINVAL);
        for (int i = 0; i < 5; i++) {
                auto_fd netns = make_netns(false);

                connected(h, 100 + i, netns, i == 0 ? &first : &e);
                /* Keep the namespaces: the links would go with them, not the addresses. */
        }
        auto_fd more = make_netns(true);
        assert_int_equal(connect_to(h, id_of(200), more, &e), -ENOSPC);
        assert_int_equal(err.kind, ERR_NO_SPACE);
        assert_int_equal(network_disconnect(h, id_of(100), &first, -1, &err), 0);
        connected(h, 200, more, &e);
        assert_string_equal(e.address, first.address);
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
}

static void others_tables_and_links_stay(void **state) {
        struct network_host *h = open_host(NULL), *other = NULL;
        struct network_options o = { .bridge = "kisttest1", .nat = true };
        auto_fd netns = make_netns(true);
        struct network_addresses addresses;
        struct network_endpoint e;

        (void) state;
        sh("nft add table inet somebody");
        connected(h, 1, netns, &e);
        assert_int_equal(network_host_open(&o, &other, &err), 0);
        assert_int_equal(network_describe(other, &addresses, &err), 0);
        assert_string_equal(addresses.subnet, "172.31.0.0/16"); /* the first bridge has the first */
        assert_int_equal(network_host_destroy(h, &err), 0);
        assert_string_equal(output_in(host_netns, "nft list tables"), "table inet somebody\ntable inet kist-kisttest1\n");
        assert_int_equal(network_host_destroy(other, &err), 0);
        sh("nft delete table inet somebody");
        sh("ip link add " BRIDGE " type veth peer name kisttest9");
        assert_int_equal(network_describe(h, &addresses, &err), -EEXIST);
        assert_int_equal(network_host_destroy(h, &err), 0);
        sh("ip link del " BRIDGE);
        network_host_free(h);
        network_host_free(other);
}

static void a_flushed_table_is_put_back(void **state) {
        static const char *const ways[] = { "nft flush ruleset", "nft flush table inet kist-" BRIDGE,
                "nft flush chain inet kist-" BRIDGE " postrouting", "nft delete table inet kist-" BRIDGE, NULL };
        struct network_host *h = open_host(NULL);
        struct network_addresses addresses;
        char *whole = NULL, *handles;

        (void) state;
        for (int i = 0; ways[i]; i++) {
                assert_int_equal(network_describe(h, &addresses, &err), 0);
                if (!whole)
                        whole = strdup(output_in(host_netns, "nft list ruleset"));
                assert_non_null(strstr(whole, "masquerade"));
                sh("%s", ways[i]);
                assert_string_not_equal(output_in(host_netns, "nft list ruleset"), whole);
                assert_int_equal(network_describe(h, &addresses, &err), 0);
                assert_string_equal(output_in(host_netns, "nft list ruleset"), whole);
        }
        /* And left alone when it is whole: the same rules, not new ones. */
        handles = strdup(output_in(host_netns, "nft -a list ruleset"));
        assert_int_equal(network_describe(h, &addresses, &err), 0);
        assert_string_equal(output_in(host_netns, "nft -a list ruleset"), handles);
        free(handles);
        free(whole);
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
}

static void a_bridge_that_was_deleted_is_made_again(void **state) {
        struct network_host *h = open_host("10.66.0.0/16");
        auto_fd one = make_netns(true), two = make_netns(true), listener = -EBADF;
        struct network_endpoint a, b;

        (void) state;
        connected(h, 1, one, &a);
        sh("ip link del " BRIDGE);
        connected(h, 2, two, &b);
        assert_string_equal(b.gateway, a.gateway);
        assert_string_not_equal(b.address, a.address);
        listener = listen_in(two);
        assert_true(reaches(host_netns, b.address, listener, 3000, NULL));
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
}

static void an_old_link_of_the_same_container_gives_way(void **state) {
        struct network_host *h = open_host(NULL);
        auto_fd old = make_netns(true), new = make_netns(true);
        struct network_endpoint a, b;

        (void) state;
        connected(h, 1, old, &a);
        connected(h, 1, new, &b);
        assert_string_equal(a.host_link, b.host_link);
        assert_true(link_goes(old, "eth0"));
        assert_false(*output_in(new, "ip -o link show eth0") == '\0');
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
}

enum { MANY = 50 };

struct job {
        struct network_host *h;
        int number, netns, result;
        double ms;
        ino_t before, after;
        struct network_endpoint e;
        struct err err;
};

static ino_t my_netns(void) {
        struct stat st;

        return stat("/proc/thread-self/ns/net", &st) == 0 ? st.st_ino : 0;
}

static void *connect_in_thread(void *data) {
        struct job *j = data;
        struct timespec t[2];
        char id[65];

        snprintf(id, sizeof(id), "%08x%056d", (unsigned) j->number * 2654435761u, j->number);
        j->before = my_netns();
        clock_gettime(CLOCK_MONOTONIC, &t[0]);
        j->result = network_connect(j->h, &(struct network_attachment) { .bridge = BRIDGE, .id = id, .link = "eth0", .gateway = true }, j->netns, &j->e, &j->err);
        clock_gettime(CLOCK_MONOTONIC, &t[1]);
        j->ms = (double) (t[1].tv_sec - t[0].tv_sec) * 1e3 + (double) (t[1].tv_nsec - t[0].tv_nsec) / 1e6;
        j->after = my_netns();
        return NULL;
}

static int by_ms(const void *a, const void *b) {
        const struct job *x = a, *y = b;

        return (x->ms > y->ms) - (x->ms < y->ms);
}

static void fifty_at_once(void **state) {
        struct network_host *h = open_host(NULL);
        struct job *jobs = calloc(MANY, sizeof(*jobs));
        pthread_t threads[MANY];

        (void) state;
        for (int i = 0; i < MANY; i++) {
                jobs[i] = (struct job) { .h = h, .number = i, .netns = make_netns(true), .result = 1 };
                assert_int_equal(pthread_create(&threads[i], NULL, connect_in_thread, &jobs[i]), 0);
        }
        for (int i = 0; i < MANY; i++)
                pthread_join(threads[i], NULL);
        for (int i = 0; i < MANY; i++) {
                if (jobs[i].result != 0)
                        fail_msg("%s", jobs[i].err.msg);
                assert_true(jobs[i].before == jobs[i].after && jobs[i].after == my_netns());
                for (int j = 0; j < i; j++)
                        assert_string_not_equal(jobs[i].e.address, jobs[j].e.address);
        }
        qsort(jobs, MANY, sizeof(*jobs), by_ms);
        print_message("# connect, %d threads: median %.1f ms, worst %.1f ms\n", MANY, jobs[MANY / 2].ms, jobs[MANY - 1].ms);
        for (int i = 0; i < MANY; i++)
                close(jobs[i].netns);
        assert_int_equal(network_host_destroy(h, &err), 0);
        free(jobs);
        network_host_free(h);
}

static void one_after_the_other(void **state) {
        struct network_host *h = open_host(NULL);
        struct job *jobs = calloc(MANY, sizeof(*jobs));
        double gone[MANY];

        (void) state;
        for (int i = 0; i < MANY; i++) {
                struct timespec t[2];
                char id[65];

                jobs[i] = (struct job) { .h = h, .number = i, .netns = make_netns(true), .result = 1 };
                connect_in_thread(&jobs[i]);
                assert_int_equal(jobs[i].result, 0);
                snprintf(id, sizeof(id), "%08x%056d", (unsigned) i * 2654435761u, i);
                clock_gettime(CLOCK_MONOTONIC, &t[0]);
                assert_int_equal(network_disconnect(h, id, &jobs[i].e, -1, &err), 0);
                clock_gettime(CLOCK_MONOTONIC, &t[1]);
                gone[i] = (double) (t[1].tv_sec - t[0].tv_sec) * 1e3 + (double) (t[1].tv_nsec - t[0].tv_nsec) / 1e6;
                close(jobs[i].netns);
        }
        qsort(jobs, MANY, sizeof(*jobs), by_ms);
        print_message("# connect alone: median %.2f ms, worst (the first) %.2f ms; disconnect: %.2f ms\n", jobs[MANY / 2].ms,
                jobs[MANY - 1].ms, gone[MANY / 2]);
        assert_int_equal(network_host_destroy(h, &err), 0);
        free(jobs);
        network_host_free(h);
}

static void bad_options_are_refused(void **state) {
        static const char *const bridges[] = { "", "all", "default", "lo", "a/b", "a.b", "1234567890123456", "\"; flush", "-x", "..", NULL };
        static const char *const pools[] = { "", "10.0.0.0", "10.0.0.0/8", "10.0.0.0/30", "10.0.0.1/24", "fd00::/80", "fd00::1/64", "fd00::/8", "::ffff:10.0.0.0/112", "x", NULL };
        struct network_options o = { .mtu = 0 };
        struct network_host *h = NULL;

        (void) state;
        for (int i = 0; bridges[i]; i++) {
                o.bridge = bridges[i];
                assert_int_equal(network_host_open(&o, &h, &err), -EINVAL);
                assert_int_equal(err.kind, ERR_INVALID);
        }
        o.bridge = BRIDGE;
        o.n_pools = 1;
        for (int i = 0; pools[i]; i++) {
                o.pools = &pools[i];
                assert_int_equal(network_host_open(&o, &h, &err), -EINVAL);
        }
        o.n_pools = 0;
        o.mtu = 70000;
        assert_int_equal(network_host_open(&o, &h, &err), -EINVAL);
        assert_null(h);
}

static void the_probe_changes_nothing(void **state) {
        ino_t before = my_netns();

        (void) state;
        if (network_probe(&err) < 0)
                fail_msg("%s", err.msg);
        assert_true(before == my_netns());
        assert_string_equal(output_in(host_netns, "nft list tables; ip -o link | grep kprobe"), "");
}

static void memory_of_the_firewall_library(void **state) {
        struct network_host *h = open_host(NULL);
        struct network_addresses addresses;
        char *text = NULL;
        long rss[2], pages;

        (void) state;
        for (int i = 0; i < 2; i++) {
                if (i == 1)
                        assert_int_equal(network_describe(h, &addresses, &err), 0);
                assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/statm", 256, &text, NULL), 0);
                assert_int_equal(sscanf(text, "%*d %ld", &pages), 1);
                rss[i] = pages * sysconf(_SC_PAGESIZE) / 1024;
                free(text);
        }
        print_message("# resident memory: %ld kB before the first use, %ld kB after\n", rss[0], rss[1]);
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
}

/* libnftables waits by select(2), which knows no descriptor above 1,023: a daemon of a thousand containers has more. */
static void more_descriptors_than_select_knows(void **state) {
        enum { DESCRIPTORS = 1100 };
        struct rlimit limit, before;
        struct network_addresses addresses;
        struct network_host *h;
        char wrong[160];
        int fds[DESCRIPTORS];

        (void) state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        limit = before;
        limit.rlim_cur = limit.rlim_max;
        if (limit.rlim_max < 2 * DESCRIPTORS)
                skip();
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        for (int i = 0; i < DESCRIPTORS; i++) {
                fds[i] = dup(host_netns);
                assert_true(fds[i] >= 0);
        }
        assert_true(fds[DESCRIPTORS - 1] >= FD_SETSIZE);
        h = open_host(NULL);
        assert_int_equal(network_describe(h, &addresses, &err), 0);
        assert_non_null(strstr(output_in(host_netns, "nft list ruleset"), "masquerade"));
        assert_int_equal(network_check_firewall(h, false, wrong, &err), 0);
        sh("nft delete table inet kist-" BRIDGE);
        assert_int_equal(network_check_firewall(h, true, wrong, &err), 1);
        assert_int_equal(network_check_firewall(h, false, wrong, &err), 0);
        assert_int_equal(network_host_destroy(h, &err), 0);
        network_host_free(h);
        for (int i = 0; i < DESCRIPTORS; i++)
                assert_int_equal(close(fds[i]), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(memory_of_the_firewall_library),
                cmocka_unit_test(a_container_gets_an_address_and_a_way_out),
                cmocka_unit_test(nobody_outside_reaches_what_is_not_published),
                cmocka_unit_test(a_container_cannot_send_in_anothers_name),
                cmocka_unit_test(there_is_no_ipv6),
                cmocka_unit_test(a_daemon_that_starts_again_finds_all),
                cmocka_unit_test(pools_that_collide_are_passed_over),
                cmocka_unit_test(what_fails_leaves_nothing),
                cmocka_unit_test(others_tables_and_links_stay),
                cmocka_unit_test(a_flushed_table_is_put_back),
                cmocka_unit_test(a_bridge_that_was_deleted_is_made_again),
                cmocka_unit_test(an_old_link_of_the_same_container_gives_way),
                cmocka_unit_test(fifty_at_once),
                cmocka_unit_test(one_after_the_other),
                cmocka_unit_test(bad_options_are_refused),
                cmocka_unit_test(the_probe_changes_nothing),
                cmocka_unit_test(more_descriptors_than_select_knows),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 0;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
