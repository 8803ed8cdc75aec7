/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log-words.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "monitor/protocol.h"

enum { SYSLOG_PORT = 514 };

int log_regex_compile(const char *text, regex_t *ret) {
        return strlen(text) > 256 || regcomp(ret, text, REG_EXTENDED | REG_NOSUB) != 0 ? -EINVAL : 0;
}

int log_find_facility(const char *text, uint32_t *ret) {
        static const char *const facilities[] = { "kern",  "user",   "mail",   "daemon", "auth",   "syslog", "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
                                                  "",      "",       "",       "",       "local0", "local1", "local2", "local3", "local4", "local5", "local6",   "local7" };
        uint64_t n;

        for (uint32_t i = 0; i < ARRAY_SIZE(facilities); i++)
                if (*facilities[i] && !strcmp(facilities[i], text)) {
                        *ret = i;
                        return 0;
                }
        if (str_to_u64(text, 0, ARRAY_SIZE(facilities) - 1, &n) < 0)
                return -EINVAL;
        *ret = (uint32_t) n;
        return 0;
}

int log_find_format(const char *text, uint32_t *ret) {
        static const char *const formats[] = {
                [MONITOR_SYSLOG_UNIX] = "", [MONITOR_SYSLOG_RFC3164] = "rfc3164", [MONITOR_SYSLOG_RFC5424] = "rfc5424", [MONITOR_SYSLOG_RFC5424_MICRO] = "rfc5424micro",
        };

        for (uint32_t i = 0; i < ARRAY_SIZE(formats); i++)
                if (!strcmp(formats[i], text)) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

static int split_host(const char *text, struct log_target *t) {
        const char *host = text, *end, *port;
        uint64_t n = SYSLOG_PORT;

        if (*host == '[') {
                end = strchr(++host, ']');
                if (!end || (end[1] && end[1] != ':'))
                        return -EINVAL;
                port = end[1] ? end + 2 : NULL;
        } else {
                end = strchrnul(host, ':');
                port = *end ? end + 1 : NULL;
        }
        if (end == host || (size_t) (end - host) >= sizeof(t->host) || (port && str_to_u64(port, 1, 65535, &n) < 0))
                return -EINVAL;
        memcpy(t->host, host, (size_t) (end - host));
        snprintf(t->port, sizeof(t->port), "%u", (unsigned) n);
        return 0;
}

int log_parse_target(const char *text, struct log_target *t) {
        static const struct {
                const char *scheme;
                int type;
                bool path;
        } schemes[] = { { "unixgram://", SOCK_DGRAM, true }, { "unix://", SOCK_STREAM, true }, { "udp://", SOCK_DGRAM, false }, { "tcp://", SOCK_STREAM, false } };

        *t = (struct log_target) { .type = SOCK_DGRAM };
        for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
                const char *rest = text + strlen(schemes[i].scheme);

                if (!str_starts_with(text, schemes[i].scheme))
                        continue;
                t->type = schemes[i].type;
                if (!schemes[i].path)
                        return split_host(rest, t);
                return *rest == '/' && strlen(rest) < sizeof(t->path) ? (strcpy(t->path, rest), 0) : -EINVAL;
        }
        return -EINVAL;
}

int log_expand_tag(const char *template, const struct log_tag_word *words, size_t n_words, char *ret, size_t size) {
        size_t used = 0;

        for (const char *at = template; *at;) {
                const char *end = str_starts_with(at, "{{") ? strstr(at, "}}") : NULL, *value = NULL;
                size_t length = 1;

                if (end) {
                        const char *word = at + 2 + strspn(at + 2, " ");

                        length = strcspn(word, " }");
                        for (size_t i = 0; i < n_words && !value; i++)
                                if (strlen(words[i].word) == length && !memcmp(words[i].word, word, length))
                                        value = words[i].value;
                        if (!value)
                                return -EINVAL;
                        length = strlen(value);
                        at = end + 2;
                } else {
                        value = at++;
                }
                for (size_t i = 0; i < length; i++)
                        if (!isgraph((unsigned char) value[i]) && value[i] != ' ')
                                return -EINVAL;
                if (used + length >= size)
                        length = size - 1 - used;
                memcpy(ret + used, value, length);
                used += length;
        }
        ret[used] = '\0';
        return 0;
}
