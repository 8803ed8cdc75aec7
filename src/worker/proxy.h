/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which proxy a request goes through, by the rules that Go's programs (and so the stock daemon) have: one for each scheme, none for this host's own loopback,
 * none for what a list of names, addresses and networks, each perhaps with a port, has. */

struct proxies {
        const char *http, *https; /* "http://[USER:PASSWORD@]HOST[:PORT]", "HOST:PORT", or socks5://…; NULL: none */
        const char *none;         /* "example.com,.example.org,10.0.0.0/8,host:5000", or "*"; NULL: nothing */
};

/* "": straight there. `host` as in a URL, `port` in digits. */
const char *proxy_for(const struct proxies *p, const char *scheme, const char *host, const char *port);
