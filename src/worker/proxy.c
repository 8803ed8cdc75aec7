/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/proxy.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

struct address {
        int family; /* 0: it is a name */
        unsigned char bytes[16];
};

static struct address parse_address(const char *text) {
        struct address a = { .family = AF_INET };

        if (inet_pton(AF_INET, text, a.bytes) == 1)
                return a;
        a.family = inet_pton(AF_INET6, text, a.bytes) == 1 ? AF_INET6 : 0;
        return a;
}

/* "10.0.0.0/8" or "fd00::/8". */
static bool network_has(const char *network, const struct address *a) {
        const char *slash = strchr(network, '/');
        char text[INET6_ADDRSTRLEN];
        struct address net;
        uint64_t prefix;

        if (!slash || a->family == 0 || (size_t) (slash - network) >= sizeof(text))
                return false;
        snprintf(text, sizeof(text), "%.*s", (int) (slash - network), network);
        net = parse_address(text);
        if (net.family != a->family || str_to_u64(slash + 1, 0, net.family == AF_INET ? 32 : 128, &prefix) < 0)
                return false;
        for (unsigned bit = 0; bit < prefix; bit++)
                if ((net.bytes[bit / 8] ^ a->bytes[bit / 8]) >> (7 - bit % 8) & 1)
                        return false;
        return true;
}

/* "example.com" stands for itself and what is below it, ".example.com" and "*.example.com" for what is below it. */
static bool name_has(const char *entry, const char *host) {
        size_t n = strlen(host), m;
        bool below_only;

        if (strncmp(entry, "*.", 2) == 0)
                entry++;
        below_only = *entry == '.';
        entry += below_only;
        m = strlen(entry);
        if (m == 0 || n < m || strcasecmp(host + n - m, entry) != 0)
                return false;
        return n == m ? !below_only : host[n - m - 1] == '.';
}

/* `entry` is changed. */
static bool entry_has(char *entry, const char *host, const struct address *a, const char *port) {
        char *colon = *entry == '[' ? strstr(entry, "]:") : strchr(entry, ':'), *bracket;
        struct address own;

        if (strcmp(entry, "*") == 0 || network_has(entry, a))
                return true;
        /* An IPv6 address without brackets has colons, and no port. */
        if (colon && (*entry == '[' || colon == strrchr(entry, ':'))) {
                colon += *entry == '[';
                if (strcmp(colon + 1, port) != 0)
                        return false;
                *colon = '\0';
        }
        if (*entry == '[' && (bracket = strchr(entry, ']'))) {
                *bracket = '\0';
                entry++;
        }
        own = parse_address(entry);
        if (own.family != 0)
                return own.family == a->family && memcmp(own.bytes, a->bytes, own.family == AF_INET ? 4 : 16) == 0;
        return a->family == 0 && name_has(entry, host);
}

static bool is_loopback(const char *host, const struct address *a) {
        static const unsigned char one[16] = { [15] = 1 };

        return strcasecmp(host, "localhost") == 0 || (a->family == AF_INET && a->bytes[0] == 127) || (a->family == AF_INET6 && memcmp(a->bytes, one, 16) == 0);
}

const char *proxy_for(const struct proxies *p, const char *scheme, const char *host, const char *port) {
        const char *proxy = strcmp(scheme, "https") == 0 ? p->https : p->http, *at = p->none ? p->none : "";
        char plain[256], entry[256];
        struct address a;

        if (!proxy || !*proxy)
                return "";
        /* Of an IPv6 address in a URL the brackets are no part. */
        snprintf(plain, sizeof(plain), "%.*s", (int) strcspn(host + (*host == '['), "]"), host + (*host == '['));
        a = parse_address(plain);
        if (is_loopback(plain, &a))
                return "";
        while (*(at += strspn(at, ", \t"))) {
                size_t n = strcspn(at, ", \t");

                snprintf(entry, sizeof(entry), "%.*s", (int) n, at);
                if (n < sizeof(entry) && entry_has(entry, plain, &a, port))
                        return "";
                at += n;
        }
        return proxy;
}
