/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "oci/container.h"
#include "oci/oci.h"
#include "oci/state.h"

static int check_format(const struct options *o, struct err *err) {
        if (o->format && strcmp(o->format, "table") != 0 && strcmp(o->format, "json") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--format %s: neither table nor json", o->format);
        return 0;
}

/* One that is gone before we have looked at it is not listed. */
static int describe_all(const struct options *o, const json_t *ids, json_t *out, struct err *err) {
        size_t i;
        json_t *id;

        json_array_foreach(ids, i, id) {
                auto_container c = CONTAINER_NONE;
                json_t *state;
                int r = container_open(o, json_string_value(id), false, &c, err);

                if (r == 0)
                        r = state_describe(&c, &state, err);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                json_array_append_new(out, state);
        }
        return 0;
}

static int print_table(const json_t *states, struct err *err) {
        auto_strbuf b;
        size_t i;
        json_t *s;

        strbuf_init(&b, 64 << 20);
        strbuf_addf(&b, "%-24s %-8s %-8s %-40s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED");
        json_array_foreach(states, i, s)
                strbuf_addf(&b, "%-24s %-8lld %-8s %-40s %s\n", json_get_str(s, "id", ""), (long long) json_get_int(s, "pid", 0),
                            json_get_str(s, "status", ""), json_get_str(s, "bundle", ""), json_get_str(s, "created", ""));
        return strbuf_error(&b) ? err_errno(err, strbuf_error(&b), "list of containers") : report_text(b.data, err);
}

static int print_names(const json_t *ids, struct err *err) {
        auto_strbuf b;
        size_t i;
        json_t *id;

        strbuf_init(&b, 64 << 20);
        json_array_foreach(ids, i, id)
                strbuf_addf(&b, "%s\n", json_string_value(id));
        return strbuf_error(&b) ? err_errno(err, strbuf_error(&b), "list of containers") : report_text(b.data ?: "", err);
}

int command_list(const struct options *o, char **args, int n_args, struct err *err) {
        auto_json *ids = NULL, *states = json_array();
        int r = check_format(o, err);

        if (r == 0)
                r = container_ids(o, &ids, err);
        if (r == 0 && o->quiet)
                return print_names(ids, err);
        if (r == 0)
                r = describe_all(o, ids, states, err);
        if (r < 0)
                return r;
        return o->format && strcmp(o->format, "json") == 0 ? state_print(states, err) : print_table(states, err);
}

int command_ps(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        auto_json *pids = NULL;
        auto_strbuf b = { 0 };
        size_t i;
        json_t *pid;
        int r = check_format(o, err);

        if (r == 0)
                r = container_open(o, args[0], false, &c, err);
        if (r == 0)
                r = container_processes(&c, &pids, err);
        if (r < 0)
                return r;
        if (o->format && strcmp(o->format, "json") == 0)
                return state_print(pids, err);
        strbuf_init(&b, 64 << 20);
        strbuf_adds(&b, "PID\n");
        json_array_foreach(pids, i, pid)
                strbuf_addf(&b, "%lld\n", (long long) json_integer_value(pid));
        return strbuf_error(&b) ? err_errno(err, strbuf_error(&b), "list of processes") : report_text(b.data, err);
}
