/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "image/fetcher.h"

int image_login(struct image_store *s, const struct image_login *l, bool *ret_known, char **ret_token, struct err *err) {
        const struct image_pull access = { .username = l->username, .password = l->password, .identity_token = l->identity_token };
        struct image_reference registry = { 0 };
        struct fetcher f = { .worker = WORKER_NONE };
        auto_json *done = NULL;
        const char *token;
        int r;

        if (strlen(l->registry) >= sizeof(registry.registry))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not the name of a registry", l->registry);
        image_registry_of_address(l->registry, registry.registry, sizeof(registry.registry));
        r = fetcher_start(s, &access, &registry, &(struct fetcher_use) { .offline = !l->identity_token }, &f, err);
        if (r < 0)
                return r;
        r = fetcher_ask(&f, json_pack("{s:s}", "op", "ping"), -EBADF, &done, err);
        worker_kill(&f.worker);
        if (r < 0)
                return r;
        token = json_get_str(done, "identity_token", NULL);
        *ret_token = token ? strdup(token) : NULL;
        *ret_known = strcmp(json_get_str(done, "how", ""), "known") == 0;
        return 0;
}
