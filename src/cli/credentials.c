/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/credentials.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/config.h"
#include "cli/credential-helper.h"

enum { ANSWER_MAX = 1 << 20, AUTH_MAX = 64 * 1024 };

static const char hub[] = "https://index.docker.io/v1/";

char *credentials_registry(const char *reference) {
        const char *slash = strchr(reference, '/');
        size_t n = slash ? (size_t) (slash - reference) : 0;
        auto_free char *first = strndup(reference, n);

        if (n == 0 || (!strpbrk(first, ".:") && strcmp(first, "localhost") != 0) || strcmp(first, "docker.io") == 0 ||
            strcmp(first, "index.docker.io") == 0)
                return strdup(hub);
        return strdup(first);
}

char *credentials_key(const char *server) {
        const char *scheme = server ? strstr(server, "://") : NULL, *host = scheme ? scheme + 3 : server;
        size_t n = host ? strcspn(host, "/") : 0;

        if (!server || (n == strlen("docker.io") && strncmp(host, "docker.io", n) == 0) ||
            (n == strlen("index.docker.io") && strncmp(host, "index.docker.io", n) == 0))
                return strdup(hub);
        return strndup(host, n);
}

/* --- helpers --- */

static int helper_failed(const char *name, const char *action, const struct strbuf *answer, struct err *err) {
        return err_set(err, ERR_UNAVAILABLE, -EIO, "docker-credential-%s %s: %s", name, action, answer->data && *answer->data ? answer->data : "failed");
}

static void wipe(struct strbuf *b) {
        if (b->data)
                explicit_bzero(b->data, b->size);
        strbuf_done(b);
}
#define auto_secret __attribute__((cleanup(wipe))) struct strbuf

static int get_from_helper(const char *name, const char *registry, json_t **ret, struct err *err) {
        auto_json *object = NULL;
        auto_secret answer;
        const char *user;
        int r;

        strbuf_init(&answer, ANSWER_MAX);
        r = credential_helper_ask(name, "get", registry, &answer, err);
        if (r < 0)
                return r;
        if (r > 0) {
                *ret = NULL;
                /* The protocol's own words for "none". */
                return answer.data && strstr(answer.data, "credentials not found") ? 0 : helper_failed(name, "get", &answer, err);
        }
        if (json_parse(answer.data ? answer.data : "", answer.size, ANSWER_MAX, "credentials", &object, NULL) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "docker-credential-%s get: its answer is not JSON", name);
        user = json_get_str(object, "Username", "");
        if (strcmp(user, "<token>") == 0)
                *ret = json_pack("{s:s, s:s}", "identitytoken", json_get_str(object, "Secret", ""), "serveraddress", registry);
        else
                *ret = json_pack("{s:s, s:s, s:s}", "username", user, "password", json_get_str(object, "Secret", ""), "serveraddress", registry);
        return *ret ? 0 : err_errno(err, -ENOMEM, "credentials");
}

static const char *helper_of(const char *registry) {
        const char *name = json_get_str(json_get_object(config_object(), "credHelpers"), registry, NULL);

        return name ? name : config_text("credsStore");
}

/* --- config.json's own --- */

/* "https://quay.io/v1/" and "quay.io" are the same place. */
static bool same_place(const char *key, const char *registry) {
        const char *sides[2] = { key, registry };
        size_t n[2];

        for (int i = 0; i < 2; i++) {
                const char *scheme = strstr(sides[i], "://");

                sides[i] = scheme ? scheme + 3 : sides[i];
                n[i] = strcspn(sides[i], "/");
        }
        return n[0] == n[1] && strncmp(sides[0], sides[1], n[0]) == 0;
}

static json_t *find_auth(const char *registry) {
        json_t *auths = json_get_object(config_object(), "auths"), *value = json_get_object(auths, registry);
        const char *key;

        if (value)
                return value;
        json_object_foreach(auths, key, value)
                if (same_place(key, registry) && json_is_object(value))
                        return value;
        return NULL;
}

static int get_from_file(const char *registry, json_t **ret, struct err *err) {
        json_t *found = find_auth(registry);
        const char *packed = json_get_str(found, "auth", ""), *token = json_get_str(found, "identitytoken", "");
        const char *user = json_get_str(found, "username", ""), *password = json_get_str(found, "password", "");
        auto_free char *plain = NULL;
        size_t size = strlen(packed), n;
        struct base64_decode_ctx decode;

        *ret = NULL;
        if (*packed) {
                char *colon;

                n = BASE64_DECODE_LENGTH(size);
                plain = size <= AUTH_MAX ? calloc(1, n + 1) : NULL;
                base64_decode_init(&decode);
                if (!plain || !base64_decode_update(&decode, &n, (uint8_t *) plain, size, packed) || !base64_decode_final(&decode))
                        return err_set(err, ERR_INVALID, -EINVAL, "config.json: auths: \"%s\": auth is not base64", registry);
                plain[n] = '\0';
                colon = strchr(plain, ':');
                if (!colon || strlen(plain) != n)
                        return err_set(err, ERR_INVALID, -EINVAL, "config.json: auths: \"%s\": auth is not USER:PASSWORD", registry);
                *colon = '\0';
                user = plain;
                password = colon + 1;
        }
        if (*token)
                *ret = json_pack("{s:s, s:s}", "identitytoken", token, "serveraddress", registry);
        else if (*user)
                *ret = json_pack("{s:s, s:s, s:s}", "username", user, "password", password, "serveraddress", registry);
        return 0;
}

/* --- the door --- */

bool credentials_are_helped(const char *registry) {
        return helper_of(registry) != NULL;
}

int credentials_get(const char *registry, json_t **ret, struct err *err) {
        const char *helper = helper_of(registry);
        int r;

        *ret = NULL;
        if (helper) {
                r = get_from_helper(helper, registry, ret, err);
                if (r < 0 || *ret)
                        return r;
        }
        return get_from_file(registry, ret, err);
}

int credentials_store(const char *registry, const char *username, const char *password, const char *token, struct err *err) {
        const char *helper = helper_of(registry);
        auto_free char *text = NULL, *packed = NULL;
        auto_json *object = NULL;
        auto_secret answer;
        json_t *auths;
        int r;

        strbuf_init(&answer, ANSWER_MAX);
        if (helper) {
                object = json_pack("{s:s, s:s, s:s}", "ServerURL", registry, "Username", token ? "<token>" : username, "Secret", token ? token : password);
                text = json_text(object);
                r = text ? credential_helper_ask(helper, "store", text, &answer, err) : err_errno(err, -ENOMEM, "credentials");
                return r > 0 ? helper_failed(helper, "store", &answer, err) : r;
        }
        text = str_format("%s:%s", username, token ? "" : password);
        packed = text ? calloc(1, BASE64_ENCODE_RAW_LENGTH(strlen(text)) + 1) : NULL;
        if (!packed)
                return err_errno(err, -ENOMEM, "credentials");
        base64_encode_raw(packed, strlen(text), (const uint8_t *) text);
        auths = json_get_object(config_object(), "auths");
        if (!auths) {
                json_object_set_new(config_object(), "auths", json_object());
                auths = json_get_object(config_object(), "auths");
        }
        json_object_set_new(auths, registry, json_pack("{s:s, s:s*}", "auth", packed, "identitytoken", token));
        return config_save(err);
}

int credentials_erase(const char *registry, struct err *err) {
        const char *helper = helper_of(registry);
        auto_secret answer;
        int r;

        strbuf_init(&answer, ANSWER_MAX);
        if (helper) {
                r = credential_helper_ask(helper, "erase", registry, &answer, err);
                return r > 0 ? helper_failed(helper, "erase", &answer, err) : r;
        }
        if (json_object_del(json_get_object(config_object(), "auths"), registry) < 0)
                return 0;
        return config_save(err);
}

int credentials_list(const char *helper, json_t **ret, struct err *err) {
        auto_secret answer;
        int r;

        strbuf_init(&answer, ANSWER_MAX);
        r = credential_helper_ask(helper, "list", "", &answer, err);
        if (r != 0)
                return r > 0 ? helper_failed(helper, "list", &answer, err) : r;
        return json_parse(answer.data ? answer.data : "", answer.size, ANSWER_MAX, "the credential helper's list", ret, err);
}

char *credentials_pack(const json_t *object) {
        auto_free char *text = json_text(object);
        size_t n = text ? strlen(text) : 0;
        char *packed = text ? calloc(1, BASE64_ENCODE_RAW_LENGTH(n) + 1) : NULL;

        if (!packed)
                return NULL;
        base64_encode_raw(packed, n, (const uint8_t *) text);
        /* The alphabet that is the same in a URL. */
        for (char *p = packed; *p; p++)
                *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
        explicit_bzero(text, n);
        return packed;
}

int credentials_header(const char *reference, char **ret, struct err *err) {
        auto_free char *registry = credentials_registry(reference), *packed = NULL;
        auto_json *found = NULL;
        int r;

        *ret = NULL;
        r = credentials_get(registry, &found, err);
        if (r < 0 || !found)
                return r;
        packed = credentials_pack(found);
        if (!packed)
                return err_errno(err, -ENOMEM, "credentials");
        *ret = str_format("X-Registry-Auth: %s", packed);
        explicit_bzero(packed, strlen(packed));
        return *ret ? 0 : err_errno(err, -ENOMEM, "credentials");
}
