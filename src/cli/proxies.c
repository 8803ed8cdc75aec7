/* SPDX-License-Identifier: Apache-2.0 */

/* config.json's "proxies": what a new container is told to reach the outside by, for the daemon at hand or by "default". */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/config.h"
#include "cli/container-body.h"
#include "cli/container-options.h"

/* Programs look for the one or the other spelling. */
static const struct {
        const char *key, *upper, *lower;
} variables[] = {
        { "httpProxy", "HTTP_PROXY", "http_proxy" },
        { "httpsProxy", "HTTPS_PROXY", "https_proxy" },
        { "ftpProxy", "FTP_PROXY", "ftp_proxy" },
        { "noProxy", "NO_PROXY", "no_proxy" },
        { "allProxy", "ALL_PROXY", "all_proxy" },
};

static bool is_named(const char *text, const char *name) {
        size_t n = strlen(name);

        return strncmp(text, name, n) == 0 && (text[n] == '=' || text[n] == '\0');
}

/* By the person, who has the last word; also the name alone, with which they say that it is to be as it is here, or not at all. */
static bool is_given(const struct args *a, json_t *env, const char *name) {
        const char *const *items;
        size_t n = args_list(a, "env", &items), i;
        json_t *value;

        for (i = 0; i < n; i++)
                if (is_named(items[i], name))
                        return true;
        json_array_foreach(env, i, value)
                if (is_named(json_string_value(value), name))
                        return true;
        return false;
}

static void add(const struct args *a, json_t *env, const char *name, const char *value) {
        auto_free char *pair = is_given(a, env, name) ? NULL : str_format("%s=%s", name, value);

        if (pair)
                json_array_append_new(env, json_string(pair));
}

void container_add_proxies(const struct args *a, const char *host, json_t *body) {
        json_t *all = json_get_object(config_object(), "proxies"), *ours = json_get_object(all, host), *env = json_object_get(body, "Env");

        if (!ours)
                ours = json_get_object(all, "default");
        for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
                const char *value = json_get_str(ours, variables[i].key, "");

                if (!*value)
                        continue;
                add(a, env, variables[i].upper, value);
                add(a, env, variables[i].lower, value);
        }
}
