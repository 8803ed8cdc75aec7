/* SPDX-License-Identifier: Apache-2.0 */
#include "kistd/defaults.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kistd/options.h"

enum { PROFILE_MAX = 1024 * 1024 };

static json_t *texts(const struct text_list *list) {
        json_t *array = json_array();

        for (size_t i = 0; i < list->n; i++)
                json_array_append_new(array, json_string(list->items[i]));
        return array;
}

static bool parse_limit(const char *text, int64_t *ret) {
        uint64_t n;

        if (!strcmp(text, "-1")) {
                *ret = -1;
                return true;
        }
        if (str_to_u64(text, 0, INT64_MAX, &n) < 0)
                return false;
        *ret = (int64_t) n;
        return true;
}

/* "nofile=1024:2048", "nofile=1024": the engine knows the names. */
static json_t *parse_ulimit(const char *text) {
        auto_free char *copy = strdup(text);
        char *equals = copy ? strchr(copy, '=') : NULL, *colon;
        int64_t soft, hard;

        if (!equals)
                return NULL;
        *equals++ = '\0';
        colon = strchr(equals, ':');
        if (colon)
                *colon++ = '\0';
        if (!parse_limit(equals, &soft) || !parse_limit(colon ? colon : equals, &hard))
                return NULL;
        return json_pack("{s:s, s:I, s:I}", "Name", copy, "Soft", (json_int_t) soft, "Hard", (json_int_t) hard);
}

static int add_ulimits(const struct options *o, json_t *host, struct err *err) {
        json_t *list = json_array();

        json_object_set_new(host, "Ulimits", list);
        for (size_t i = 0; i < o->ulimits.n; i++)
                if (json_array_append_new(list, parse_ulimit(o->ulimits.items[i])) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "--default-ulimit: \"%.64s\" is not NAME=SOFT:HARD", o->ulimits.items[i]);
        return 0;
}

static int add_log(const struct options *o, json_t *host, struct err *err) {
        json_t *config = json_object();

        json_object_set_new(host, "LogConfig", json_pack("{s:s, s:o}", "Type", o->log_driver, "Config", config));
        for (size_t i = 0; i < o->log_opts.n; i++) {
                const char *text = o->log_opts.items[i], *equals = strchr(text, '=');
                auto_free char *name = equals ? strndup(text, (size_t) (equals - text)) : NULL;

                if (!name || json_object_set_new(config, name, json_string(equals + 1)) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "--log-opt: \"%.64s\" is not NAME=VALUE", text);
        }
        return 0;
}

/* Docker's name for it begins with that of the driver. */
static int add_storage(const struct options *o, json_t *host, struct err *err) {
        static const char *const names[] = { "size=", "overlay2.size=" };
        const char *size = NULL;

        for (size_t i = 0; i < o->storage_opts.n; i++) {
                const char *text = o->storage_opts.items[i];
                size_t k = 0;

                while (k < ARRAY_SIZE(names) && !str_starts_with(text, names[k]))
                        k++;
                if (k == ARRAY_SIZE(names))
                        return err_set(err, ERR_INVALID, -EINVAL, "--storage-opt: \"%.64s\": the one option that there is is size=SIZE", text);
                size = text + strlen(names[k]);
        }
        if (size)
                json_object_set_new(host, "StorageOpt", json_pack("{s:s}", "size", size));
        return 0;
}

static int add_seccomp(const char *path, json_t *options, struct err *err) {
        auto_free char *text = NULL, *option = NULL;
        size_t size;
        int r;

        if (!strcmp(path, "builtin"))
                return 0;
        if (strcmp(path, "unconfined") != 0) {
                r = file_read_at(AT_FDCWD, path, PROFILE_MAX, &text, &size);
                if (r < 0)
                        return err_errno(err, r, "--seccomp-profile: %s", path);
        }
        option = str_format("seccomp=%s", text ? text : path);
        return option && json_array_append_new(options, json_string(option)) == 0
                       ? 0
                       : err_set(err, ERR_INVALID, -EINVAL, "--seccomp-profile: %s is not a profile", path);
}

static int check_words(const struct options *o, struct err *err) {
        static const struct {
                const char *name, *words[2];
        } rows[] = { { "--default-ipc-mode", { "private", "shareable" } }, { "--default-cgroupns-mode", { "private", "host" } }, { "--policy", { "default", "strict" } } };
        const char *const given[] = { o->ipc_mode, o->cgroupns_mode, o->policy };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (strcmp(given[i], rows[i].words[0]) != 0 && strcmp(given[i], rows[i].words[1]) != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: \"%.64s\" is neither %s nor %s", rows[i].name, given[i], rows[i].words[0], rows[i].words[1]);
        return 0;
}

/* Where it listens, for who wants to bind that into a container. */
static json_t *sockets(const struct options *o) {
        json_t *array = json_array();

        for (size_t i = 0; i < o->hosts.n; i++)
                if (str_starts_with(o->hosts.items[i], "unix://"))
                        json_array_append_new(array, json_string(o->hosts.items[i] + strlen("unix://")));
        return array;
}

int options_defaults(const struct options *o, json_t **ret, struct err *err) {
        auto_json *host = json_object();
        json_t *security = json_array();
        int r = check_words(o, err);

        json_object_set_new(host, "SecurityOpt", security);
        if (r == 0)
                r = add_ulimits(o, host, err);
        if (r == 0)
                r = add_log(o, host, err);
        if (r == 0)
                r = add_seccomp(o->seccomp_profile, security, err);
        if (r == 0)
                r = add_storage(o, host, err);
        if (r < 0)
                return r;
        if (o->no_new_privileges)
                json_array_append_new(security, json_string("no-new-privileges"));
        if (o->init)
                json_object_set_new(host, "Init", json_true());
        json_object_set_new(host, "ShmSize", json_integer((json_int_t) o->shm_size));
        json_object_set_new(host, "IpcMode", json_string(o->ipc_mode));
        json_object_set_new(host, "CgroupnsMode", json_string(o->cgroupns_mode));
        json_object_set_new(host, "Dns", texts(&o->dns));
        json_object_set_new(host, "DnsOptions", texts(&o->dns_opts));
        json_object_set_new(host, "DnsSearch", texts(&o->dns_search));
        *ret = json_pack("{s:O, s:s, s:o, s:s, s:o}", "HostConfig", host, "HostGateway", o->host_gateway ? o->host_gateway : "", "Labels", texts(&o->labels), "Policy", o->policy,
                         "Sockets", sockets(o));
        return *ret ? 0 : err_errno(err, -ENOMEM, "options");
}
