/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dns/answer.h"

enum { GATEWAY = 0x0a050001, ASKER = 0x0a050002 };

static void fill(struct dns_table *t, struct dns_network **ret, bool internal) {
        struct dns_message m = { .network = "n", .container = "c", .address = GATEWAY, .prefix = 24, .internal = internal, .text = "front" };

        FUZZ_REQUIRE(dns_table_set_network(t, &m, ret) == 0);
        m.address = ASKER;
        FUZZ_REQUIRE(dns_table_set_endpoint(t, &m) == 0);
        strcpy(m.text, "web");
        FUZZ_REQUIRE(dns_table_add_name(t, &m) == 0);
}

/* An answer has the question's id, is none that could be answered again, and fits; nothing is handed on from an internal network; and bytes from
 * another server are read without harm. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t reply[DNS_REPLY_MAX], copy[DNS_REPLY_MAX];

        for (int i = 0; i < 4; i++) {
                struct dns_table t = { 0 };
                struct dns_network *n;
                struct dns_question q;
                enum dns_verdict v;
                size_t got = 0;

                fill(&t, &n, i & 1);
                v = dns_answer(&t, n, ASKER, data, size, i & 2, 0, reply, &got, &q);
                if (v == DNS_REPLY)
                        FUZZ_REQUIRE(got >= DNS_HEADER_SIZE && !memcmp(reply, data, 2) && reply[2] & 0x80 && ((i & 2) || got <= DNS_UDP_SAFE));
                if (v == DNS_FORWARD) {
                        FUZZ_REQUIRE(!(i & 1) && q.size && q.size <= DNS_WIRE_NAME_MAX);
                        FUZZ_REQUIRE(!dns_is_answer_to(&q, q.id, data, size)); /* a question is no answer */
                        got = dns_refuse(data, size, 2, reply);
                        FUZZ_REQUIRE(got && dns_is_answer_to(&q, q.id, reply, got) && !dns_is_answer_to(&q, (uint16_t) (q.id + 1), reply, got));
                }
                dns_table_done(&t);
        }
        if (size <= sizeof(copy)) {
                memcpy(copy, data, size);
                FUZZ_REQUIRE(dns_truncate(copy, size) <= size);
        }
        return 0;
}
