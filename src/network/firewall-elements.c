/* SPDX-License-Identifier: Apache-2.0 */

/* Elements of the maps of published ports in one transaction over the socket that is kept. libnftables would open one for it, and read first what sets there are;
 * and after a deletion the kernel lets the close(2) of such a socket wait until nobody reads the old elements any more, 15 ms of every container's end. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "network/filling.h"
#include "network/firewall.h"

enum { KEY_MAX = 16 + 4 + 4, MESSAGE_MAX = FIREWALL_PORTS_AT_ONCE * 80 + 256 };
_Static_assert(MESSAGE_MAX < 65536, "an attribute's length has 16 bits");

/* Fields of a concatenation, each in as many words of 32 bits as it needs. */
struct words {
        uint8_t b[KEY_MAX];
        size_t size;
};

static void add_field(struct words *w, const void *data, size_t size) {
        memset(w->b + w->size, 0, (size + 3) & ~(size_t) 3);
        memcpy(w->b + w->size, data, size);
        w->size += (size + 3) & ~(size_t) 3;
}

static void add_address(struct words *w, const struct address6 *a) {
        if (address6_is_ipv4(a))
                add_field(w, a->b + 12, 4);
        else
                add_field(w, a->b, sizeof(a->b));
}

static void put_words(struct filling *f, int type, const struct words *w) {
        struct nlattr *value = nest(f, type);

        put(f, NFTA_DATA_VALUE, w->b, w->size);
        nest_end(f, value);
}

static void put_element(struct filling *f, const struct firewall_map *m, const struct firewall_port *p, bool with_data) {
        uint16_t host_port = htons(p->host_port), port = htons(p->port);
        struct words key = { .size = 0 }, data = { .size = 0 };
        struct nlattr *element = nest(f, NFTA_LIST_ELEM);

        if (m->by_address)
                add_address(&key, &p->host_address);
        add_field(&key, &p->protocol, sizeof(p->protocol));
        add_field(&key, &host_port, sizeof(host_port));
        put_words(f, NFTA_SET_ELEM_KEY, &key);
        if (with_data) {
                add_address(&data, &p->address);
                add_field(&data, &port, sizeof(port));
                put_words(f, NFTA_SET_ELEM_DATA, &data);
        }
        nest_end(f, element);
}

static void add_message(struct rtnl_batch *b, struct filling *f, const char *table, const struct firewall_map *m, const struct firewall_port *ports, size_t n, bool add) {
        struct nfgenmsg head = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };
        int type = NFNL_SUBSYS_NFTABLES << 8 | (add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM);
        struct nlattr *list = NULL;

        for (size_t i = 0; i < n; i++) {
                if (!firewall_port_is_in(&ports[i], m->by_address, m->ipv6))
                        continue;
                if (!list) {
                        f->m = rtnl_add_large(b, type, NLM_F_ACK | (add ? NLM_F_CREATE : 0), &head, sizeof(head), MESSAGE_MAX);
                        put_string(f, NFTA_SET_ELEM_LIST_TABLE, table);
                        put_string(f, NFTA_SET_ELEM_LIST_SET, m->name);
                        list = nest(f, NFTA_SET_ELEM_LIST_ELEMENTS);
                }
                put_element(f, m, &ports[i], add);
        }
        if (list)
                nest_end(f, list);
}

int firewall_change_elements(const char *table, struct rtnl *netfilter, const struct firewall_port *ports, size_t n, bool add) {
        struct nfgenmsg whole = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) };
        struct filling f = { 0 };
        auto_batch b = { 0 };

        if (n > FIREWALL_PORTS_AT_ONCE)
                return -E2BIG;
        rtnl_add(&b, NFNL_MSG_BATCH_BEGIN, 0, &whole, sizeof(whole));
        for (size_t i = 0; i < FIREWALL_MAPS; i++)
                add_message(&b, &f, table, &firewall_maps[i], ports, n, add);
        rtnl_add(&b, NFNL_MSG_BATCH_END, 0, &whole, sizeof(whole));
        return f.failed < 0 ? f.failed : rtnl_run_whole(netfilter, &b);
}
