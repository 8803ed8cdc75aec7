/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hooks.h"

#include "base/err.h"
#include "base/json.h"
#include "oci/container.h"
#include "oci/oci.h"
#include "runtime/plan/plan.h"

static bool has(const json_t *config, const char *list) {
        return json_array_size(json_get_array(json_get_object(config, "hooks"), list)) > 0;
}

static int run(const json_t *config, const char *list, const char *id, const char *bundle, pid_t pid, const char *status, struct err *err) {
        auto_json *state = NULL;

        if (!has(config, list))
                return 0;
        state = plan_state(config, id, bundle, pid, status);
        if (!state)
                return err_errno(err, -ENOMEM, "hooks.%s", list);
        return plan_run_hooks(config, list, state, bundle, NULL, NULL, err);
}

int hooks_before_start(const json_t *config, const char *id, const char *bundle, pid_t pid, struct err *err) {
        int r = run(config, "prestart", id, bundle, pid, "creating", err);

        return r < 0 ? r : run(config, "createRuntime", id, bundle, pid, "creating", err);
}

int hooks_after_start(struct container *c, struct err *err) {
        auto_json *config = NULL;
        int r = container_config(c, &config, err);

        if (r < 0)
                return r;
        return run(config, "poststart", c->id, json_get_str(c->state, "bundle", NULL), (pid_t) json_get_int(c->state, "pid", 0), "running", err);
}

static void warn(const struct err *err, void *data) {
        report_warning(data, err);
}

void hooks_after_stop(const struct options *o, const json_t *config, const char *id, const char *bundle) {
        auto_json *state = has(config, "poststop") ? plan_state(config, id, bundle, 0, "stopped") : NULL;

        if (state)
                plan_run_hooks(config, "poststop", state, bundle, warn, (void *) o, NULL);
}
