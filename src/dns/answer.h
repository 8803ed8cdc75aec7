/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bytes of a question in, bytes of an answer out. No system calls, so that it can be tested and fuzzed without a socket. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/table.h"

enum { DNS_QUERY_MAX = 4096, DNS_REPLY_MAX = 65535, DNS_UDP_SAFE = 1232, DNS_TTL_SECONDS = 5, DNS_HEADER_SIZE = 12 };

/* What was asked: kept of a question that is handed on, to know its answer by. */
struct dns_question {
        uint16_t id, type, udp_size; /* udp_size: of an answer over UDP */
        uint8_t name[DNS_WIRE_NAME_MAX]; /* in lower case */
        size_t size;
};

enum dns_verdict {
        DNS_DROP,    /* not worth an answer */
        DNS_REPLY,   /* *ret_size bytes in reply */
        DNS_FORWARD, /* nobody here knows: ask another server; *q is filled */
};

/* `from`: the network on whose gateway it was asked; `address`: who asks. tcp: an answer may be long. reply has room for DNS_REPLY_MAX. `turn` says with which
 * of several addresses the answer begins. */
enum dns_verdict dns_answer(const struct dns_table *t, const struct dns_network *from, uint32_t address, const uint8_t *query, size_t size, bool tcp, unsigned turn,
                            uint8_t *reply, size_t *ret_size, struct dns_question *q);

/* An answer without content: the question once more, and a code. 0 bytes when not even that can be made. */
size_t dns_refuse(const uint8_t *query, size_t size, unsigned rcode, uint8_t *reply);

/* Is this what another server says to this question, asked with this id? It must be whole and readable. */
bool dns_is_answer_to(const struct dns_question *q, uint16_t id, const uint8_t *data, size_t size);
/* Cut down to what the asker takes over UDP: the question, and the mark that there is more. Returns the new size. */
size_t dns_truncate(uint8_t *data, size_t size);
