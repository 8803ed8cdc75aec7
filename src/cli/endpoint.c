/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/endpoint.h"

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/context-store.h"
#include "cli/host.h"
#include "cli/http.h"

static const struct args *options;

static const char *variable(const char *kist, const char *docker) {
        const char *value = getenv(kist);

        if (!value || !*value)
                value = getenv(docker);
        return value && *value ? value : NULL;
}

void endpoint_take_options(const struct args *global) {
        options = global;
        if (args_text(global, "config"))
                config_set_directory(args_text(global, "config"));
}

const char *endpoint_default_host(void) {
        const char *value = variable("KIST_HOST", "DOCKER_HOST");

        return value ? value : "unix:///run/kist/kist.sock";
}

const char *endpoint_context(void) {
        const char *name = args_text(options, "context");

        if (name)
                return name;
        if (args_text(options, "host") || variable("KIST_HOST", "DOCKER_HOST"))
                return "default";
        name = variable("KIST_CONTEXT", "DOCKER_CONTEXT");
        if (!name)
                name = config_text("currentContext");
        return name ? name : "default";
}

/* The file that was named, or the usual one when it is there. */
static const char *tls_file(const char *option, const char *usual) {
        const char *directory = variable("KIST_CERT_PATH", "DOCKER_CERT_PATH");
        char *path;

        if (args_text(options, option))
                return args_text(options, option);
        path = str_format("%s/%s", directory ? directory : config_directory(), usual);
        return path && access(path, R_OK) == 0 ? path : NULL;
}

static void tls_of_options(void) {
        struct host_tls tls = { 0 };

        tls.verify = args_given(options, "tlsverify") ? args_flag(options, "tlsverify") : variable("KIST_TLS_VERIFY", "DOCKER_TLS_VERIFY") != NULL;
        tls.on = args_flag(options, "tls") || args_given(options, "tlsverify") || variable("KIST_TLS_VERIFY", "DOCKER_TLS_VERIFY") ||
                 variable("KIST_TLS", "DOCKER_TLS");
        if (tls.on) {
                tls.ca = tls_file("tlscacert", "ca.pem");
                tls.cert = tls_file("tlscert", "cert.pem");
                tls.key = tls_file("tlskey", "key.pem");
        }
        host_set_tls(&tls);
}

static int take_context(const char *name, const char **ret_host, struct err *err) {
        const char *files[CONTEXT_TLS_FILES];
        struct host_tls tls = { 0 };
        json_t *meta; /* lives as long as the program: the host is in it */
        int r;

        r = context_load(name, &meta, err);
        if (r < 0)
                return r;
        *ret_host = context_host(meta);
        if (!**ret_host)
                return err_set(err, ERR_INVALID, -EINVAL, "context \"%s\" names no host", name);
        for (size_t i = 0; i < CONTEXT_TLS_FILES; i++) {
                files[i] = context_tls_path(name, context_tls_files[i]);
                if (access(files[i], R_OK) < 0)
                        files[i] = NULL;
        }
        tls.verify = !json_get_bool(context_endpoint(meta), "SkipTLSVerify", false);
        tls.ca = files[0];
        tls.cert = files[1];
        tls.key = files[2];
        tls.on = files[0] || files[1] || !tls.verify;
        host_set_tls(&tls);
        return 0;
}

int endpoint_choose(const struct args *global, const char **ret_host, struct err *err) {
        const char *context = endpoint_context();
        char *headers;
        int r;

        if (args_text(global, "context") && args_text(global, "host"))
                return err_set(err, ERR_INVALID, -EINVAL, "--host and --context: one of them says where");
        if (strcmp(context, "default") != 0) {
                r = take_context(context, ret_host, err);
        } else {
                const char *host = args_text(global, "host");

                *ret_host = host ? host : endpoint_default_host();
                tls_of_options();
                r = host_check(*ret_host, err);
        }
        if (r == 0)
                r = config_headers(&headers, err);
        if (r == 0 && headers)
                http_set_headers(headers);
        return r;
}
