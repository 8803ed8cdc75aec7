/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/fields.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static bool is_text(const json_t *v) {
        return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v);
}

static bool is_strings(const json_t *v) {
        const json_t *item;
        size_t i;

        if (!json_is_array(v))
                return false;
        json_array_foreach((json_t *) v, i, item)
                if (!is_text(item))
                        return false;
        return true;
}

static bool is_texts(const json_t *v) {
        const char *key;
        json_t *item;

        if (!json_is_object(v))
                return false;
        json_object_foreach((json_t *) v, key, item)
                if (!is_text(item))
                        return false;
        return true;
}

static const char *const words[] = {
        [FIELD_BOOL] = "true or false is",
        [FIELD_INT] = "a whole number is",
        [FIELD_STRING] = "a string is",
        [FIELD_STRINGS] = "an array of strings is",
        [FIELD_COMMAND] = "an array of strings is",
        [FIELD_MAP] = "an object is",
        [FIELD_TEXTS] = "an object of strings is",
        [FIELD_LIST] = "an array is",
        [FIELD_ANY] = "a value is",
};

const char *field_words(enum field_type type) {
        return words[type];
}

bool field_fits(const json_t *v, enum field_type type) {
        switch (type) {
        case FIELD_BOOL:
                return json_is_boolean(v);
        case FIELD_INT:
                return json_is_integer(v);
        case FIELD_STRING:
                return is_text(v);
        case FIELD_STRINGS:
                return is_strings(v);
        case FIELD_COMMAND:
                return is_strings(v) || is_text(v);
        case FIELD_MAP:
                return json_is_object(v);
        case FIELD_TEXTS:
                return is_texts(v);
        case FIELD_LIST:
                return json_is_array(v);
        case FIELD_ANY:
                return true;
        }
        return false;
}

/* `at`: the rest of row->path. Only the part that is there is walked: what is of another type above has a row of its own, or is nobody's. */
static int walk(const json_t *v, const char *at, const struct field_rule *row, struct err *err) {
        const char *key;
        json_t *item;
        size_t i, n;
        int r = 0;

        if (!v || json_is_null(v))
                return 0;
        if (!*at)
                return field_fits(v, row->type) ? 0 : err_set(err, ERR_INVALID, -EINVAL, "%s: %s expected", row->path, words[row->type]);
        if (str_starts_with(at, "[]")) {
                json_array_foreach((json_t *) v, i, item)
                        if (r == 0)
                                r = walk(item, at + 2, row, err);
                return r;
        }
        if (str_starts_with(at, "{}")) {
                json_object_foreach((json_t *) v, key, item)
                        if (r == 0)
                                r = walk(item, at + 2, row, err);
                return r;
        }
        at += *at == '.';
        n = strcspn(at, ".[{");
        return walk(json_object_getn(v, at, n), at + n, row, err);
}

int fields_check(const json_t *body, const struct field_rule *rows, size_t n, struct err *err) {
        for (size_t i = 0; i < n; i++) {
                int r = walk(body, rows[i].path, &rows[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- the bodies --- */

int fields_check_container(const json_t *body, struct err *err) {
        static const struct field_rule rows[] = {
                { "Healthcheck.Test", FIELD_STRINGS },
                { "Healthcheck.Interval", FIELD_INT },
                { "Healthcheck.Timeout", FIELD_INT },
                { "Healthcheck.Retries", FIELD_INT },
                { "Healthcheck.StartPeriod", FIELD_INT },
                { "Healthcheck.StartInterval", FIELD_INT },
                { "OnBuild", FIELD_STRINGS },
                { "Volumes{}", FIELD_MAP },
                { "ExposedPorts{}", FIELD_MAP },
                { "NetworkingConfig", FIELD_MAP },
                { "NetworkingConfig.EndpointsConfig", FIELD_MAP },
                { "NetworkingConfig.EndpointsConfig{}", FIELD_MAP },
                { "NetworkingConfig.EndpointsConfig{}.IPAMConfig", FIELD_MAP },
                { "HostConfig.LogConfig.Type", FIELD_STRING },
                { "HostConfig.LogConfig.Config", FIELD_MAP },
                { "HostConfig.PortBindings{}[]", FIELD_MAP },
                { "HostConfig.PortBindings{}[].HostIp", FIELD_STRING },
                { "HostConfig.PortBindings{}[].HostPort", FIELD_STRING },
                { "HostConfig.RestartPolicy.Name", FIELD_STRING },
                { "HostConfig.RestartPolicy.MaximumRetryCount", FIELD_INT },
                { "RestartPolicy.Name", FIELD_STRING }, /* of an update */
                { "RestartPolicy.MaximumRetryCount", FIELD_INT },
                { "HostConfig.Ulimits[].Name", FIELD_STRING },
                { "HostConfig.Ulimits[].Soft", FIELD_INT },
                { "HostConfig.Ulimits[].Hard", FIELD_INT },
                { "HostConfig.ConsoleSize[]", FIELD_INT },
                { "HostConfig.Mounts[]", FIELD_MAP },
                { "HostConfig.Mounts[].Type", FIELD_STRING },
                { "HostConfig.Mounts[].Source", FIELD_STRING },
                { "HostConfig.Mounts[].Target", FIELD_STRING },
                { "HostConfig.Mounts[].Consistency", FIELD_STRING },
                { "HostConfig.Mounts[].ReadOnly", FIELD_BOOL },
                { "HostConfig.Mounts[].BindOptions", FIELD_MAP },
                { "HostConfig.Mounts[].BindOptions.Propagation", FIELD_STRING },
                { "HostConfig.Mounts[].BindOptions.NonRecursive", FIELD_BOOL },
                { "HostConfig.Mounts[].BindOptions.CreateMountpoint", FIELD_BOOL },
                { "HostConfig.Mounts[].BindOptions.ReadOnlyNonRecursive", FIELD_BOOL },
                { "HostConfig.Mounts[].BindOptions.ReadOnlyForceRecursive", FIELD_BOOL },
                { "HostConfig.Mounts[].VolumeOptions", FIELD_MAP },
                { "HostConfig.Mounts[].VolumeOptions.NoCopy", FIELD_BOOL },
                { "HostConfig.Mounts[].VolumeOptions.Labels", FIELD_MAP },
                { "HostConfig.Mounts[].VolumeOptions.Subpath", FIELD_STRING },
                { "HostConfig.Mounts[].VolumeOptions.DriverConfig", FIELD_MAP },
                { "HostConfig.Mounts[].VolumeOptions.DriverConfig.Name", FIELD_STRING },
                { "HostConfig.Mounts[].VolumeOptions.DriverConfig.Options", FIELD_MAP },
                { "HostConfig.Mounts[].ImageOptions", FIELD_MAP },
                { "HostConfig.Mounts[].ImageOptions.Subpath", FIELD_STRING },
                { "HostConfig.Mounts[].TmpfsOptions", FIELD_MAP },
                { "HostConfig.Mounts[].TmpfsOptions.SizeBytes", FIELD_INT },
                { "HostConfig.Mounts[].TmpfsOptions.Mode", FIELD_INT },
                { "HostConfig.Mounts[].TmpfsOptions.Options", FIELD_LIST },
        };

        return fields_check(body, rows, ARRAY_SIZE(rows), err);
}

int fields_check_exec(const json_t *body, struct err *err) {
        static const struct field_rule rows[] = {
                { "Cmd", FIELD_STRINGS },        { "Env", FIELD_STRINGS },       { "User", FIELD_STRING },       { "WorkingDir", FIELD_STRING },
                { "DetachKeys", FIELD_STRING },  { "AttachStdin", FIELD_BOOL },  { "AttachStdout", FIELD_BOOL }, { "AttachStderr", FIELD_BOOL },
                { "Tty", FIELD_BOOL },           { "Privileged", FIELD_BOOL },   { "ConsoleSize", FIELD_LIST },  { "ConsoleSize[]", FIELD_INT },
        };

        return fields_check(body, rows, ARRAY_SIZE(rows), err);
}

int fields_check_volume(const json_t *body, struct err *err) {
        static const struct field_rule rows[] = {
                { "Name", FIELD_STRING }, { "Driver", FIELD_STRING }, { "DriverOpts", FIELD_MAP }, { "Labels", FIELD_MAP }, { "ClusterVolumeSpec", FIELD_MAP },
        };

        return fields_check(body, rows, ARRAY_SIZE(rows), err);
}

int fields_check_network(const json_t *body, struct err *err) {
        static const struct field_rule rows[] = {
                { "Name", FIELD_STRING },
                { "Driver", FIELD_STRING },
                { "Scope", FIELD_STRING },
                { "CheckDuplicate", FIELD_BOOL },
                { "Internal", FIELD_BOOL },
                { "Attachable", FIELD_BOOL },
                { "Ingress", FIELD_BOOL },
                { "ConfigOnly", FIELD_BOOL },
                { "ConfigFrom", FIELD_MAP },
                { "EnableIPv4", FIELD_BOOL },
                { "EnableIPv6", FIELD_BOOL },
                { "IPAM", FIELD_MAP },
                { "IPAM.Driver", FIELD_STRING },
                { "IPAM.Options", FIELD_TEXTS },
                { "IPAM.Config", FIELD_LIST },
                { "IPAM.Config[]", FIELD_MAP },
                { "IPAM.Config[].Subnet", FIELD_STRING },
                { "IPAM.Config[].IPRange", FIELD_STRING },
                { "IPAM.Config[].Gateway", FIELD_STRING },
                { "IPAM.Config[].AuxiliaryAddresses", FIELD_TEXTS },
                { "Options", FIELD_MAP },
                { "Labels", FIELD_MAP },
        };

        return fields_check(body, rows, ARRAY_SIZE(rows), err);
}

int fields_check_endpoint(const json_t *body, struct err *err) {
        static const struct field_rule rows[] = { { "Container", FIELD_STRING }, { "Force", FIELD_BOOL }, { "EndpointConfig", FIELD_MAP }, { "EndpointConfig.IPAMConfig", FIELD_MAP } };

        int r = fields_check(body, rows, ARRAY_SIZE(rows), err);

        if (r == 0 && !*json_get_str(body, "Container", ""))
                r = err_set(err, ERR_INVALID, -EINVAL, "invalid name or ID supplied: \"\"");
        return r;
}
