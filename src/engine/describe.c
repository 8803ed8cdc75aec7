/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/describe.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/timestamp.h"
#include "engine/config.h"
#include "engine/container.h"
#include "engine/networks.h"
#include "engine/spec.h"

void describe_duration(int64_t ns, char *ret, size_t size) {
        int64_t s = ns > 0 ? ns / 1000000000 : 0, minutes = s / 60, hours = (s + 1800) / 3600;

        if (s < 1)
                snprintf(ret, size, "Less than a second");
        else if (s == 1)
                snprintf(ret, size, "1 second");
        else if (s < 60)
                snprintf(ret, size, "%lld seconds", (long long) s);
        else if (minutes == 1)
                snprintf(ret, size, "About a minute");
        else if (minutes < 60)
                snprintf(ret, size, "%lld minutes", (long long) minutes);
        else if (hours == 1)
                snprintf(ret, size, "About an hour");
        else if (hours < 48)
                snprintf(ret, size, "%lld hours", (long long) hours);
        else if (hours < 24 * 7 * 2)
                snprintf(ret, size, "%lld days", (long long) (hours / 24));
        else if (hours < 24 * 30 * 2)
                snprintf(ret, size, "%lld weeks", (long long) (hours / 24 / 7));
        else if (hours < 24 * 365 * 2)
                snprintf(ret, size, "%lld months", (long long) (hours / 24 / 30));
        else
                snprintf(ret, size, "%lld years", (long long) (hours / 24 / 365));
}

char *describe_status(const struct container_row *row, const char *health, int64_t now_ns) {
        const char *before = health && !strcmp(health, "starting") ? " (health: " : " (";
        char since[64];

        switch (row->state) {
        case CONTAINER_RUNNING:
        case CONTAINER_PAUSED:
                describe_duration(now_ns - row->started_ns, since, sizeof(since));
                if (row->state == CONTAINER_PAUSED)
                        return str_format("Up %s (Paused)", since);
                return str_format("Up %s%s%s%s", since, health ? before : "", health ? health : "", health ? ")" : "");
        case CONTAINER_RESTARTING:
        case CONTAINER_EXITED:
                describe_duration(now_ns - row->finished_ns, since, sizeof(since));
                return str_format("%s (%d) %s ago", row->state == CONTAINER_EXITED ? "Exited" : "Restarting", row->exit_code, since);
        case CONTAINER_REMOVING:
                return strdup("Removal In Progress");
        case CONTAINER_DEAD:
                return strdup("Dead");
        default:
                return strdup("Created");
        }
}

json_t *describe_time(int64_t ns) {
        char text[TIME_RFC3339_SIZE];

        if (ns == 0)
                return json_string("0001-01-01T00:00:00Z");
        time_format_ns(ns, text);
        return json_string(text);
}

static const char *network_name(const struct spec *s) {
        return s->network == SPEC_NETWORK_HOST ? "host" : s->network == SPEC_NETWORK_NONE ? "none" : "bridge";
}

static const struct network_endpoint *endpoint_of(const struct container_row *row, const char *network_id) {
        for (size_t i = 0; i < row->n_endpoints; i++)
                if (!strcmp(row->endpoints[i].network, network_id))
                        return &row->endpoints[i];
        return NULL;
}

/* What a name server may answer with this endpoint: the container's name, the aliases, the short id, the host name. */
static json_t *dns_names(const struct container_row *row, const struct spec *s, const struct spec_endpoint *p) {
        json_t *names = json_array(), *alias;
        char hostname[64], short_id[13];
        size_t i;

        config_hostname(s, row->id, hostname);
        snprintf(short_id, sizeof(short_id), "%.12s", row->id);
        json_array_append_new(names, json_string(row->name));
        json_array_foreach(p->aliases, i, alias)
                json_array_append(names, alias);
        json_array_append_new(names, json_string(short_id));
        if (strcmp(hostname, short_id) != 0)
                json_array_append_new(names, json_string(hostname));
        return names;
}

static json_t *copy_or_null(const json_t *value) {
        return value ? json_incref((json_t *) value) : json_null();
}

static json_t *describe_endpoint(const struct container_row *row, const struct spec *s, const struct spec_endpoint *p) {
        static const struct network_endpoint none;
        const char *id = p && *p->network_id ? p->network_id : network_id(p ? p->network : network_name(s));
        const struct network_endpoint *e = endpoint_of(row, id);
        const json_t *config = p ? p->config : NULL;
        bool user = p && strcmp(p->network, "bridge") != 0;
        char endpoint_id[65] = "";

        if (e)
                network_endpoint_id(row->id, id, endpoint_id);
        else
                e = &none;
        return json_pack("{s:o, s:n, s:o, s:s, s:o, s:i, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:o}", "IPAMConfig", copy_or_null(json_object_get(config, "IPAMConfig")), "Links",
                         "Aliases", copy_or_null(p ? p->aliases : NULL), "MacAddress", *e->mac ? e->mac : p ? p->mac : "", "DriverOpts",
                         copy_or_null(json_object_get(config, "DriverOpts")), "GwPriority", p ? (int) p->priority : 0, "NetworkID", id, "EndpointID", endpoint_id, "Gateway", e->gateway,
                         "IPAddress", e->address, "IPPrefixLen", (int) e->prefix, "IPv6Gateway", e->gateway6, "GlobalIPv6Address", e->address6, "GlobalIPv6PrefixLen", (int) e->prefix6, "DNSNames",
                         user ? dns_names(row, s, p) : json_null());
}

json_t *describe_networks(const struct container_row *row, const struct spec *s) {
        json_t *all = json_object();

        if (s->network_of) /* shown where it is */
                return all;
        for (size_t i = 0; i < s->n_endpoints; i++)
                json_object_set_new(all, s->endpoints[i].network, describe_endpoint(row, s, &s->endpoints[i]));
        if (s->network == SPEC_NETWORK_NONE || s->network == SPEC_NETWORK_HOST)
                json_object_set_new(all, network_name(s), describe_endpoint(row, s, NULL));
        return all;
}

json_t *describe_mounts(const char *root, const struct spec *s) {
        json_t *list = json_array();

        for (size_t i = 0; i < s->n_mounts; i++) {
                const struct spec_mount *m = &s->mounts[i];

                if (m->type == SPEC_MOUNT_TMPFS)
                        continue; /* Docker's list has what HostConfig.Tmpfs has not */
                if (m->type == SPEC_MOUNT_VOLUME) {
                        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:b, s:s}", "Type", "volume", "Name", m->source, "Source",
                                                              json_sprintf("%s/volumes/%s/_data", root, m->source), "Destination", m->target, "Driver", "local", "Mode",
                                                              m->from_binds ? (m->read_only ? "ro" : "z") : "", "RW", !m->read_only, "Propagation", ""));
                        continue;
                }
                json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "Type", m->type == SPEC_MOUNT_IMAGE ? "image" : "bind", "Source", m->source, "Destination", m->target, "Mode",
                                                      m->read_only && m->from_binds ? "ro" : "", "RW", !m->read_only, "Propagation", m->propagation));
        }
        return list;
}
