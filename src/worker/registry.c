/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/registry.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum {
        HOST_MAX = 255,
        REPOSITORY_MAX = 255,
        TAG_MAX = 128,
        PLACE_MAX = 1024,
        TOKEN_ANSWER_MAX = 1 << 20,
        TOKEN_MAX = 64 << 10,
        ATTEMPTS = 5, /* when the daemon does not say */
        ATTEMPTS_MAX = 100,
};

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Docker's own registry is known by another name than it has. */
#define HUB "registry-1.docker.io"
static const struct {
        const char *host, *authority;
} aliases[] = {
        { "docker.io", HUB },
        { "index.docker.io", HUB },
};

static bool is_made_of(const char *s, const char *chars, size_t max) {
        size_t n = strspn(s, chars);

        return n > 0 && n <= max && !s[n];
}

bool registry_is_repository(const char *s) {
        return is_made_of(s, LOWER DIGITS "._-/", REPOSITORY_MAX) && *s != '/' && s[strlen(s) - 1] != '/' && !strstr(s, "//") && !strstr(s, "..");
}

bool registry_is_tag(const char *reference) {
        return is_made_of(reference, LOWER UPPER DIGITS "_.-", TAG_MAX) && *reference != '.' && *reference != '-';
}

static int copy_text(const json_t *job, const char *key, char **to) {
        const char *text = json_get_str(job, key, "");

        if (!*text)
                return 0;
        *to = strdup(text);
        return *to ? 0 : -ENOMEM;
}

/* A mirror is named with its scheme: nothing else is tried there. */
static int take_scheme(struct registry *r, const json_t *job, struct err *err) {
        const char *scheme = json_get_str(job, "scheme", "");

        if (*scheme && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: \"%s\" is not a scheme", scheme);
        r->plain_known = *scheme;
        r->plain = strcmp(scheme, "http") == 0;
        return 0;
}

static int take_attempts(struct registry *r, const json_t *job, struct err *err) {
        int64_t attempts = json_get_int(job, "attempts", ATTEMPTS);

        if (attempts < 1 || attempts > ATTEMPTS_MAX)
                return err_set(err, ERR_INVALID, -ERANGE, "worker: attempts must be from 1 to %d", ATTEMPTS_MAX);
        r->tries_max = (unsigned) attempts - 1;
        return 0;
}

int registry_open(struct registry *r, const json_t *job, struct err *err) {
        const char *host = json_get_str(job, "registry", ""), *repository = json_get_str(job, "repository", ""), *authority = host;
        const char *from = json_get_str(job, "from", "");

        if (r->is_open)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: the registry is open already");
        if (!is_made_of(host, LOWER UPPER DIGITS ".-_:[]", HOST_MAX))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not the name of a registry", host);
        if ((*repository && !registry_is_repository(repository)) || (*from && !registry_is_repository(from)))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not the name of a repository", repository);
        if (take_scheme(r, job, err) < 0 || take_attempts(r, job, err) < 0)
                return -EINVAL;
        for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
                if (strcmp(host, aliases[i].host) == 0)
                        authority = aliases[i].authority;
        r->host = strdup(host);
        r->authority = strdup(authority);
        r->repository = strdup(repository);
        r->push = json_get_bool(job, "push", false);
        r->remove = json_get_bool(job, "delete", false);
        r->offline = json_get_bool(job, "offline", false);
        r->insecure = json_get_bool(job, "insecure", false);
        if (!r->host || !r->authority || !r->repository || copy_text(job, "username", &r->username) < 0 || copy_text(job, "password", &r->password) < 0 ||
            copy_text(job, "identity_token", &r->identity_token) < 0 || copy_text(job, "ca_pem", &r->ca_pem) < 0 || copy_text(job, "from", &r->from) < 0 ||
            copy_text(job, "cert_pem", &r->cert_pem) < 0 || copy_text(job, "key_pem", &r->key_pem) < 0 ||
            copy_text(job, "http_proxy", &r->http_proxy) < 0 || copy_text(job, "https_proxy", &r->https_proxy) < 0 || copy_text(job, "no_proxy", &r->no_proxy) < 0)
                return err_errno(err, -ENOMEM, "registry %s", host);
        r->is_open = true;
        return 0;
}

static void free_secret(char **text) {
        if (*text)
                explicit_bzero(*text, strlen(*text));
        free(take_ptr(text));
}

void registry_done(struct registry *r) {
        free_secret(&r->password);
        free_secret(&r->identity_token);
        free_secret(&r->token);
        free_secret(&r->granted);
        free(take_ptr(&r->from));
        free(take_ptr(&r->username));
        free(take_ptr(&r->ca_pem));
        free(take_ptr(&r->cert_pem));
        free_secret(&r->key_pem);
        free_secret(&r->http_proxy);
        free_secret(&r->https_proxy);
        free(take_ptr(&r->no_proxy));
        free(take_ptr(&r->host));
        free(take_ptr(&r->authority));
        free(take_ptr(&r->repository));
        r->is_open = false;
}

char *registry_url(const struct registry *r, const char *what, const char *reference) {
        return str_format("%s://%s/v2/%s/%s/%s", r->plain ? "http" : "https", r->authority, r->repository, what, reference);
}

bool registry_is_place(const char *place) {
        return (str_starts_with(place, "v1/") || str_starts_with(place, "v2/")) && is_made_of(place, LOWER UPPER DIGITS "._-/?=&%:~+", PLACE_MAX) && !strstr(place, "..");
}

char *registry_place_url(const struct registry *r, const char *place) {
        bool elsewhere = strcmp(r->authority, HUB) == 0 && str_starts_with(place, "v1/"); /* its older half has kept its own host */

        return str_format("%s://%s/%s", r->plain ? "http" : "https", elsewhere ? "index.docker.io" : r->authority, place);
}

char *registry_place_of(const struct registry *r, const char *url) {
        auto_free char *base = registry_place_url(r, "");
        size_t n = base ? strlen(base) : 0;

        return base && strncmp(url, base, n) == 0 && registry_is_place(url + n) ? strdup(url + n) : NULL;
}

char *registry_base_url(const struct registry *r) {
        return str_format("%s://%s/v2/", r->plain ? "http" : "https", r->authority);
}

/* What decides whom one talks to. */
struct origin {
        char *scheme, *host, *port;
};

static void origin_done(struct origin *o) {
        curl_free(o->scheme);
        curl_free(o->host);
        curl_free(o->port);
}
#define auto_origin __attribute__((cleanup(origin_done))) struct origin

static bool origin_of(const char *url, struct origin *ret) {
        CURLU *u = curl_url();
        char *user = NULL;
        bool good;

        good = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
               curl_url_get(u, CURLUPART_SCHEME, &ret->scheme, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_HOST, &ret->host, 0) == CURLUE_OK &&
               curl_url_get(u, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
        curl_free(user);
        curl_url_cleanup(u);
        return good;
}

bool registry_is_own_url(const struct registry *r, const char *url) {
        auto_free char *own = registry_url(r, "x", "x");
        auto_origin a = { 0 }, b = { 0 };

        return own && origin_of(own, &a) && origin_of(url, &b) && strcmp(a.scheme, b.scheme) == 0 && strcasecmp(a.host, b.host) == 0 &&
               strcmp(a.port, b.port) == 0;
}

const char *registry_proxy(const struct registry *r, const char *url) {
        const struct proxies proxies = { .http = r->http_proxy, .https = r->https_proxy, .none = r->no_proxy };
        auto_origin o = { 0 };

        return origin_of(url, &o) ? proxy_for(&proxies, o.scheme, o.host, o.port) : "";
}

bool registry_may_follow(const char *from, const char *to) {
        auto_origin a = { 0 }, b = { 0 };

        if (!origin_of(from, &a) || !origin_of(to, &b))
                return false;
        return strcmp(b.scheme, "https") == 0 || (strcmp(b.scheme, "http") == 0 && strcmp(a.scheme, "http") == 0);
}

static bool is_loopback(const char *host) {
        return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
               (str_starts_with(host, "127.") && is_made_of(host, DIGITS ".", sizeof("127.255.255.255")));
}

bool registry_may_ask_realm(const struct registry *r, const char *realm) {
        auto_free char *own = registry_url(r, "x", "x");
        auto_origin a = { 0 }, b = { 0 };

        if (!own || !origin_of(own, &a) || !origin_of(realm, &b))
                return false;
        if (strcmp(b.scheme, "https") == 0)
                return true;
        return strcmp(b.scheme, "http") == 0 && r->plain && (is_loopback(b.host) || strcasecmp(a.host, b.host) == 0);
}

static bool is_token(const char *s) {
        size_t n = strlen(s);

        for (size_t i = 0; i < n; i++)
                if (s[i] <= 0x20 || s[i] > 0x7e) /* it becomes part of a header */
                        return false;
        return n > 0 && n <= TOKEN_MAX;
}

int registry_take_token(struct registry *r, const char *answer, size_t size, struct err *err) {
        auto_json *object = NULL;
        const char *token;
        char *copy;

        if (json_parse(answer, size, TOKEN_ANSWER_MAX, "the token", &object, err) < 0)
                return err_set(err, ERR_UNAVAILABLE, -EBADMSG, "registry %s: its realm %s answers with something else than a token", r->host, r->challenge.realm);
        token = json_get_str(object, "token", "");
        if (!*token)
                token = json_get_str(object, "access_token", "");
        if (!is_token(token))
                return err_set(err, ERR_UNAVAILABLE, -EBADMSG, "registry %s: its realm %s answers without a token", r->host, r->challenge.realm);
        copy = strdup(token);
        if (!copy)
                return err_errno(err, -ENOMEM, "registry %s", r->host);
        free_secret(&r->token);
        r->token = copy;
        token = json_get_str(object, "refresh_token", "");
        if (r->offline && is_token(token)) {
                free_secret(&r->granted);
                r->granted = strdup(token);
        }
        return 0;
}

static void add_pair(struct strbuf *b, const char *key, const char *value) {
        char *escaped;

        if (!value || !*value)
                return;
        escaped = curl_easy_escape(NULL, value, 0);
        strbuf_addf(b, "%s%s=%s", b->size > 0 ? "&" : "", key, escaped ? escaped : "");
        if (!escaped)
                b->failed = -ENOMEM;
        curl_free(escaped);
}

static char *token_pairs(const struct registry *r, bool form) {
        auto_free char *own = str_format("repository:%s:%s", r->repository, r->remove ? "pull,push,delete" : r->push ? "pull,push" : "pull");
        auto_free char *other = r->from ? str_format("repository:%s:pull", r->from) : strdup("");
        auto_strbuf b = { 0 };

        if (!own || !other)
                return NULL;

        strbuf_init(&b, TOKEN_ANSWER_MAX);
        if (form) {
                add_pair(&b, "grant_type", "refresh_token");
                add_pair(&b, "client_id", "kist");
                add_pair(&b, "refresh_token", r->identity_token);
        } else {
                add_pair(&b, "account", r->username);
                add_pair(&b, "client_id", r->offline ? "kist" : NULL);
                add_pair(&b, "offline_token", r->offline ? "true" : NULL);
        }
        add_pair(&b, "service", r->challenge.service);
        if (*r->repository && form && *other) {
                auto_free char *both = str_format("%s %s", own, other);

                add_pair(&b, "scope", both);
        } else if (*r->repository) {
                add_pair(&b, "scope", own);
                add_pair(&b, "scope", other);
        }
        return strbuf_take(&b, NULL);
}

char *registry_token_query(const struct registry *r) {
        return token_pairs(r, false);
}

char *registry_token_form(const struct registry *r) {
        return token_pairs(r, true);
}
