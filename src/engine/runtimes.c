/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/runtimes.h"

#include <ctype.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/spec.h"
#include "monitor/protocol.h"

enum { RUNTIMES_MAX = 64 };

/* Docker's names for what is asked of a runtime by its path, with its arguments behind line ends. */
static int parse(const char *text, struct runtime *ret, struct err *err) {
        const char *equals = strchr(text, '='), *path = equals ? equals + 1 : "";
        size_t n_name = equals ? (size_t) (equals - text) : 0, n_lines = 1;
        auto_free char *copy = strdup(path);
        auto_free char **lines = NULL;
        char *rest = copy;

        for (size_t i = 0; i < n_name; i++)
                if (!isalnum((unsigned char) text[i]) && !strchr("_.-", text[i]))
                        n_name = 0;
        if (n_name == 0 || n_name > 64 || !isalnum((unsigned char) *text))
                return err_set(err, ERR_INVALID, -EINVAL, "runtime \"%.64s\": NAME=PATH is wanted, the name of letters, digits and _.-", text);
        if (n_name == strlen(RUNTIME_OWN) && !memcmp(text, RUNTIME_OWN, n_name))
                return err_set(err, ERR_INVALID, -EINVAL, "runtime name \"" RUNTIME_OWN "\" is reserved: it is the one that is built in");
        if (*path != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "runtime %.*s: an absolute path is wanted, not \"%.64s\"", (int) n_name, text, path);
        for (const char *at = path; (at = strchr(at, '\n')); at++)
                n_lines++;
        if (n_lines > MONITOR_RUNTIME_ARGS_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "runtime %.*s: more than %d runtimeArgs", (int) n_name, text, MONITOR_RUNTIME_ARGS_MAX - 1);
        lines = calloc(n_lines, sizeof(*lines));
        if (!copy || !lines)
                return err_errno(err, -ENOMEM, "runtimes");
        *ret = (struct runtime) { .name = strndup(text, n_name), .path = strdup(strsep(&rest, "\n")) };
        while (rest)
                lines[ret->n_args++] = strdup(strsep(&rest, "\n"));
        ret->args = take_ptr(&lines);
        return 0;
}

static void done(struct runtime *r) {
        for (size_t i = 0; i < r->n_args; i++)
                free(r->args[i]);
        free(r->args);
        free(r->name);
        free(r->path);
}

int engine_check_runtimes(const char *const *texts, size_t n, const char *default_name, struct err *err) {
        bool found = !default_name || !*default_name || !strcmp(default_name, RUNTIME_OWN);

        if (n > RUNTIMES_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "more than %d runtimes", RUNTIMES_MAX);
        for (size_t i = 0; i < n; i++) {
                struct runtime one = {};
                size_t n_name = strcspn(texts[i], "=") + 1;
                int r = parse(texts[i], &one, err);

                if (r < 0)
                        return r;
                found = found || !strcmp(default_name, one.name);
                done(&one);
                for (size_t k = 0; k < i; k++)
                        if (!strncmp(texts[k], texts[i], n_name))
                                return err_set(err, ERR_INVALID, -EEXIST, "runtime %.*s is given twice", (int) n_name - 1, texts[i]);
        }
        return found ? 0 : err_set(err, ERR_INVALID, -ENOENT, "specified default runtime '%s' does not exist", default_name);
}

int runtimes_open(struct engine *e, const struct engine_options *o, struct err *err) {
        int r = engine_check_runtimes(o->runtimes, o->n_runtimes, o->default_runtime, err);

        if (r < 0)
                return r;
        e->default_runtime = strdup(o->default_runtime && *o->default_runtime ? o->default_runtime : RUNTIME_OWN);
        e->runtimes = calloc(o->n_runtimes + 1, sizeof(*e->runtimes));
        if (!e->runtimes || !e->default_runtime)
                return err_errno(err, -ENOMEM, "runtimes");
        for (size_t i = 0; i < o->n_runtimes; i++) {
                r = parse(o->runtimes[i], &e->runtimes[i], err);
                if (r < 0)
                        return r;
                e->n_runtimes++;
        }
        return 0;
}

void runtimes_close(struct engine *e) {
        for (size_t i = 0; i < e->n_runtimes; i++)
                done(&e->runtimes[i]);
        free(e->runtimes);
        free(e->default_runtime);
}

int runtime_find(const struct engine *e, const char *name, const struct runtime **ret, struct err *err) {
        *ret = NULL;
        if (!*name || !strcmp(name, RUNTIME_OWN))
                return 0;
        for (size_t i = 0; i < e->n_runtimes; i++) {
                if (strcmp(e->runtimes[i].name, name) != 0)
                        continue;
                *ret = &e->runtimes[i];
                return 0;
        }
        return err_set(err, ERR_INVALID, -ENOENT, "unknown or invalid runtime name: %s", name);
}

int runtime_check(const struct runtime *r, const struct spec *s, struct err *err) {
        const char *what = json_object_size(s->time_offsets) ? "HostConfig.TimeOffsets" : *s->personality ? "HostConfig.Personality" : NULL;

        for (size_t i = 0; i < s->n_mounts && !what; i++) {
                if (s->mounts[i].idmap)
                        what = "a mount with ids of its own (idmap)";
                else if (strstr(s->mounts[i].propagation, "shared"))
                        what = "a mount with shared propagation";
        }
        if (!r || !what)
                return 0;
        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: not with the runtime %s; " RUNTIME_OWN " does it", what, r->name);
}

json_t *runtimes_describe(const struct engine *e) {
        json_t *all = json_pack("{s:{s:s}}", RUNTIME_OWN, "path", "kist-monitor");

        for (size_t i = 0; i < e->n_runtimes; i++) {
                const struct runtime *r = &e->runtimes[i];
                json_t *one = json_pack("{s:s}", "path", r->path), *args = json_array();

                for (size_t k = 0; k < r->n_args; k++)
                        json_array_append_new(args, json_string(r->args[k]));
                if (r->n_args)
                        json_object_set(one, "runtimeArgs", args);
                json_decref(args);
                json_object_set_new(all, r->name, one);
        }
        return all;
}
