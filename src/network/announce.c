/* SPDX-License-Identifier: Apache-2.0 */

/* Telling those on a network whose an address is. Nobody takes note by himself when one is gone: who had it as reachable goes on sending to its link for up to a
 * minute, to nobody, and hears of nothing (RFC 4861, 7.3; of ARP the same). So the address of one that is gone is said to be the bridge's: what is still sent to it
 * reaches this host, which finds nobody either, and answers "host unreachable" after three seconds. One that comes to such an address is announced as well (RFC 5227, 3). */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "network/filling.h"
#include "network/internal.h"

enum { HOPS = 255 }; /* less would have come by a router: nobody believes such an announcement */

/* A request for one's own address, which is how ARP announces. */
struct arp_frame {
        uint8_t to[6], from[6];
        uint16_t type;
        struct arphdr head;
        uint8_t sender_mac[6], sender_address[4], target_mac[6], target_address[4];
} __attribute__((packed));

static int send_arp(int socket, const struct link *bridge, const struct address6 *address, const uint8_t owner[6]) {
        struct arp_frame f = { .to = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, .type = htons(ETH_P_ARP),
                .head = { htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REQUEST) } };
        const struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = bridge->index };

        memcpy(f.from, bridge->mac, sizeof(f.from));
        memcpy(f.sender_mac, owner, sizeof(f.sender_mac));
        memcpy(f.sender_address, address->b + 12, sizeof(f.sender_address));
        memcpy(f.target_address, address->b + 12, sizeof(f.target_address));
        return sendto(socket, &f, sizeof(f), 0, (const struct sockaddr *) &to, sizeof(to)) < 0 ? -errno : 0;
}

struct advertisement {
        struct nd_neighbor_advert head;
        struct nd_opt_hdr option;
        uint8_t mac[6];
} __attribute__((packed));

static int send_advertisement(const struct link *bridge, const struct address6 *address) {
        struct advertisement a = { .head.nd_na_type = ND_NEIGHBOR_ADVERT, .head.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE, .option = { ND_OPT_TARGET_LINKADDR, 1 } };
        struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_scope_id = (uint32_t) bridge->index };
        auto_fd fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

        inet_pton(AF_INET6, "ff02::1", &to.sin6_addr); /* all nodes */
        memcpy(&a.head.nd_na_target, address->b, sizeof(a.head.nd_na_target));
        memcpy(a.mac, bridge->mac, sizeof(a.mac));
        if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &(int) { HOPS }, sizeof(int)) < 0)
                return -errno;
        return sendto(fd, &a, sizeof(a), 0, (struct sockaddr *) &to, sizeof(to)) < 0 ? -errno : 0;
}

/* What this host itself knows of it: its own announcement does not come back to it. */
static int forget_neighbour(struct rtnl *n, int index, const struct address6 *address) {
        struct ndmsg head = { .ndm_family = address6_is_ipv4(address) ? AF_INET : AF_INET6, .ndm_ifindex = index };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_DELNEIGH, 0, &head, sizeof(head)) };
        int r;

        put_address(&f, NDA_DST, address);
        r = fill_run(n, &b, &f);
        return r == -ENOENT ? 0 : r;
}

static int say_gone(struct network_host *h, struct rtnl *n, const struct link *bridge, const char *text) {
        struct address6 address;
        int r = address_any_parse(text, &address);

        if (r < 0)
                return r;
        r = forget_neighbour(n, bridge->index, &address);
        return r < 0 ? r : address6_is_ipv4(&address) ? send_arp(h->announcer, bridge, &address, bridge->mac) : send_advertisement(bridge, &address);
}

int announce_gone(struct network_host *h, struct rtnl *n, const struct network_endpoint *e) {
        struct link bridge;
        int r = link_find(n, e->bridge, &bridge);

        if (r == 0)
                r = say_gone(h, n, &bridge, e->address);
        if (r == 0 && *e->address6)
                r = say_gone(h, n, &bridge, e->address6);
        return r;
}

/* Of IPv6 nothing is said in another's name, who would take it for a second one with its address: until the neighbours ask again themselves, this host hands on. */
int announce_here(struct network_host *h, struct rtnl *n, const struct network_endpoint *e) {
        struct address6 address;
        struct link bridge;
        uint8_t mac[6];
        int r = link_find(n, e->bridge, &bridge);

        if (r == 0 && (r = address_any_parse(e->address, &address)) == 0 && (r = mac_parse(e->mac, mac)) == 0)
                r = send_arp(h->announcer, &bridge, &address, mac);
        return r;
}
