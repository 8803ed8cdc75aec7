/* SPDX-License-Identifier: Apache-2.0 */

/* Scopes with limits: what is said to systemd, and what is written beside it. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "runtime/cgroup/cgroup.h"
#include "systemd/systemd.h"

static int add_file(bool v2, const char *file, const char *value, void *data, struct err *err) {
        return scope_add_file(data, v2, file, value, err);
}

static int add_annotations(struct scope_settings *s, const json_t *annotations, struct err *err) {
        const char *key;
        json_t *value;
        int r = 0;

        json_object_foreach((json_t *) annotations, key, value) {
                if (r == 0 && json_is_string(value))
                        r = scope_add_annotation(s, key, json_string_value(value), err);
        }
        return r;
}

static int64_t pids_limit(const json_t *resources) {
        return json_get_int(json_object_get(resources, "pids"), "limit", 0);
}

/* The holder is one process more than the container may have. */
static int write_limits(const struct cgroup_host *h, const json_t *resources, const char *cgroup, struct err *err) {
        auto_json *with_holder = json_deep_copy(resources);

        if (pids_limit(resources) > 0)
                json_object_set_new(json_object_get(with_holder, "pids"), "limit", json_integer(pids_limit(resources) + 1));
        return cgroup_adopt(h, cgroup, with_holder, err);
}

/* Those of `a` that `b` has not, out of it. */
static void keep_new(struct scope_settings *a, const struct scope_settings *b) {
        size_t kept = 0;

        for (size_t i = 0; i < a->n; i++) {
                bool known = false;

                for (size_t k = 0; k < b->n; k++)
                        known = known || strcmp(a->at[i], b->at[k]) == 0;
                if (known)
                        free(a->at[i]);
                else
                        a->at[kept++] = a->at[i];
        }
        a->n = kept;
}

/* Which of two files a weight goes to is known when they are there, and systemd has another number for each. */
static int say_what_differs(const struct scope *s, const struct cgroup_host *h, const char *cgroup, const json_t *resources,
                            const struct scope_settings *said, struct err *err) {
        auto_scope_settings now = { .n = 0 };
        int r = json_object_get(resources, "blockIO") ? cgroup_settings(h, cgroup, resources, add_file, &now, err) : 0;

        if (r < 0)
                return r;
        keep_new(&now, said);
        return scope_set(s, &now, err);
}

int scope_make_limited(const struct scope *s, const struct cgroup_host *h, const json_t *resources, const json_t *annotations, struct scope_holder *ret,
                       char **ret_cgroup, struct err *err) {
        auto_scope_settings settings = { .n = 0 };
        struct scope_holder holder = SCOPE_HOLDER_NONE;
        char *cgroup = NULL;
        int r = scope_check_host(s, err);

        if (r == 0)
                r = cgroup_settings(h, NULL, resources, add_file, &settings, err);
        if (r == 0)
                r = add_annotations(&settings, annotations, err);
        if (r == 0)
                r = scope_start(s, &settings, &holder, &cgroup, err);
        if (r < 0)
                return r;
        r = say_what_differs(s, h, cgroup, resources, &settings, err);
        if (r == 0)
                r = write_limits(h, resources, cgroup, err);
        if (r < 0) {
                scope_release(&holder);
                cgroup_destroy(h, cgroup, NULL);
                scope_stop(s, NULL);
                free(cgroup);
                return r;
        }
        *ret = holder;
        *ret_cgroup = cgroup;
        return 0;
}

int scope_settle(const struct cgroup_host *h, const char *cgroup, const json_t *resources, struct scope_holder *holder, struct err *err) {
        auto_json *pids = json_pack("{s:{s:I}}", "pids", "limit", (json_int_t) pids_limit(resources));
        int r = pids_limit(resources) > 0 ? cgroup_update(h, cgroup, pids, err) : 0;

        /* After it: at no time may there be one more. */
        scope_release(holder);
        return r;
}

int scope_update_limits(const struct scope *s, const struct cgroup_host *h, const char *cgroup, const json_t *resources, struct err *err) {
        auto_scope_settings settings = { .n = 0 };
        int r = cgroup_settings(h, cgroup, resources, add_file, &settings, err);

        return r < 0 ? r : scope_set(s, &settings, err);
}
