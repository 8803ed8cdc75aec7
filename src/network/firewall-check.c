/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody may have changed the table by hand: are its rules, networks and published ports those that should be there? */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/firewall.h"
#include "network/nft.h"

enum { TEXT_MAX = 200 };

static int list_table(const char *table, json_t **ret, struct err *err) {
        char command[64], said[NFT_SAID_SIZE];
        auto_free char *text = NULL;
        int r;

        snprintf(command, sizeof(command), "list table inet %s", table);
        r = nft_run(command, &text, said);
        if (r < 0)
                return *said ? err_set(err, ERR_NOT_FOUND, -ENOENT, "firewall table \"inet %s\" is not there", table) : err_errno(err, r, "firewall table \"inet %s\"", table);
        *ret = json_loads(text, 0, NULL);
        return *ret ? 0 : err_set(err, ERR_INTERNAL, -EPROTO, "firewall table \"inet %s\" cannot be read", table);
}

/* {"concat": ["10.0.0.2", 80]} → "10.0.0.2 . 80" */
static void flatten(struct strbuf *b, const json_t *value) {
        const json_t *parts = json_object_get(value, "concat"), *part;
        size_t i;

        if (json_is_string(value))
                strbuf_adds(b, json_string_value(value));
        else if (json_is_integer(value))
                strbuf_addf(b, "%lld", (long long) json_integer_value(value));
        json_array_foreach((json_t *) parts, i, part) {
                strbuf_adds(b, i ? " . " : "");
                flatten(b, part);
        }
}

/* The elements of a set or map of the table; NULL: there is no such. */
static const json_t *elements_of(const json_t *table, const char *kind, const char *name) {
        json_t *entry, *found = NULL;
        size_t i;

        json_array_foreach(json_object_get(table, "nftables"), i, entry) {
                json_t *set = json_object_get(entry, kind);

                if (!strcmp(json_get_str(set, "name", ""), name))
                        found = set;
        }
        return found ? json_object_get(found, "elem") : NULL;
}

static size_t count_ports(const struct firewall *f, const struct firewall_map *m) {
        size_t n = 0;

        for (size_t i = 0; i < f->n_ports; i++)
                n += firewall_port_is_in(&f->ports[i], m->by_address, m->ipv6);
        return n;
}

static bool has_port(const struct firewall *f, const struct firewall_map *m, const char *text) {
        for (size_t i = 0; i < f->n_ports; i++) {
                const struct firewall_port *p = &f->ports[i];
                char host[ADDRESS6_TEXT], address[ADDRESS6_TEXT], wanted[TEXT_MAX];

                if (!firewall_port_is_in(p, m->by_address, m->ipv6))
                        continue;
                address6_format(&p->host_address, host);
                address6_format(&p->address, address);
                snprintf(wanted, sizeof(wanted), "%s%s%u . %u : %s . %u", m->by_address ? host : "", m->by_address ? " . " : "", p->protocol, p->host_port, address, p->port);
                if (!strcmp(wanted, text))
                        return true;
        }
        return false;
}

/* Each element is one of ours, and there are as many: then they are the same. */
static bool map_fits(const struct firewall *f, const json_t *table, const struct firewall_map *m, char ret[160]) {
        const json_t *elements = elements_of(table, "map", m->name);
        size_t wanted = count_ports(f, m);
        json_t *pair;
        size_t i;

        json_array_foreach((json_t *) elements, i, pair) {
                auto_strbuf b;

                strbuf_init(&b, TEXT_MAX);
                flatten(&b, json_array_get(pair, 0));
                strbuf_adds(&b, " : ");
                flatten(&b, json_array_get(pair, 1));
                if (strbuf_error(&b) < 0 || !has_port(f, m, b.data)) {
                        snprintf(ret, 160, "a published port that is nobody's: %s", b.data ? b.data : "?");
                        return false;
                }
        }
        if (json_array_size(elements) == wanted)
                return true;
        snprintf(ret, 160, "%zu of %zu published ports are missing", wanted - json_array_size(elements), wanted);
        return false;
}

static bool set_fits(const json_t *table, const char *name, size_t wanted, char ret[160]) {
        size_t n = json_array_size(elements_of(table, "set", name));

        if (n != wanted)
                snprintf(ret, 160, "set \"%s\" has %zu elements instead of %zu", name, n, wanted);
        return n == wanted;
}

int firewall_compare(const struct firewall *f, struct rtnl *netfilter, char ret[160], struct err *err) {
        size_t n[10] = { f->n_networks, 0, 0, f->n_networks };
        static const char *const sets[10] = { "networks", "within", "internal", "sources", "translated", "sources6", "translated6", "names", "joined", "extended" };
        auto_json *table = NULL;
        char name[32];
        int r;

        firewall_table_name(f->name, name);
        r = list_table(name, &table, err);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r < 0 || !firewall_is_intact(f->name, netfilter)) {
                snprintf(ret, 160, r < 0 ? "the table is not there" : "rules are missing or were added");
                return 1;
        }
        for (size_t i = 0; i < f->n_networks; i++) {
                n[1] += f->networks[i].icc;
                n[2] += f->networks[i].internal;
                n[4] += f->networks[i].nat;
                n[7] += f->networks[i].names != 0;
                n[8] += f->networks[i].joined;
                n[9] += f->networks[i].extended;
                n[5] += f->networks[i].subnet6.prefix > 0;
                n[6] += f->networks[i].nat && f->networks[i].subnet6.prefix > 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                if (!set_fits(table, sets[i], n[i], ret))
                        return 1;
        if (!set_fits(table, "unreachable", f->no_loopback6, ret))
                return 1;
        for (size_t i = 0; i < FIREWALL_MAPS; i++)
                if (!map_fits(f, table, &firewall_maps[i], ret))
                        return 1;
        return 0;
}
