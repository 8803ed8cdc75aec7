/* SPDX-License-Identifier: Apache-2.0 */

/* Looking for repositories in a registry, by either of two protocols: /v1/search as Docker's own answers it, or the catalogue of a registry of today. */

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/fetcher.h"

enum {
        TERM_MAX = 255,
        CATALOGUE_PAGE = 1000,
        CATALOGUE_PAGES_MAX = 100,
};

struct search {
        const struct image_search *asked;
        struct image_reference place; /* the registry alone */
        const char *term;             /* without the registry */
        struct fetcher fetcher;
};

/* "localhost:5000/a" → the registry and "a". */
static int split_term(struct search *s, struct err *err) {
        const char *term = s->asked->term, *slash = strchr(term, '/');
        size_t n = slash ? (size_t) (slash - term) : 0;

        if (!*term || strlen(term) > TERM_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "term is empty, or longer than %d bytes", TERM_MAX);
        if (strstr(term, "://"))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid repository name (%s): it must not begin with a scheme", term);
        if (n > 0 && n < sizeof(s->place.registry) && (memchr(term, '.', n) || memchr(term, ':', n) || (n == strlen("localhost") && !strncmp(term, "localhost", n)))) {
                snprintf(s->place.registry, sizeof(s->place.registry), "%.*s", (int) n, term);
                term = slash + 1;
        } else {
                snprintf(s->place.registry, sizeof(s->place.registry), "docker.io");
        }
        s->term = term;
        if (strcmp(s->place.registry, "kist.local") == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: names under kist.local/ are of this host only: kist images lists them", s->asked->term);
        return 0;
}

static void escape(const char *text, char *ret, size_t size) {
        static const char digits[] = "0123456789ABCDEF", plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
        size_t n = 0;

        for (; *text && n + 4 < size; text++) {
                unsigned char c = (unsigned char) *text;

                if (strchr(plain, c)) {
                        ret[n++] = (char) c;
                } else {
                        ret[n++] = '%';
                        ret[n++] = digits[c >> 4];
                        ret[n++] = digits[c & 15];
                }
        }
        ret[n] = '\0';
}

static json_t *found(const char *name, const char *description, int64_t stars, bool official, bool automated) {
        return json_pack("{s:I, s:b, s:s, s:b, s:s}", "star_count", (json_int_t) stars, "is_official", official, "name", name, "is_automated", automated, "description", description);
}

/* -ENOENT, without a word of the registry's: it has no such thing. */
static int search_v1(struct search *s, json_t *list, struct err *err) {
        char escaped[3 * TERM_MAX + 8];
        auto_free char *place = NULL;
        auto_json *answer = NULL;
        json_t *results, *one;
        size_t i;
        int r;

        escape(s->term, escaped, sizeof(escaped));
        place = str_format("v1/search?q=%s&n=%u", escaped, s->asked->limit);
        r = place ? fetcher_get_place(&s->fetcher, place, "application/json", &answer, NULL, err) : err_errno(err, -ENOMEM, "search");
        if (r < 0)
                return err->kind == ERR_NOT_FOUND ? -ENOENT : r;
        results = json_get_array(answer, "results");
        if (!results)
                return -ENOENT;
        json_array_foreach(results, i, one) {
                const char *name = json_get_str(one, "name", NULL);

                if (name && i < s->asked->limit)
                        json_array_append_new(list, found(name, json_get_str(one, "description", ""), json_get_int(one, "star_count", 0), json_get_bool(one, "is_official", false),
                                                          json_get_bool(one, "is_automated", false)));
        }
        return 0;
}

/* Pages by the last name of the one before: registries cap how many they give, whatever is asked for. */
static int search_catalogue(struct search *s, json_t *list, struct err *err) {
        char first[TERM_MAX + 1] = "", last[TERM_MAX + 1] = "", escaped[3 * TERM_MAX + 8];

        for (int page = 0; page < CATALOGUE_PAGES_MAX && json_array_size(list) < s->asked->limit; page++) {
                auto_free char *place = NULL;
                auto_json *answer = NULL;
                json_t *names, *one;
                const char *begin;
                size_t i;
                int r;

                escape(last, escaped, sizeof(escaped));
                place = str_format("v2/_catalog?n=%d%s%s", CATALOGUE_PAGE, *last ? "&last=" : "", escaped);
                r = place ? fetcher_get_place(&s->fetcher, place, "application/json", &answer, NULL, err) : err_errno(err, -ENOMEM, "search");
                if (r < 0)
                        return r;
                names = json_get_array(answer, "repositories");
                if (!names)
                        return err_set(err, ERR_NOT_FOUND, -ENOENT, "the answer is no catalogue");
                begin = json_string_value(json_array_get(names, 0));
                if (!begin || strcmp(begin, first) == 0)
                        break; /* the end; or a registry that begins from the start each time */
                if (page == 0)
                        snprintf(first, sizeof(first), "%s", begin);
                json_array_foreach(names, i, one) {
                        const char *name = json_string_value(one);

                        if (!name || strlen(name) > TERM_MAX)
                                continue;
                        snprintf(last, sizeof(last), "%s", name);
                        if (strstr(name, s->term) && json_array_size(list) < s->asked->limit) {
                                auto_free char *whole = str_format("%s/%s", s->place.registry, name);

                                json_array_append_new(list, found(whole ? whole : name, "", 0, false, false));
                        }
                }
        }
        return 0;
}

static int search(struct search *s, json_t *list, struct err *err) {
        const char *registry = s->place.registry;
        int r = search_v1(s, list, err);

        if (r != -ENOENT)
                return r < 0 ? err_name(err, registry) : r;
        r = search_catalogue(s, list, err);
        if (r < 0 && (err->kind == ERR_NOT_FOUND || err->kind == ERR_DENIED || err->kind == ERR_INVALID))
                return err_set(err, ERR_UNSUPPORTED, -ENOTSUP, "registry %s cannot be searched: it has neither /v1/search nor a catalogue for us", registry);
        return r < 0 ? err_name(err, registry) : r;
}

int image_search(struct image_store *store, const struct image_search *asked, json_t **ret, struct err *err) {
        const struct image_pull access = { .username = asked->username, .password = asked->password, .identity_token = asked->identity_token, .server = asked->server };
        struct search s = { .asked = asked, .fetcher = { .worker = WORKER_NONE } };
        auto_json *list = json_array();
        struct err local = { 0 };
        int r;

        if (!err)
                err = &local; /* reasons are looked at here */
        r = list ? split_term(&s, err) : err_errno(err, -ENOMEM, "search");
        if (r >= 0)
                r = fetcher_start(store, &access, &s.place, NULL, &s.fetcher, err);
        if (r < 0)
                return r;
        r = search(&s, list, err);
        worker_kill(&s.fetcher.worker);
        if (r >= 0)
                *ret = json_incref(list);
        return r;
}
