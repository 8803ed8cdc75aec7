/* SPDX-License-Identifier: Apache-2.0 */

/* Back to an older layer of an image. Its settings are the image's, but for those that the history says came later: what the older entries say of these
 * takes their place. An image keeps no settings of its own for each layer, so that the history is all there is to go by. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "engine/commit-changes.h"
#include "engine/events.h"
#include "engine/internal.h"

enum { PREFIX_MIN = 4 };

/* --- which layer --- */

static int no_such_layer(const char *name, const char *layer, const char *why, struct err *err) {
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "image %s: layer \"%.100s\" %s", name, layer, why);
}

/* "-2": without the two on top; "sha256:…" or the beginning of its hex digits: up to that one. *ret: how many stay. */
static int find_layer(const struct image *image, const char *name, const char *layer, size_t *ret, struct err *err) {
        const char *hex = str_starts_with(layer, "sha256:") ? layer + 7 : layer;
        size_t found = 0;
        uint64_t n;

        if (*layer == '-') {
                if (str_to_u64(layer + 1, 1, UINT64_MAX, &n) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "image %s: \"%.100s\" is not -N, a number of layers from the top", name, layer);
                if (n >= image->n_diff_ids)
                        return err_set(err, ERR_INVALID, -ERANGE, "image %s has %zu layers: at most %zu can be taken off", name, image->n_diff_ids,
                                       image->n_diff_ids ? image->n_diff_ids - 1 : 0);
                *ret = image->n_diff_ids - n;
                return 0;
        }
        if (strlen(hex) < PREFIX_MIN || hex[strspn(hex, "0123456789abcdef")])
                return err_set(err, ERR_INVALID, -EINVAL, "image %s: \"%.100s\" is neither a layer (sha256:…, or %d or more of its hex digits) nor -N", name, layer, PREFIX_MIN);
        for (size_t i = 0; i < image->n_diff_ids; i++)
                if (str_starts_with(image->diff_ids[i] + strlen("sha256:"), hex)) {
                        if (found > 0)
                                return no_such_layer(name, layer, "is one of several", err);
                        found = i + 1;
                }
        if (found == 0)
                return no_such_layer(name, layer, "is not in it", err);
        if (found == image->n_diff_ids)
                return no_such_layer(name, layer, "is its topmost one already", err);
        *ret = found;
        return 0;
}

/* --- history --- */

static bool makes_layer(const json_t *entry) {
        return !json_get_bool(entry, "empty_layer", false);
}

/* Entries until the next layer's; 0 when they do not tell of these layers. */
static size_t find_history(const struct image *image, size_t keep) {
        json_t *history = json_get_array(image->config, "history"), *entry;
        size_t layers = 0, cut = 0, i;

        json_array_foreach(history, i, entry) {
                if (makes_layer(entry) && ++layers == keep + 1)
                        cut = i;
        }
        return layers == image->n_diff_ids ? cut : 0;
}

/* "EXPOSE map[80/tcp:{} 53/udp:{}]", "VOLUME [/data]": in place, the words alone. */
static void loosen(char *line) {
        static const char word[] = "EXPOSE";
        char *to = line + strlen(word);

        for (const char *p = strchr(line, '['); *p; p++)
                if (!strchr("{}", *p) && !(*p == ':' && p[1] == '{'))
                        *to++ = strchr("[]", *p) ? ' ' : *p;
        *to = '\0';
}

/* CMD ["cat" "/x"], as a list of Go's is printed: in place, with its commas. */
static void punctuate(char *line) {
        for (char *p = strstr(line, "\" \""); p; p = strstr(p + 1, "\" \""))
                if (p[-1] != '\\')
                        p[1] = ',';
}

/* "/bin/sh -c #(nop)  ENV A=b", "ENV A=b # buildkit" → a line of a Dockerfile; the caller's. NULL: out of memory. */
static char *line_of(const json_t *entry) {
        const char *text = json_get_str(entry, "created_by", ""), *nop = strstr(text, "#(nop)");
        char *line = strdup(nop ? nop + strlen("#(nop)") + strspn(nop + strlen("#(nop)"), " \t") : text), *end = line ? strstr(line, " # buildkit") : NULL;

        if (end)
                *end = '\0';
        if (line && (str_starts_with(line, "EXPOSE map[") || (str_starts_with(line, "VOLUME [") && !strchr(line, '"'))))
                loosen(line);
        if (line && (str_starts_with(line, "CMD [") || str_starts_with(line, "ENTRYPOINT [")))
                punctuate(line);
        return line;
}

/* What of an image's settings entries [from, to) set, begun from nothing. What is no such line, or not well formed, says nothing. */
static int replay(const json_t *history, size_t from, size_t to, json_t **ret, struct err *err) {
        auto_json *config = json_object();

        for (size_t i = from; i < to; i++) {
                auto_free char *line = line_of(json_array_get(history, i));
                auto_json *tried = config ? json_copy(config) : NULL;

                if (!line || !tried)
                        return err_errno(err, -ENOMEM, "checkout");
                if (commit_change(tried, line, NULL) == 0) {
                        json_decref(config);
                        config = take_ptr(&tried);
                }
        }
        *ret = take_ptr(&config);
        return 0;
}

static size_t name_length(const char *pair) {
        return strcspn(pair, "=");
}

static bool same_name(const char *a, const char *b) {
        return name_length(a) == name_length(b) && !strncmp(a, b, name_length(a));
}

static json_t *find_variable(const json_t *list, const char *pair) {
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) list, i, v)
                if (json_is_string(v) && same_name(json_string_value(v), pair))
                        return v;
        return NULL;
}

/* Of Env: each variable that was set later is as it was before, or gone. */
static json_t *take_back_variables(const json_t *now, const json_t *later, const json_t *before) {
        json_t *list = json_array(), *v;
        size_t i;

        json_array_foreach((json_t *) now, i, v) {
                const char *pair = json_is_string(v) ? json_string_value(v) : "";

                if (find_variable(later, pair))
                        v = find_variable(before, pair);
                if (v)
                        json_array_append(list, v);
        }
        return list;
}

static json_t *take_back_members(const json_t *now, const json_t *later, const json_t *before) {
        json_t *object = json_object(), *v;
        const char *key;

        json_object_foreach((json_t *) now, key, v) {
                if (json_object_get(later, key))
                        v = json_object_get(before, key);
                if (v)
                        json_object_set(object, key, v);
        }
        return object;
}

static int make_config(const struct image *image, size_t n_history, json_t **ret, struct err *err) {
        json_t *history = json_get_array(image->config, "history"), *own = json_get_object(image->config, "config"), *config = own ? json_copy(own) : json_object(), *v;
        auto_json *before = NULL, *later = NULL;
        size_t n = n_history ? json_array_size(history) : 0;
        const char *key;
        int r = replay(history, 0, n_history, &before, err);

        if (r == 0)
                r = replay(history, n_history, n, &later, err);
        if (r < 0) {
                json_decref(config);
                return r;
        }
        json_object_foreach(later, key, v) {
                json_t *now = json_object_get(config, key), *was = json_object_get(before, key);

                if (!now)
                        continue; /* the history and the image disagree: nothing to take back */
                if (json_is_array(v) && !strcmp(key, "Env"))
                        json_object_set_new(config, key, take_back_variables(now, v, was));
                else if (json_is_object(v))
                        json_object_set_new(config, key, take_back_members(now, v, was));
                else if (was)
                        json_object_set(config, key, was);
                else
                        json_object_del(config, key);
        }
        *ret = config;
        return 0;
}

int engine_image_checkout(struct engine *e, const char *name, const char *layer, const char *reference, json_t **ret, struct err *err) {
        struct image_reference checked;
        struct image_cut cut = { .name = reference };
        auto_json *config = NULL;
        struct image *image;
        char id[72];
        int r = image_get(e->images, name, &image, err);

        if (r < 0)
                return r;
        cut.image = image->id;
        r = image_check_runs(image, name, err);
        if (r >= 0 && reference)
                r = image_reference_parse(reference, &checked, err);
        if (r >= 0)
                r = find_layer(image, name, layer, &cut.n_layers, err);
        if (r >= 0) {
                cut.n_history = find_history(image, cut.n_layers);
                r = make_config(image, cut.n_history, &config, err);
        }
        cut.config = config;
        if (r >= 0)
                r = image_cut(e->images, &cut, id, err);
        image_free(image);
        if (r < 0)
                return r;
        if (reference)
                events_publish(e->events, "image", "tag", id, json_pack("{s:s}", "name", reference));
        *ret = json_pack("{s:s}", "Id", id);
        return *ret ? 0 : err_errno(err, -ENOMEM, "checkout");
}
