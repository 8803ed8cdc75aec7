/* SPDX-License-Identifier: Apache-2.0 */

/* Frames that a container must not be able to have others believe.
 *
 *   raw-packet ra INTERFACE                 a router advertisement to all nodes: a default route and a prefix     (CVE-2020-10749)
 *   raw-packet udp INTERFACE MAC SRC DST    a datagram to DST:9999 from SRC, in a frame to MAC                    (foreign source) */

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t sum16(uint32_t sum, const void *data, size_t size) {
        const uint8_t *p = data;

        for (size_t i = 0; i + 1 < size; i += 2)
                sum += (uint32_t) (p[i] << 8 | p[i + 1]);
        return sum;
}

static uint16_t fold(uint32_t sum) {
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return htons((uint16_t) ~sum);
}

static int send_frame(const char *interface, const uint8_t *to, uint16_t protocol, const void *data, size_t size) {
        int fd = socket(AF_PACKET, SOCK_DGRAM, htons(protocol));
        struct sockaddr_ll address = {
                .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int) if_nametoindex(interface), .sll_halen = ETH_ALEN,
        };

        memcpy(address.sll_addr, to, ETH_ALEN);
        if (fd < 0 || sendto(fd, data, size, 0, (struct sockaddr *) &address, sizeof(address)) != (ssize_t) size) {
                perror("raw-packet");
                return 1;
        }
        close(fd);
        return 0;
}

static int send_ra(const char *interface) {
        static const uint8_t all_nodes[] = { 0x33, 0x33, 0, 0, 0, 1 };
        struct {
                struct ip6_hdr ip;
                struct nd_router_advert ra;
                struct nd_opt_prefix_info prefix;
        } __attribute__((packed)) p = {
                .ip = { .ip6_flow = htonl(6U << 28), .ip6_nxt = IPPROTO_ICMPV6, .ip6_hlim = 255 },
                .ra = { .nd_ra_type = ND_ROUTER_ADVERT, .nd_ra_curhoplimit = 64, .nd_ra_router_lifetime = htons(1800) },
                .prefix = { .nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION, .nd_opt_pi_len = 4, .nd_opt_pi_prefix_len = 64,
                            .nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO, .nd_opt_pi_valid_time = htonl(3600),
                            .nd_opt_pi_preferred_time = htonl(3600) },
        };
        size_t size = sizeof(p) - sizeof(p.ip);
        uint32_t sum;

        p.ip.ip6_plen = htons((uint16_t) size);
        inet_pton(AF_INET6, "fe80::bad", &p.ip.ip6_src);
        inet_pton(AF_INET6, "ff02::1", &p.ip.ip6_dst);
        inet_pton(AF_INET6, "2001:db8:bad::", &p.prefix.nd_opt_pi_prefix);
        sum = sum16((uint32_t) size + IPPROTO_ICMPV6, &p.ip.ip6_src, 32);
        p.ra.nd_ra_cksum = fold(sum16(sum, (uint8_t *) &p + sizeof(p.ip), size));
        return send_frame(interface, all_nodes, ETH_P_IPV6, &p, sizeof(p));
}

static int send_udp(const char *interface, const char *mac, const char *from, const char *to) {
        struct {
                struct iphdr ip;
                struct udphdr udp;
                char text[8];
        } __attribute__((packed)) p = {
                .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(sizeof(p)) },
                .udp = { .source = htons(9999), .dest = htons(9999), .len = htons(sizeof(p) - sizeof(p.ip)) },
                .text = "spoofed",
        };
        uint8_t m[ETH_ALEN];

        if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6)
                return 2;
        inet_pton(AF_INET, from, &p.ip.saddr);
        inet_pton(AF_INET, to, &p.ip.daddr);
        p.ip.check = fold(sum16(0, &p.ip, sizeof(p.ip)));
        return send_frame(interface, m, ETH_P_IP, &p, sizeof(p));
}

int main(int argc, char **argv) {
        if (argc == 3 && strcmp(argv[1], "ra") == 0)
                return send_ra(argv[2]);
        if (argc == 6 && strcmp(argv[1], "udp") == 0)
                return send_udp(argv[2], argv[3], argv[4], argv[5]);
        return 2;
}
