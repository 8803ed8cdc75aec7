/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the values of log options mean: read once to check them (log-driver.c), and once more to tell the monitor (log-destination.c). All give -EINVAL for
 * what they do not know. */

#include <regex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

/* Extended, and at most 256 bytes; regfree() it. */
int log_regex_compile(const char *text, regex_t *ret);
/* "daemon", "local3", "11" → as in RFC 5424. */
int log_find_facility(const char *text, uint32_t *ret);
/* enum monitor_syslog */
int log_find_format(const char *text, uint32_t *ret);

/* "unix:///path", "unixgram:///path", "udp://host:port", "tcp://host:port"; the port may be left out, the host of IPv6 is in brackets. */
struct log_target {
        int type;
        char path[sizeof(((struct sockaddr_un *) NULL)->sun_path)];
        char host[256], port[6];
};
int log_parse_target(const char *text, struct log_target *t);

struct log_tag_word {
        const char *word, *value;
};
/* Docker's words between double braces; anything else stands for itself. −EINVAL also: a character that a log's line cannot have there. */
int log_expand_tag(const char *template, const struct log_tag_word *words, size_t n_words, char *ret, size_t size);
