/* SPDX-License-Identifier: Apache-2.0 */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "kistd/listen.h"

enum { BACKLOG = 1024, NAME_MAX_SIZE = 256 };

/* "127.0.0.1:2376", "[::1]:2376", "localhost". */
static int split(const char *text, const char *default_port, char host[NAME_MAX_SIZE], char port[8]) {
        const char *end, *after;
        uint64_t number;

        if (*text == '[') {
                end = strchr(++text, ']');
                after = end ? end + 1 : NULL;
        } else {
                end = after = strchrnul(text, ':');
        }
        if (!end || end == text || end - text >= NAME_MAX_SIZE || (*after && *after != ':'))
                return -EINVAL;
        snprintf(host, NAME_MAX_SIZE, "%.*s", (int) (end - text), text);
        if (*after && str_to_u64(after + 1, 1, 65535, &number) < 0)
                return -EINVAL;
        snprintf(port, 8, "%s", *after ? after + 1 : default_port);
        return 0;
}

static bool is_loopback(const struct sockaddr *a) {
        if (a->sa_family == AF_INET)
                return ntohl(((const struct sockaddr_in *) a)->sin_addr.s_addr) >> 24 == 127;
        return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) a)->sin6_addr);
}

static int open_address(const struct addrinfo *a, bool both_families, int *ret_fd) {
        auto_fd fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int on = 1, alone = !both_families;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        if (a->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &alone, sizeof(alone)) < 0)
                return -errno;
        if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        *ret_fd = move_fd(fd);
        return 0;
}

int listen_open_tcp(const char *address, enum listen_tcp allowed, const char *default_port, int *ret_fd, struct err *err) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        char host[NAME_MAX_SIZE], port[8];
        struct addrinfo *found = NULL;
        bool loopback;
        int r;

        if (split(address + strlen("tcp://"), default_port, host, port) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--host %s: must be tcp://ADDRESS:PORT", address);
        if (allowed == LISTEN_TCP_REFUSED)
                return err_set(err, ERR_DENIED, -EPERM,
                               "--host %s: whoever reaches it would be root here: say --tlsverify, with --tlscacert, --tlscert and --tlskey", address);
        r = getaddrinfo(host, port, &hints, &found);
        if (r != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--host %s: %s", address, gai_strerror(r));
        loopback = is_loopback(found->ai_addr);
        r = allowed == LISTEN_TCP_ANY || loopback ? open_address(found, false, ret_fd) : -EPERM;
        freeaddrinfo(found);
        if (r == -EPERM && !loopback)
                return err_set(err, ERR_DENIED, r, "--host %s: without --tlsverify only a loopback address can be served", address);
        return r < 0 ? err_errno(err, r, "cannot listen at %s", address) : 0;
}

bool listen_is_address(const char *text) {
        char host[NAME_MAX_SIZE], port[8];

        if (*text == ':')
                return str_to_u64(text + 1, 1, 65535, &(uint64_t) { 0 }) == 0;
        return split(text, "", host, port) == 0 && *port;
}

int listen_open_metrics(const char *address, int *ret_fd, struct err *err) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        bool everywhere = *address == ':';
        char host[NAME_MAX_SIZE] = "::", port[8];
        struct addrinfo *found = NULL;
        int r;

        if (!listen_is_address(address))
                return err_set(err, ERR_INVALID, -EINVAL, "--metrics-addr: \"%.64s\" is not ADDRESS:PORT", address);
        if (everywhere)
                snprintf(port, sizeof(port), "%s", address + 1);
        else
                split(address, "", host, port);
        r = getaddrinfo(host, port, &hints, &found);
        if (r != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--metrics-addr %s: %s", address, gai_strerror(r));
        r = open_address(found, everywhere, ret_fd);
        freeaddrinfo(found);
        /* A kernel without IPv6. */
        if (r == -EAFNOSUPPORT && everywhere && getaddrinfo("0.0.0.0", port, &hints, &found) == 0) {
                r = open_address(found, false, ret_fd);
                freeaddrinfo(found);
        }
        return r < 0 ? err_errno(err, r, "--metrics-addr: cannot listen at %s", address) : 0;
}
