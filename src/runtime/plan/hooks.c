/* SPDX-License-Identifier: Apache-2.0 */

/* hooks. All six lists are checked here, whoever runs them; those that run inside of the container's namespaces become records of the plan. */

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

enum { HOOKS_MAX = 256 };

/* Who runs them, and whether they expect to find the root file system at its path. */
static const struct {
        const char *list;
        enum plan_hook_stage stage; /* 0: the caller */
        uint32_t flags;
} lists[] = {
        { "prestart", 0, PLAN_RUNTIME_HOOKS | PLAN_ROOT_IN_PLACE },
        { "createRuntime", 0, PLAN_RUNTIME_HOOKS | PLAN_ROOT_IN_PLACE },
        { "createContainer", PLAN_HOOK_CREATE_CONTAINER, PLAN_ROOT_IN_PLACE },
        { "startContainer", PLAN_HOOK_START_CONTAINER, 0 },
        { "poststart", 0, 0 },
        { "poststop", 0, 0 },
};

int hook_list(const json_t *config, const char *list, const json_t **ret, struct err *err) {
        const json_t *hooks = NULL, *array = NULL;
        int r = field_object(config, "", "hooks", &hooks, err);

        if (r == 0)
                r = field_array(hooks, "hooks", list, &array, err);
        if (r < 0)
                return r;
        if (json_array_size(array) > HOOKS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "hooks.%s: more than %d", list, HOOKS_MAX);
        *ret = array;
        return 0;
}

static int check_texts(const json_t *array, const char *at, const char *key, bool env, struct err *err) {
        for (size_t i = 0; i < json_array_size(array); i++) {
                const char *s;
                int r = field_item(array, i, at, key, &s, err);

                if (r < 0)
                        return r;
                if (env && (*s == '=' || !strchr(s, '=')))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.env[%zu]: \"%s\" is not NAME=value", at, i, s);
        }
        return 0;
}

int hook_parse(const json_t *array, const char *list, size_t i, struct hook *ret, struct err *err) {
        const json_t *json = json_array_get(array, i);
        struct hook h = { 0 };
        int64_t timeout = 0;
        int r;

        snprintf(h.at, sizeof(h.at), "hooks.%s[%zu]", list, i);
        if (!json_is_object(json))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: must be an object", h.at);
        r = field_string(json, h.at, "path", &h.path, err);
        if (r == 0)
                r = field_array(json, h.at, "args", &h.args, err);
        if (r == 0)
                r = field_array(json, h.at, "env", &h.env, err);
        if (r == 0)
                r = field_int(json, h.at, "timeout", 1, INT32_MAX, &timeout, err);
        if (r == 0)
                r = check_texts(h.args, h.at, "args", false, err);
        if (r == 0)
                r = check_texts(h.env, h.at, "env", true, err);
        if (r < 0)
                return r;
        if (!h.path || *h.path != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "%s.path: \"%s\" is not an absolute path", h.at, h.path ? h.path : "");
        h.timeout = (uint32_t) timeout;
        *ret = h;
        return 0;
}

static struct plan_table add_texts(struct planner *p, const json_t *array, const char *fallback) {
        struct plan_table t = { builder_count(&p->builder, BUILD_HOOK_TEXTS), (uint32_t) json_array_size(array) };
        uint32_t text;

        if (t.count == 0 && fallback) {
                text = builder_text(&p->builder, fallback);
                builder_add(&p->builder, BUILD_HOOK_TEXTS, &text);
                t.count = 1;
        }
        for (size_t i = 0; i < json_array_size(array); i++) {
                text = builder_text(&p->builder, json_string_value(json_array_get(array, i)));
                builder_add(&p->builder, BUILD_HOOK_TEXTS, &text);
        }
        return t;
}

static void add_hook(struct planner *p, enum plan_hook_stage stage, const struct hook *h) {
        struct plan_hook record = {
                .stage = stage,
                .path = builder_text(&p->builder, h->path),
                .what = builder_text(&p->builder, h->at),
                .timeout = h->timeout,
                .argv = add_texts(p, h->args, h->path),
                .env = add_texts(p, h->env, NULL),
        };

        builder_add(&p->builder, BUILD_HOOKS, &record);
}

json_t *plan_state(const json_t *config, const char *id, const char *bundle, int pid, const char *status) {
        json_t *annotations = json_object_get(config, "annotations");
        json_t *state = json_pack("{s:s, s:s, s:s}", "ociVersion", json_get_str(config, "ociVersion", "1.0.0"), "id", id, "bundle",
                                  bundle ? bundle : "");

        if (!state)
                return NULL;
        if (json_object_size(annotations) > 0)
                json_object_set(state, "annotations", annotations);
        if (status)
                json_object_set_new(state, "status", json_string(status));
        if (pid > 0)
                json_object_set_new(state, "pid", json_integer(pid));
        return state;
}

/* Status and pid are known to the executor alone: it completes the text. */
int plan_state_head(struct planner *p, const char *what, struct err *err) {
        auto_json *state = NULL;
        auto_free char *text = NULL, *head = NULL;

        if (p->builder.header.state_head)
                return 0;
        if (!p->options->id)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: the caller has not said the id of the container", what);
        state = plan_state(p->config, p->options->id, p->options->bundle, 0, NULL);
        text = state ? json_text(state) : NULL;
        head = text ? str_format("%.*s,\"status\":\"", (int) strlen(text) - 1, text) : NULL;
        if (!head)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: the state of the container is not UTF-8", what);
        p->builder.header.state_head = builder_text(&p->builder, head);
        return 0;
}

int plan_hooks(struct planner *p, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                const json_t *array = NULL;
                int r = hook_list(p->config, lists[i].list, &array, err);

                for (size_t k = 0; r == 0 && k < json_array_size(array); k++) {
                        struct hook h;

                        r = hook_parse(array, lists[i].list, k, &h, err);
                        if (r == 0 && lists[i].stage)
                                add_hook(p, lists[i].stage, &h);
                }
                if (r == 0 && json_array_size(array) > 0) {
                        p->builder.header.flags |= lists[i].flags;
                        r = plan_state_head(p, "hooks", err);
                }
                if (r < 0)
                        return r;
        }
        if (p->options->rootfs_by_fd && !p->options->root_place)
                p->builder.header.flags &= ~(uint32_t) PLAN_ROOT_IN_PLACE; /* it has no path */
        return 0;
}
