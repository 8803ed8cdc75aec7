/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolvers.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

enum { PORT = 53, WORD_MAX = 80 };

bool resolvers_parse(const char *text, union dns_address *ret) {
        char address[WORD_MAX], *scope;

        memset(ret, 0, sizeof(*ret));
        if (strlen(text) >= sizeof(address))
                return false;
        if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
                ret->v4.sin_family = AF_INET;
                ret->v4.sin_port = htons(PORT);
                return true;
        }
        strcpy(address, text);
        scope = strchr(address, '%');
        if (scope)
                *scope++ = '\0';
        if (inet_pton(AF_INET6, address, &ret->v6.sin6_addr) != 1)
                return false;
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(PORT);
        ret->v6.sin6_scope_id = scope ? if_nametoindex(scope) : 0;
        return true;
}

socklen_t resolvers_size(const union dns_address *a) {
        return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

void resolvers_read(const char *text, struct resolvers *ret) {
        static const char keyword[] = "nameserver";

        ret->n = 0;
        while (*text && ret->n < RESOLVERS_MAX) {
                size_t line = strcspn(text, "\n"), k = sizeof(keyword) - 1;
                char word[WORD_MAX];

                if (line > k && !strncmp(text, keyword, k) && (text[k] == ' ' || text[k] == '\t')) {
                        const char *at = text + k + strspn(text + k, " \t");
                        size_t n = strcspn(at, " \t\r\n#;");

                        if (n < sizeof(word)) {
                                memcpy(word, at, n);
                                word[n] = '\0';
                                ret->n += resolvers_parse(word, &ret->v[ret->n]);
                        }
                }
                text += line + (text[line] == '\n');
        }
}
