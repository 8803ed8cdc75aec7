/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "worker/proxy.h"

#define PROXY "http://proxy:3128"

/* Four lines: the list of what needs none, scheme, host, port. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *) data, size), *rest = text, *line[4];
        struct proxies p = { .http = PROXY, .https = PROXY };
        const char *found;

        for (size_t i = 0; i < 4; i++)
                if (!(line[i] = strsep(&rest, "\n")))
                        line[i] = (char *) "";
        p.none = line[0];
        found = proxy_for(&p, line[1], line[2], line[3]);
        FUZZ_REQUIRE(!*found || strcmp(found, PROXY) == 0);
        /* Without a list only this host's own loopback goes without; a list that has everything leaves nothing. */
        p.none = NULL;
        if (strcmp(line[2], "registry.example") == 0)
                FUZZ_REQUIRE(strcmp(proxy_for(&p, line[1], line[2], line[3]), PROXY) == 0);
        p.none = "*";
        FUZZ_REQUIRE(!*proxy_for(&p, line[1], line[2], line[3]));
        p = (struct proxies) { .none = line[0] };
        FUZZ_REQUIRE(!*proxy_for(&p, line[1], line[2], line[3]));
        free(text);
        return 0;
}
