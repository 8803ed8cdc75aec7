/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registries.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/store.h"

#define DEFAULT_REGISTRY "docker.io"

enum { UPLOADS_AT_ONCE = 5, DOWNLOADS_AT_ONCE = 3, ATTEMPTS = 5, HOST_MAX = 255 };

/* Never changed once it is made: a change of the configuration makes another one. */
struct registries {
        atomic_uint refs;
        json_t *insecure, *certs_dirs;
        json_t *mirrors; /* {registry: [URL]} */
        char *http_proxy, *https_proxy, *no_proxy;
        unsigned uploads_at_once, downloads_at_once, attempts;
        bool discard_blobs;
};

/* --- what is told --- */

/* "[REGISTRY=]http[s]://HOST[:PORT][/]": *ret_url without the slash. */
static bool parse_mirror(const char *text, char registry[HOST_MAX + 1], char **ret_url) {
        static const char host_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
        const char *equals = strchr(text, '='), *url = equals ? equals + 1 : text, *host;
        size_t n = equals ? (size_t) (equals - text) : strlen(DEFAULT_REGISTRY), m;

        if (n == 0 || n > HOST_MAX || (equals && strspn(text, host_chars) != n))
                return false;
        snprintf(registry, HOST_MAX + 1, "%.*s", (int) n, equals ? text : DEFAULT_REGISTRY);
        if (!str_starts_with(url, "http://") && !str_starts_with(url, "https://"))
                return false;
        host = strchr(url, '/') + 2;
        m = strspn(host, host_chars);
        if (m == 0 || m > HOST_MAX || (host[m] && strcmp(host + m, "/") != 0))
                return false;
        *ret_url = strndup(url, (size_t) (host - url) + m);
        return true;
}

static int check_proxy(const char *name, const char *text, struct err *err) {
        const char *host = text ? strstr(text, "://") : NULL;

        host = host ? host + 3 : text;
        if (text && *text && (!*host || strpbrk(text, " \t\r\n")))
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not the address of a proxy ([http://]HOST[:PORT])", name); /* a password may be in it */
        return 0;
}

int image_check_registries(const struct image_registries *r, struct err *err) {
        int e = check_proxy("http-proxy", r->http_proxy, err);

        if (e == 0)
                e = check_proxy("https-proxy", r->https_proxy, err);
        for (size_t i = 0; i < r->n_mirrors && e == 0; i++) {
                char registry[HOST_MAX + 1];
                auto_free char *url = NULL;

                if (!parse_mirror(r->mirrors[i], registry, &url))
                        e = err_set(err, ERR_INVALID, -EINVAL, "registry-mirrors: \"%.64s\" is not [REGISTRY=]http[s]://HOST[:PORT]", r->mirrors[i]);
        }
        return e;
}

static void add_mirror(struct registries *r, const char *text) {
        char registry[HOST_MAX + 1];
        auto_free char *url = NULL;
        json_t *list;

        if (!parse_mirror(text, registry, &url))
                return; /* checked */
        list = json_object_get(r->mirrors, registry);
        if (!list)
                json_object_set_new(r->mirrors, registry, list = json_array());
        json_array_append_new(list, json_string(url));
}

static int copy_text(const char *text, char **ret) {
        if (!text || !*text)
                return 0;
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

int registries_new(const struct image_registries *r, struct registries **ret, struct err *err) {
        struct registries *made;
        int e = image_check_registries(r, err);

        if (e < 0)
                return e;
        made = calloc(1, sizeof(*made));
        if (!made)
                return err_errno(err, -ENOMEM, "registries");
        made->refs = 1;
        made->insecure = json_array();
        made->certs_dirs = json_array();
        made->mirrors = json_object();
        for (size_t i = 0; i < r->n_insecure; i++)
                json_array_append_new(made->insecure, json_string(r->insecure[i]));
        for (size_t i = 0; i < r->n_certs_dirs; i++)
                json_array_append_new(made->certs_dirs, json_string(r->certs_dirs[i]));
        for (size_t i = 0; i < r->n_mirrors; i++)
                add_mirror(made, r->mirrors[i]);
        made->uploads_at_once = r->uploads_at_once ? r->uploads_at_once : UPLOADS_AT_ONCE;
        made->downloads_at_once = r->downloads_at_once ? r->downloads_at_once : DOWNLOADS_AT_ONCE;
        made->discard_blobs = r->discard_blobs;
        made->attempts = r->attempts ? r->attempts : ATTEMPTS;
        if (copy_text(r->http_proxy, &made->http_proxy) < 0 || copy_text(r->https_proxy, &made->https_proxy) < 0 || copy_text(r->no_proxy, &made->no_proxy) < 0) {
                registries_unref(made);
                return err_errno(err, -ENOMEM, "registries");
        }
        *ret = made;
        return 0;
}

struct registries *registries_of(struct image_store *s) {
        struct registries *r;

        pthread_mutex_lock(&s->registries_lock);
        r = s->registries;
        if (r)
                r->refs++;
        pthread_mutex_unlock(&s->registries_lock);
        return r;
}

void registries_unref(struct registries *r) {
        if (!r || --r->refs > 0)
                return;
        json_decref(r->insecure);
        json_decref(r->certs_dirs);
        json_decref(r->mirrors);
        free(r->http_proxy);
        free(r->https_proxy);
        free(r->no_proxy);
        free(r);
}

/* --- what is asked --- */

const json_t *registries_certs_dirs(const struct registries *r) {
        return r ? r->certs_dirs : NULL;
}

unsigned registries_uploads_at_once(struct image_store *s) {
        auto_registries struct registries *r = registries_of(s);

        return r ? r->uploads_at_once : UPLOADS_AT_ONCE;
}

unsigned registries_downloads_at_once(struct image_store *s) {
        auto_registries struct registries *r = registries_of(s);

        return r ? r->downloads_at_once : DOWNLOADS_AT_ONCE;
}

bool registries_discard_blobs(struct image_store *s, enum image_discard asked) {
        auto_registries struct registries *r = registries_of(s);

        return asked == IMAGE_DISCARD_DEFAULT ? r && r->discard_blobs : asked == IMAGE_DISCARD;
}

const char *registries_mirror(const struct registries *r, const char *registry, size_t i) {
        return r ? json_string_value(json_array_get(json_object_get(r->mirrors, registry), i)) : NULL;
}

int registries_fill_request(const struct registries *r, json_t *open) {
        if (!r)
                return 0;
        return json_object_update_new(open, json_pack("{s:i, s:s*, s:s*, s:s*}", "attempts", (int) r->attempts, "http_proxy", r->http_proxy, "https_proxy", r->https_proxy,
                                                      "no_proxy", r->no_proxy));
}

/* "10.0.0.0/8" → address and mask in host order. */
static bool parse_network(const char *text, uint32_t *ret_address, uint32_t *ret_mask) {
        const char *slash = strchr(text, '/');
        auto_free char *address = slash ? strndup(text, (size_t) (slash - text)) : NULL;
        struct in_addr in;
        uint64_t prefix;

        if (!address || inet_pton(AF_INET, address, &in) != 1 || str_to_u64(slash + 1, 0, 32, &prefix) < 0)
                return false;
        *ret_mask = prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
        *ret_address = ntohl(in.s_addr) & *ret_mask;
        return true;
}

bool registries_is_insecure(const struct registries *r, const char *registry) {
        auto_free char *host = strndup(registry, strcspn(registry, ":"));
        uint32_t network, mask;
        struct in_addr in;
        const json_t *item;
        size_t i;

        if (!r || !host)
                return false;
        json_array_foreach(r->insecure, i, item) {
                const char *text = json_is_string(item) ? json_string_value(item) : "";

                if (strcmp(text, registry) == 0)
                        return true;
                if (parse_network(text, &network, &mask) && inet_pton(AF_INET, host, &in) == 1 && (ntohl(in.s_addr) & mask) == network)
                        return true;
        }
        return false;
}

/* --- what is told of it --- */

/* "http://xxxxx:xxxxx@proxy:3128": as the stock daemon shows it. */
static json_t *without_secret(const char *proxy) {
        const char *scheme = proxy ? strstr(proxy, "://") : NULL, *user = scheme ? scheme + 3 : proxy, *at = user ? strrchr(user, '@') : NULL;

        if (!at)
                return json_string(proxy ? proxy : "");
        return json_sprintf("%.*sxxxxx:xxxxx%s", (int) (user - proxy), proxy, at);
}

static json_t *describe_indexes(const struct registries *r) {
        json_t *indexes = json_object(), *list;
        const char *registry;
        const json_t *item;
        size_t i;

        json_array_foreach(r->insecure, i, item)
                if (!strchr(json_string_value(item), '/'))
                        json_object_set_new(indexes, json_string_value(item), json_pack("{s:s, s:[], s:b, s:b}", "Name", json_string_value(item), "Mirrors", "Secure", 0, "Official", 0));
        json_object_foreach(r->mirrors, registry, list)
                json_object_set_new(indexes, registry,
                                    json_pack("{s:s, s:O, s:b, s:b}", "Name", registry, "Mirrors", list, "Secure", !registries_is_insecure(r, registry), "Official",
                                              strcmp(registry, DEFAULT_REGISTRY) == 0));
        if (!json_object_get(indexes, DEFAULT_REGISTRY))
                json_object_set_new(indexes, DEFAULT_REGISTRY, json_pack("{s:s, s:[], s:b, s:b}", "Name", DEFAULT_REGISTRY, "Mirrors", "Secure", 1, "Official", 1));
        return indexes;
}

json_t *image_store_describe_registries(struct image_store *s) {
        auto_registries struct registries *r = registries_of(s);
        json_t *networks = json_array(), *mirrors;
        const json_t *item;
        size_t i;

        if (!r) {
                json_decref(networks);
                return json_object();
        }
        json_array_foreach(r->insecure, i, item)
                if (strchr(json_string_value(item), '/'))
                        json_array_append(networks, (json_t *) item);
        json_array_append_new(networks, json_string("127.0.0.0/8")); /* always */
        mirrors = json_incref(json_object_get(r->mirrors, DEFAULT_REGISTRY));
        return json_pack("{s:{s:o, s:o, s:o}, s:o, s:o, s:s}", "RegistryConfig", "InsecureRegistryCIDRs", networks, "IndexConfigs", describe_indexes(r), "Mirrors",
                         mirrors ? mirrors : json_null(), "HttpProxy", without_secret(r->http_proxy), "HttpsProxy", without_secret(r->https_proxy), "NoProxy",
                         r->no_proxy ? r->no_proxy : "");
}
