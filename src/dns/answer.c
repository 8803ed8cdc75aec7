/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/answer.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <string.h>

#include "base/mem.h"

enum { ADDRESSES_MAX = 64, UDP_MIN = 512 };

DEFINE_CLEANUP(ldns_pkt *, ldns_pkt_free)
#define auto_pkt __attribute__((cleanup(ldns_pkt_freep))) ldns_pkt

/* One question, of a kind that a resolver asks. */
static ldns_rr *read_question(ldns_pkt *p, struct dns_question *q) {
        ldns_rr_list *list = ldns_pkt_question(p);
        ldns_rr *rr = list && ldns_rr_list_rr_count(list) == 1 ? ldns_rr_list_rr(list, 0) : NULL;
        ldns_rdf *name = rr ? ldns_rr_owner(rr) : NULL;

        if (!name || ldns_pkt_qdcount(p) != 1 || ldns_rdf_size(name) == 0 || ldns_rdf_size(name) > DNS_WIRE_NAME_MAX)
                return NULL;
        q->id = ldns_pkt_id(p);
        q->type = (uint16_t) ldns_rr_get_type(rr);
        q->size = ldns_rdf_size(name);
        memcpy(q->name, ldns_rdf_data(name), q->size);
        dns_name_lower(q->name, q->size);
        q->udp_size = UDP_MIN;
        if (ldns_pkt_edns_udp_size(p) > UDP_MIN)
                q->udp_size = ldns_pkt_edns_udp_size(p) < DNS_UDP_SAFE ? ldns_pkt_edns_udp_size(p) : DNS_UDP_SAFE;
        return rr;
}

/* The question once more, and what is in `answers`, which becomes the packet's. 0: no memory, or it does not fit at all. */
static size_t build(const ldns_pkt *query, const ldns_rr *question, unsigned rcode, ldns_rr_list *answers, size_t room, uint8_t *reply) {
        auto_pkt *p = ldns_pkt_new();
        ldns_rr *copy = p ? ldns_rr_clone(question) : NULL;
        uint8_t *bytes = NULL;
        size_t size = 0;

        if (!copy || !ldns_pkt_push_rr(p, LDNS_SECTION_QUESTION, copy)) {
                ldns_rr_free(copy);
                ldns_rr_list_deep_free(answers);
                return 0;
        }
        ldns_pkt_set_id(p, ldns_pkt_id(query));
        ldns_pkt_set_qr(p, true);
        ldns_pkt_set_ra(p, true);
        ldns_pkt_set_rd(p, ldns_pkt_rd(query));
        ldns_pkt_set_cd(p, ldns_pkt_cd(query));
        ldns_pkt_set_rcode(p, (uint8_t) rcode);
        if (ldns_pkt_edns((ldns_pkt *) query))
                ldns_pkt_set_edns_udp_size(p, DNS_UDP_SAFE);
        if (answers) {
                ldns_pkt_push_rr_list(p, LDNS_SECTION_ANSWER, answers);
                ldns_rr_list_free(answers);
        }
        if (ldns_pkt2wire(&bytes, p, &size) != LDNS_STATUS_OK)
                return 0;
        if (size > room)
                size = size <= DNS_REPLY_MAX ? dns_truncate(bytes, size) : 0;
        memcpy(reply, bytes, size);
        free(bytes);
        return size;
}

static ldns_pkt *read_packet(const uint8_t *data, size_t size) {
        ldns_pkt *p = NULL;

        return size >= DNS_HEADER_SIZE && ldns_wire2pkt(&p, data, size) == LDNS_STATUS_OK ? p : NULL;
}

size_t dns_refuse(const uint8_t *query, size_t size, unsigned rcode, uint8_t *reply) {
        auto_pkt *p = read_packet(query, size);
        struct dns_question q;
        ldns_rr *question = p ? read_question(p, &q) : NULL;
        size_t n = question ? build(p, question, rcode, NULL, DNS_REPLY_MAX, reply) : 0;

        if (n || size < DNS_HEADER_SIZE)
                return n;
        memset(reply, 0, DNS_HEADER_SIZE);
        memcpy(reply, query, 2);
        reply[2] = (uint8_t) (0x80 | (query[2] & 0x79)); /* an answer; operation and "recursion desired" as they were */
        reply[3] = (uint8_t) (0x80 | (rcode & 15));
        return DNS_HEADER_SIZE;
}

/* Past the name that begins here; 0: it does not end in the packet, or is not written out. */
static size_t skip_name(const uint8_t *data, size_t size, size_t at) {
        while (at < size && data[at] && data[at] < 64)
                at += data[at] + 1u;
        return at < size && !data[at] ? at + 1 : 0;
}

size_t dns_truncate(uint8_t *data, size_t size) {
        size_t end = size >= DNS_HEADER_SIZE ? skip_name(data, size, DNS_HEADER_SIZE) : 0;

        if (!end || end + 4 > size)
                return 0;
        data[2] |= 0x02;
        memset(data + 6, 0, 6);
        return end + 4;
}

/* --- what we know --- */

static ldns_rr *new_record(const ldns_rr *question, ldns_rr_type type, ldns_rdf *value) {
        ldns_rr *rr = ldns_rr_new();

        if (!rr || !value) {
                ldns_rr_free(rr);
                ldns_rdf_deep_free(value);
                return NULL;
        }
        ldns_rr_set_owner(rr, ldns_rdf_clone(ldns_rr_owner(question)));
        ldns_rr_set_type(rr, type);
        ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
        ldns_rr_set_ttl(rr, DNS_TTL_SECONDS);
        ldns_rr_push_rdf(rr, value);
        return rr;
}

static void add_record(ldns_rr_list *list, const ldns_rr *question, ldns_rr_type type, ldns_rdf_type form, const void *data, size_t size) {
        ldns_rr *rr = list ? new_record(question, type, ldns_rdf_new_frm_data(form, size, data)) : NULL;

        if (rr)
                ldns_rr_list_push_rr(list, rr);
}

static ldns_rr_list *address_records(const ldns_rr *question, uint16_t type, const struct dns_endpoint *const *who, size_t n, unsigned turn) {
        ldns_rr_list *list = ldns_rr_list_new();

        for (size_t i = 0; i < n; i++) {
                const struct dns_endpoint *p = who[(i + turn) % n];
                uint32_t a = htonl(p->address);

                if (type != LDNS_RR_TYPE_AAAA)
                        add_record(list, question, LDNS_RR_TYPE_A, LDNS_RDF_TYPE_A, &a, sizeof(a));
                if (type != LDNS_RR_TYPE_A && p->has_ipv6)
                        add_record(list, question, LDNS_RR_TYPE_AAAA, LDNS_RDF_TYPE_AAAA, p->address6, sizeof(p->address6));
        }
        return list;
}

static ldns_rr_list *name_record(const ldns_rr *question, const struct dns_endpoint *p) {
        uint8_t name[DNS_WIRE_NAME_MAX];
        size_t n = dns_endpoint_full_name(p, name);
        ldns_rr *rr = n ? new_record(question, LDNS_RR_TYPE_PTR, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, n, name)) : NULL;
        ldns_rr_list *list = ldns_rr_list_new();

        if (rr && list)
                ldns_rr_list_push_rr(list, rr);
        return list;
}

/* "4.3.2.1.in-addr.arpa" → 1.2.3.4. */
static bool read_reverse(const struct dns_question *q, uint32_t *ret) {
        static const uint8_t tail[] = "\7in-addr\4arpa";
        size_t at = 0;
        uint32_t address = 0;

        for (unsigned i = 0; i < 4; i++) {
                size_t n = at < q->size ? q->name[at++] : 0;
                uint32_t part = 0;

                if (n < 1 || n > 3 || at + n > q->size || (n > 1 && q->name[at] == '0'))
                        return false;
                for (; n; n--, at++) {
                        if (q->name[at] < '0' || q->name[at] > '9')
                                return false;
                        part = part * 10 + q->name[at] - '0';
                }
                if (part > 255)
                        return false;
                address |= part << (8 * i);
        }
        *ret = address;
        return q->size - at == sizeof(tail) && !memcmp(q->name + at, tail, sizeof(tail));
}

/* "f.0.…" of 32 digits and "ip6.arpa". */
static bool read_reverse6(const struct dns_question *q, uint8_t ret[16]) {
        static const uint8_t tail[] = "\3ip6\4arpa";
        static const char digits[] = "0123456789abcdef";

        if (q->size != 64 + sizeof(tail) || memcmp(q->name + 64, tail, sizeof(tail)) != 0)
                return false;
        memset(ret, 0, 16);
        for (unsigned i = 0; i < 32; i++) {
                const char *digit = q->name[i * 2] == 1 && q->name[i * 2 + 1] ? strchr(digits, q->name[i * 2 + 1]) : NULL;

                if (!digit)
                        return false;
                ret[15 - i / 2] |= (uint8_t) ((digit - digits) << (i % 2 * 4));
        }
        return true;
}

static bool is_single_label(const struct dns_question *q) {
        return q->size > 1 && q->name[0] + 2u == q->size;
}

/* Who is asked in an internal network has nobody to ask: what leaves would be a way out for data (CVE-2024-29018). */
static enum dns_verdict unknown(const struct dns_network *from, const struct dns_question *q, unsigned *rcode) {
        if (!from->internal)
                return DNS_FORWARD;
        *rcode = is_single_label(q) ? LDNS_RCODE_NXDOMAIN : LDNS_RCODE_REFUSED;
        return DNS_REPLY;
}

static enum dns_verdict look_up(const struct dns_table *t, const struct dns_network *from, uint32_t address, const ldns_rr *question, const struct dns_question *q,
                                unsigned turn, ldns_rr_list **ret, unsigned *rcode) {
        const struct dns_endpoint *asker = dns_table_asker(t, from, address), *owner;
        const struct dns_endpoint *who[ADDRESSES_MAX];
        uint8_t asked6[16];
        uint32_t asked;
        bool ours, is_ipv4 = read_reverse(q, &asked);
        size_t n;

        *rcode = LDNS_RCODE_NOERROR;
        if (is_ipv4 || read_reverse6(q, asked6)) {
                owner = is_ipv4 ? dns_table_owner(t, from, asker, asked, &ours) : dns_table_owner6(t, from, asker, asked6, &ours);
                if (!ours)
                        return unknown(from, q, rcode);
                if (!owner)
                        *rcode = LDNS_RCODE_NXDOMAIN;
                else if (q->type == LDNS_RR_TYPE_PTR || q->type == LDNS_RR_TYPE_ANY)
                        *ret = name_record(question, owner);
                return DNS_REPLY;
        }
        n = dns_table_lookup(t, from, asker, q->name, q->size, who, ADDRESSES_MAX);
        if (!n)
                return unknown(from, q, rcode);
        /* A known name has no other records: said at once, so that nobody waits for its AAAA. */
        if (q->type == LDNS_RR_TYPE_A || q->type == LDNS_RR_TYPE_AAAA || q->type == LDNS_RR_TYPE_ANY)
                *ret = address_records(question, q->type, who, n, turn);
        return DNS_REPLY;
}

enum dns_verdict dns_answer(const struct dns_table *t, const struct dns_network *from, uint32_t address, const uint8_t *query, size_t size, bool tcp, unsigned turn,
                            uint8_t *reply, size_t *ret_size, struct dns_question *q) {
        auto_pkt *p = NULL;
        ldns_rr_list *answers = NULL;
        ldns_rr *question;
        unsigned rcode = LDNS_RCODE_FORMERR;

        /* An answer is never answered, or two of us would talk for ever. */
        if (size < DNS_HEADER_SIZE || size > DNS_QUERY_MAX || query[2] & 0x80 || !dns_network_contains(from, address))
                return DNS_DROP;
        p = read_packet(query, size);
        question = p ? read_question(p, q) : NULL;
        if (question && ldns_pkt_get_opcode(p) != LDNS_PACKET_QUERY)
                rcode = LDNS_RCODE_NOTIMPL;
        else if (question && ldns_rr_get_class(question) != LDNS_RR_CLASS_IN)
                rcode = LDNS_RCODE_REFUSED;
        else if (question && look_up(t, from, address, question, q, turn, &answers, &rcode) == DNS_FORWARD)
                return DNS_FORWARD;
        *ret_size = question ? build(p, question, rcode, answers, tcp ? DNS_REPLY_MAX : q->udp_size, reply) : dns_refuse(query, size, rcode, reply);
        return *ret_size ? DNS_REPLY : DNS_DROP;
}

bool dns_is_answer_to(const struct dns_question *q, uint16_t id, const uint8_t *data, size_t size) {
        auto_pkt *p = read_packet(data, size);
        struct dns_question answered;

        return p && ldns_pkt_qr(p) && ldns_pkt_id(p) == id && read_question(p, &answered) && answered.type == q->type && answered.size == q->size &&
               !memcmp(answered.name, q->name, q->size);
}
