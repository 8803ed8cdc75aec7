/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "oci/container.h"
#include "oci/oci.h"
#include "oci/state.h"

int state_describe(struct container *c, json_t **ret, struct err *err) {
        static const char *const copied[] = { "bundle", "rootfs", "created", "owner", "annotations", "systemd-scope" };
        enum container_status status;
        json_t *out;
        int r = container_status(c, &status, err);

        if (r < 0)
                return r;
        out = json_pack("{s:s, s:s, s:I, s:s}", "ociVersion", json_get_str(c->state, "ociVersion", OCI_VERSION), "id", c->id, "pid",
                        (json_int_t) (status == STATUS_STOPPED ? 0 : json_get_int(c->state, "pid", 0)), "status", container_status_name(status));
        for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
                json_t *v = json_object_get(c->state, copied[i]);

                if (v && !json_is_null(v))
                        json_object_set(out, copied[i], v);
        }
        *ret = out;
        return 0;
}

int state_print(const json_t *value, struct err *err) {
        auto_free char *text = json_dumps(value, JSON_INDENT(2));
        auto_free char *line = text ? str_format("%s\n", text) : NULL;

        return line ? report_text(line, err) : err_errno(err, -ENOMEM, "standard output");
}

int command_state(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        auto_json *out = NULL;
        int r = container_open(o, args[0], false, &c, err);

        if (r == 0)
                r = state_describe(&c, &out, err);
        return r < 0 ? r : state_print(out, err);
}
