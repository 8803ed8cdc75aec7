/* SPDX-License-Identifier: Apache-2.0 */
/* The PORTS column, and `kist port`. */
#include "cli/ports.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"

struct port {
        const char *ip, *type; /* ip "" when it is not published */
        int private, public;
};

static int by_number(const void *a, const void *b) {
        const struct port *x = a, *y = b;
        int order = x->private - y->private;

        if (order == 0)
                order = strcmp(x->ip, y->ip);
        if (order == 0)
                order = x->public - y->public;
        return order ? order : strcmp(x->type, y->type);
}

/* The same number on both sides can be told as a range together with the next. */
static bool is_straight(const struct port *p) {
        return !*p->ip || p->private == p->public;
}

static void add_range(struct strbuf *b, const struct port *first, int last) {
        char range[32];

        snprintf(range, sizeof(range), last > first->private ? "%d-%d" : "%d", first->private, last);
        strbuf_adds(b, b->size ? ", " : "");
        if (!*first->ip)
                strbuf_addf(b, "%s/%s", range, first->type);
        else if (is_straight(first))
                strbuf_addf(b, strchr(first->ip, ':') ? "[%s]:%s->%s/%s" : "%s:%s->%s/%s", first->ip, range, range, first->type);
        else
                strbuf_addf(b, strchr(first->ip, ':') ? "[%s]:%d->%s/%s" : "%s:%d->%s/%s", first->ip, first->public, range, first->type);
}

/* Those of one address and protocol that are straight, in rows; the others of `ports` are left for later. */
static void add_group(struct strbuf *b, const struct port *ports, size_t n, const struct port *like, bool *done) {
        const struct port *first = NULL;
        int last = 0;

        for (size_t i = 0; i < n; i++) {
                const struct port *p = &ports[i];

                if (done[i] || !is_straight(p) || strcmp(p->ip, like->ip) != 0 || strcmp(p->type, like->type) != 0)
                        continue;
                done[i] = true;
                if (first && p->private <= last + 1) {
                        last = p->private;
                        continue;
                }
                if (first)
                        add_range(b, first, last);
                first = p;
                last = p->private;
        }
        if (first)
                add_range(b, first, last);
}

char *ports_text(const json_t *list) {
        size_t n = json_array_size(list), i;
        auto_free struct port *ports = calloc(n + 1, sizeof(*ports));
        auto_free bool *done = calloc(n + 1, sizeof(*done));
        json_t *item;
        auto_strbuf b;

        strbuf_init(&b, 1 << 20);
        if (!ports || !done)
                abort();
        json_array_foreach((json_t *) list, i, item)
                ports[i] = (struct port) { json_get_str(item, "IP", ""), json_get_str(item, "Type", "tcp"), (int) json_get_int(item, "PrivatePort", 0),
                                           (int) json_get_int(item, "PublicPort", 0) };
        qsort(ports, n, sizeof(*ports), by_number);
        for (i = 0; i < n; i++)
                if (!done[i] && is_straight(&ports[i]))
                        add_group(&b, ports, n, &ports[i], done);
        for (i = 0; i < n; i++)
                if (!done[i])
                        add_range(&b, &ports[i], ports[i].private);
        return strbuf_take(&b, NULL);
}

/* --- port --- */

/* "80/tcp" of an inspection, with what it is published as. One that is not published has null or []. */
static size_t print_bindings(const char *port, const json_t *bindings, bool whole) {
        json_t *binding;
        size_t i;

        json_array_foreach((json_t *) bindings, i, binding) {
                const char *ip = json_get_str(binding, "HostIp", ""), *host = json_get_str(binding, "HostPort", "");

                if (whole)
                        printf("%s -> ", port);
                printf(strchr(ip, ':') ? "[%s]:%s\n" : "%s:%s\n", *ip ? ip : "0.0.0.0", host);
        }
        return json_array_size(bindings);
}

static int port_order(const void *a, const void *b) {
        const char *x = *(const char *const *) a, *y = *(const char *const *) b;
        int order = atoi(x) - atoi(y);

        return order ? order : strcmp(x, y);
}

static int run_port(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0)), *wanted = NULL;
        auto_free const char **keys = NULL;
        const char *port = args_at(a, 1), *key;
        auto_json *found = NULL;
        auto_path path = { 0 };
        struct err err = { 0 };
        json_t *ports, *value;
        size_t n = 0;

        path_init(&path, "/containers/%s/json", name);
        if (client_call(c, "GET", &path, NULL, &found, &err) < 0)
                return client_complain(&err, 1);
        ports = json_get_object(json_get_object(found, "NetworkSettings"), "Ports");
        if (port) {
                wanted = strchr(port, '/') ? strdup(port) : str_format("%s/tcp", port);
                if (print_bindings(wanted, json_object_get(ports, wanted), false) > 0)
                        return 0;
                complain("no public port '%s' published for %s", wanted, args_at(a, 0));
                return 1;
        }
        keys = calloc(json_object_size(ports) + 1, sizeof(*keys));
        if (!keys)
                abort();
        json_object_foreach(ports, key, value)
                keys[n++] = key;
        qsort(keys, n, sizeof(*keys), port_order);
        for (size_t i = 0; i < n; i++)
                print_bindings(keys[i], json_object_get(ports, keys[i]), true);
        return 0;
}

static const struct option no_options[] = { { 0 } };

const struct command command_port = {
        "port", "container", NULL, "CONTAINER [PORT[/PROTOCOL]]", "Show where a container's ports are published", "  kist port web\n  kist port web 80/tcp\n",
        no_options, NULL, 1, 2, false, run_port,
};
