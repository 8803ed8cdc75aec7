/* SPDX-License-Identifier: Apache-2.0 */
/* POST /containers/ID/update: limits, the restart policy, published ports and rates of endpoints of a container, whether it runs or not. */

#include <string.h>

#include "engine/cgroups.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/fields.h"
#include "engine/internal.h"
#include "engine/ports.h"
#include "engine/rates.h"
#include "engine/spec.h"

static const char *const fields[] = {
        "Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuQuota", "CpuPeriod", "CpuShares", "CpusetCpus", "CpusetMems", "PidsLimit", "RestartPolicy",
        "BlkioWeight", "CpuRealtimePeriod", "CpuRealtimeRuntime",
        "KernelMemory", /* not to be had: spec_parse() refuses it by name */
};

/* Clients send every field: one that is empty is not meant. */
static bool is_meant(const json_t *v) {
        if (json_is_object(v))
                return *json_get_str(v, "Name", "") != '\0';
        return v && !json_is_null(v) && !(json_is_integer(v) && json_integer_value(v) == 0) && !(json_is_string(v) && json_string_length(v) == 0);
}

/* The stored body with what changes. */
static json_t *merge(const json_t *old, const json_t *changes) {
        json_t *body = json_copy((json_t *) old), *host = json_copy(json_object_get(old, "HostConfig"));

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                json_t *v = json_object_get(changes, fields[i]);

                /* A quota in CPUs and one in microseconds replace each other. */
                if (!is_meant(v))
                        continue;
                if (!strcmp(fields[i], "NanoCpus")) {
                        json_object_del(host, "CpuQuota");
                        json_object_del(host, "CpuPeriod");
                } else if (!strcmp(fields[i], "CpuQuota") || !strcmp(fields[i], "CpuPeriod")) {
                        if (!is_meant(json_object_get(changes, "NanoCpus")))
                                json_object_del(host, "NanoCpus");
                }
                json_object_set(host, fields[i], v);
        }
        json_object_set_new(body, "HostConfig", host);
        return body;
}

static int apply(struct engine *e, struct container *c, const struct spec *s, struct err *err) {
        auto_free char *cgroup = engine_cgroup_path(e, &c->row);
        auto_json *resources = config_resources(s);

        if (!container_state_is_live(c->row.state))
                return 0;
        if (!cgroup)
                return err_errno(err, -ENOMEM, "container %s", c->row.name);
        json_object_del(resources, "devices"); /* they are what they were */
        return cgroups_update(e, cgroup, resources, err);
}

static int update_locked(struct engine *e, struct container *c, const json_t *changes, struct err *err) {
        auto_json *old = NULL, *body = NULL;
        auto_free char *text = NULL, *old_text = NULL;
        auto_spec s = {}, before = {};
        int r;

        if (c->gone)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", c->row.id);
        if (c->row.state == CONTAINER_REMOVING || c->row.state == CONTAINER_DEAD)
                return err_set(err, ERR_CONFLICT, -EBUSY, "Cannot update container %s: Container is marked for removal and cannot be \"update\".", c->row.id);
        r = db_spec(e->db, c->row.id, &old, err);
        if (r < 0)
                return r;
        if ((r = spec_parse(old, &before, err)) < 0)
                return r;
        body = merge(old, changes);
        if ((r = ports_merge(c, body, changes, err)) < 0 || (r = rates_merge(body, changes, err)) < 0 || (r = spec_parse(body, &s, err)) < 0 || (r = spec_check_host(&s, err)) < 0)
                return r;
        text = json_text(body);
        old_text = json_text(old);
        if (!text || !old_text)
                return err_errno(err, -ENOMEM, "container %s", c->row.name);
        /* Written first: what the kernel then refuses is taken back. */
        r = container_set_spec(c, text, err);
        if (r == 0)
                r = apply(e, c, &s, err);
        if (r == 0 && ((r = rates_change(e, c, &s, err)) < 0 || (r = ports_change(e, c, changes, err)) < 0)) {
                rates_change(e, c, &before, NULL);
                apply(e, c, &before, NULL);
        }
        if (r < 0)
                container_set_spec(c, old_text, NULL);
        return r;
}

int engine_update(struct engine *e, const char *name, const json_t *changes, json_t **ret, struct err *err) {
        auto_container *c = NULL;
        int r = fields_check_container(changes, err);

        if (r < 0 || (r = table_find(&e->table, name, &c, err)) < 0)
                return r;
        {
                auto_op *op = container_op_lock(c);

                r = update_locked(e, c, changes, err);
        }
        if (r < 0)
                return r;
        events_container(c, "update", NULL);
        *ret = json_pack("{s:[]}", "Warnings");
        return 0;
}
