/* SPDX-License-Identifier: Apache-2.0 */
/* Images, as the Engine API shows them. */

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/describe.h"
#include "engine/events.h"
#include "engine/filters.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/volumes.h"
#include "storage/storage.h"

static int no_progress(const json_t *event, void *data) {
        (void) event;
        (void) data;
        return 0;
}

int engine_import_bundled(struct engine *e, const char *path, struct err *err) {
        struct image **images = NULL;
        auto_fd archive = -EBADF;
        size_t n = 0;
        int r = image_list(e->images, false, &images, &n, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                image_free(images[i]);
        free(images);
        if (n > 0)
                return 0;
        archive = open(path, O_RDONLY | O_CLOEXEC);
        if (archive < 0)
                return err_errno(err, -errno, "bundled image %s", path);
        return image_load(e->images, archive, NULL, IMAGE_KEEP, NULL, no_progress, NULL, err);
}

static void publish(struct engine *e, const char *action, const char *id, const char *name) {
        events_publish(e->events, "image", action, id, json_pack("{s:s}", "name", name));
}

int engine_image_pull(struct engine *e, const struct image_pull *p, image_progress_fn progress, void *data, struct err *err) {
        int64_t begun = metrics_begin();
        int r = image_pull(e->images, p, progress, data, err);

        metrics_end(e->metrics, METRICS_IMAGE_PULL, begun);
        if (r == 0)
                publish(e, "pull", p->reference, p->reference);
        return r;
}

int engine_set_registries(struct engine *e, const struct image_registries *r, struct err *err) {
        return image_store_set_registries(e->images, r, err);
}

int engine_image_push(struct engine *e, const struct image_push *p, image_progress_fn progress, void *data, struct err *err) {
        int64_t begun = metrics_begin();
        int r = image_push(e->images, p, progress, data, err);

        metrics_end(e->metrics, METRICS_IMAGE_PUSH, begun);
        if (r == 0)
                publish(e, "push", p->reference, p->reference);
        return r;
}

int engine_login(struct engine *e, const struct image_login *l, json_t **ret, struct err *err) {
        auto_free char *token = NULL;
        bool known;
        int r = image_login(e->images, l, &known, &token, err);

        if (r < 0)
                return r;
        *ret = json_pack("{s:s, s:s}", "Status", "Login Succeeded", "IdentityToken", token ? token : "");
        return *ret ? 0 : err_errno(err, -ENOMEM, "login");
}

int engine_distribution(struct engine *e, const struct image_pull *p, bool whole, json_t **ret, struct err *err) {
        return image_describe_remote(e->images, p, whole, ret, err);
}

int engine_referrers(struct engine *e, const struct image_pull *p, const char *artifact_type, json_t **ret, struct err *err) {
        return image_referrers(e->images, p, artifact_type, ret, err);
}

int engine_delete_remote(struct engine *e, const struct image_pull *p, json_t **ret, struct err *err) {
        return image_delete_remote(e->images, p, ret, err);
}

int engine_list_push(struct engine *e, const struct image_list_push *p, json_t **ret, struct err *err) {
        int r = image_push_list(e->images, p, ret, err);

        if (r == 0)
                publish(e, "push", p->reference, p->reference);
        return r;
}

/* Of a filter that is a yes or no. */
static int check_flag(const json_t *filters, const char *key, struct err *err) {
        static const char *const words[] = { "true", "false", "1", "0" };
        const char *value;

        for (size_t i = 0; (value = filter_value(filters, key, i)); i++) {
                bool known = false;

                for (size_t k = 0; k < ARRAY_SIZE(words); k++)
                        known = known || !strcmp(value, words[k]);
                if (!known)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid filter '%s=%.100s'", key, value);
        }
        return 0;
}

static bool fits_flag(const json_t *filters, const char *key, bool value) {
        return !filter_has(filters, key) || filter_text(filters, key, value ? "true" : "false") || filter_text(filters, key, value ? "1" : "0");
}

int engine_image_search(struct engine *e, const struct image_search *s, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "is-official", "is-automated", "stars", NULL };
        const char *stars = filter_value(filters, "stars", 0);
        json_t *list = NULL;
        uint64_t least = 0;
        int r = filters_check(filters, known, err);

        if (r == 0 && stars && str_to_u64(stars, 0, INT64_MAX, &least) < 0)
                r = err_set(err, ERR_INVALID, -EINVAL, "invalid filter 'stars=%.100s'", stars);
        if (r == 0 && (r = check_flag(filters, "is-official", err)) == 0)
                r = check_flag(filters, "is-automated", err);
        if (r == 0)
                r = image_search(e->images, s, &list, err);
        if (r < 0)
                return r;
        for (size_t i = json_array_size(list); i-- > 0;) {
                const json_t *one = json_array_get(list, i);

                if (json_get_int(one, "star_count", 0) < (int64_t) least || !fits_flag(filters, "is-official", json_get_bool(one, "is_official", false)) ||
                    !fits_flag(filters, "is-automated", json_get_bool(one, "is_automated", false)))
                        json_array_remove(list, i);
        }
        *ret = list;
        return 0;
}

int engine_image_load(struct engine *e, int archive_fd, enum image_discard discard, image_progress_fn progress, void *data, struct err *err) {
        auto_json *ids = json_array();
        int r = image_load(e->images, archive_fd, NULL, discard, ids, progress, data, err);
        json_t *id;
        size_t i;

        json_array_foreach(ids, i, id)
                publish(e, "load", json_string_value(id), json_string_value(id));
        return r;
}

static json_t *familiar_list(char **references) {
        json_t *list = json_array();

        for (; references && *references; references++) {
                struct image_reference r;
                char text[720];

                if (image_reference_parse(*references, &r, NULL) < 0)
                        continue;
                image_reference_familiar(&r, text, sizeof(text));
                json_array_append_new(list, json_string(text));
        }
        return list;
}

/* {image id: how many containers were made from it}; the caller's. */
static json_t *count_users(struct engine *e) {
        struct container **containers;
        json_t *users = json_object();
        size_t n;

        if (table_snapshot(&e->table, &containers, &n) < 0)
                return users;
        for (size_t i = 0; i < n; i++) {
                const char *id = containers[i]->row.image_id;

                json_object_set_new(users, id, json_integer(json_get_int(users, id, 0) + 1));
                container_unref(containers[i]);
        }
        free(containers);
        return users;
}

static bool is_used(struct engine *e, const char *image_id) {
        auto_json *users = count_users(e);

        return json_object_get(users, image_id) != NULL;
}

/* Only '*' has a meaning in it; without FNM_PATHNAME's care a slash is a letter as others, as people expect of "*box*". */
static bool fits_stars(const char *wanted, const char *text) {
        auto_json *one = json_pack("{s:[o]}", "p", json_null());
        auto_strbuf b;

        strbuf_init(&b, 2048);
        strbuf_adds(&b, "^");
        for (const char *p = wanted; *p; p++)
                strbuf_addf(&b, *p == '*' ? ".*" : strchr(".+?()[]^$|\\", *p) ? "\\%c" : "%c", *p);
        strbuf_adds(&b, "$");
        json_object_set_new(one, "p", json_pack("[s]", b.data ? b.data : ""));
        return filter_pattern(one, "p", text);
}

/* "busybox", "busybox:1.36", "*box*": a name without a tag fits all of its tags, and its digests. */
static bool fits_reference(const json_t *filters, const char *text) {
        const char *digest = strchr(text, '@'), *end = digest ? digest : strrchr(text, ':'), *wanted;
        auto_free char *bare = strndup(text, end ? (size_t) (end - text) : strlen(text));

        for (size_t k = 0; (wanted = filter_value(filters, "reference", k)); k++)
                if (!strcmp(wanted, text) || (bare && !strcmp(wanted, bare)) || (strchr(wanted, '*') && (fits_stars(wanted, text) || (bare && fits_stars(wanted, bare)))))
                        return true;
        return false;
}

/* Those names that were asked for. */
static json_t *fitting(const json_t *filters, char **references) {
        json_t *all = familiar_list(references);

        for (size_t i = json_array_size(all); filter_has(filters, "reference") && i-- > 0;)
                if (!fits_reference(filters, json_string_value(json_array_get(all, i))))
                        json_array_remove(all, i);
        return all;
}

/* Bytes of its layers that another of the images has as well. */
static uint64_t shared_size(struct engine *e, const struct image *image, struct image *const *all, size_t n) {
        uint64_t sum = 0;

        for (size_t i = 0; i < image->n_diff_ids; i++) {
                uint64_t size = 0;
                bool shared = false;

                for (size_t k = 0; k < n && !shared; k++)
                        for (size_t m = 0; all[k] != image && m < all[k]->n_diff_ids && !shared; m++)
                                shared = !strcmp(all[k]->diff_ids[m], image->diff_ids[i]);
                if (shared && storage_layer_size(e->storage, image->diff_ids[i], &size, NULL) == 0)
                        sum += size;
        }
        return sum;
}

struct image_view {
        const struct engine_image_list *how;
        const json_t *filters, *users; /* users: see count_users(); not for a brief list */
        int64_t before, since;
        struct image **images;
        size_t n;
};

static json_t *list_entry(struct engine *e, const struct image_view *v, const struct image *image) {
        const json_t *filters = v->filters;
        auto_json *tags = NULL, *digests = NULL;
        bool dangling = !image->tags || !*image->tags;

        if (image->created_unix_ns >= v->before || image->created_unix_ns <= v->since || !filter_labels(filters, "label", image->labels))
                return NULL;
        if (filter_has(filters, "dangling") && !filter_text(filters, "dangling", dangling ? "true" : "false") && !filter_text(filters, "dangling", dangling ? "1" : "0"))
                return NULL;
        tags = fitting(filters, image->tags);
        digests = v->how->brief && json_array_size(tags) ? NULL : fitting(filters, image->digests);
        if (filter_has(filters, "reference") && json_array_size(tags) + json_array_size(digests) == 0)
                return NULL;
        if (v->how->brief)
                return json_pack("{s:s%, s:O, s:O*, s:I, s:I}", "Id", image->id + strlen("sha256:"), (size_t) 12, "RepoTags", tags, "RepoDigests",
                                 digests, "Created", (json_int_t) (image->created_unix_ns / 1000000000), "Size", (json_int_t) image->size);
        return json_pack("{s:s, s:s, s:O, s:O, s:I, s:I, s:I, s:O?, s:I, s:o*}", "Id", image->id, "ParentId", "", "RepoTags", tags, "RepoDigests", digests, "Created",
                         (json_int_t) (image->created_unix_ns / 1000000000), "Size", (json_int_t) image->size, "SharedSize",
                         v->how->shared ? (json_int_t) shared_size(e, image, v->images, v->n) : (json_int_t) -1, "Labels", image->labels, "Containers",
                         (json_int_t) json_get_int(v->users, image->id, 0), "BlobsDiscarded", image->blobs_discarded ? json_true() : NULL);
}

/* When the image that a filter names was made. */
static int image_time(struct engine *e, const json_t *filters, const char *key, int64_t *ret, struct err *err) {
        const char *name = filter_value(filters, key, 0);
        struct image *image;
        int r = name ? image_get(e->images, name, &image, err) : 0;

        if (r < 0 || !name)
                return r;
        *ret = image->created_unix_ns;
        image_free(image);
        return 0;
}

int engine_image_list(struct engine *e, const struct engine_image_list *how, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "reference", "label", "label!", "dangling", "before", "since", NULL };
        struct image_view v = { .how = how, .filters = filters, .before = INT64_MAX, .since = INT64_MIN };
        auto_json *users = NULL;
        json_t *list;
        int r = filters_check(filters, known, err);

        if (r < 0 || (r = check_flag(filters, "dangling", err)) < 0 || (r = image_time(e, filters, "before", &v.before, err)) < 0 || (r = image_time(e, filters, "since", &v.since, err)) < 0 ||
            (r = image_list(e->images, how->shared, &v.images, &v.n, err)) < 0)
                return r;
        v.users = users = how->brief ? NULL : count_users(e);
        list = json_array();
        for (size_t i = 0; i < v.n; i++) {
                json_t *entry = list_entry(e, &v, v.images[i]);

                if (entry)
                        json_array_append_new(list, entry);
        }
        for (size_t i = 0; i < v.n; i++)
                image_free(v.images[i]);
        free(v.images);
        *ret = list;
        return 0;
}

static json_t *or_empty(json_t *v) {
        return v ? json_incref(v) : json_null();
}

/* Of the image, or of the last thing done to it. */
static const char *comment_of(const struct image *image) {
        const json_t *history = json_get_array(image->config, "history");
        size_t n = json_array_size(history);

        return json_get_str(image->config, "comment", n ? json_get_str(json_array_get(history, n - 1), "comment", "") : "");
}

int engine_image_inspect(struct engine *e, const char *name, json_t **ret, struct err *err) {
        struct image *image;
        json_t *layers, *config;
        int r = image_get(e->images, name, &image, err);

        if (r < 0)
                return r;
        layers = json_array();
        for (size_t i = 0; i < image->n_diff_ids; i++)
                json_array_append_new(layers, json_string(image->diff_ids[i]));
        config = json_object_get(image->config, "config");
        *ret = json_pack("{s:s, s:o, s:o, s:s, s:s, s:o, s:s, s:s, s:o, s:s, s:s, s:I, s:{s:s, s:n}, s:{s:s, s:o}, s:{s:s}}", "Id", image->id, "RepoTags",
                         familiar_list(image->tags), "RepoDigests", familiar_list(image->digests), "Parent", "", "Comment", comment_of(image), "Created",
                         describe_time(image->created_unix_ns), "DockerVersion", "", "Author", json_get_str(image->config, "author", ""), "Config", or_empty(config),
                         "Architecture", json_get_str(image->config, "architecture", ""), "Os", json_get_str(image->config, "os", "linux"), "Size",
                         (json_int_t) image->size, "GraphDriver", "Name", "overlay", "Data", "RootFS", "Type", "layers", "Layers", layers, "Metadata", "LastTagTime",
                         "0001-01-01T00:00:00Z");
        if (*ret && image->artifact_type)
                json_object_set_new(*ret, "Descriptor", json_pack("{s:s, s:s, s:s}", "mediaType", "application/vnd.oci.image.manifest.v1+json", "digest", image->manifest_digest,
                                                                  "artifactType", image->artifact_type));
        if (*ret)
                json_object_set_new(*ret, "BlobsDiscarded", json_boolean(image->blobs_discarded)); /* Kist's own */
        if (*ret && json_get_str(image->config, "variant", NULL))
                json_object_set(*ret, "Variant", json_object_get(image->config, "variant"));
        image_free(image);
        return *ret ? 0 : err_errno(err, -ENOMEM, "inspecting image %s", name);
}

/* History, newest first; the id belongs to the newest entry, and sizes to those that made a layer. */
int engine_image_history(struct engine *e, const char *name, json_t **ret, struct err *err) {
        json_t *history, *list = json_array(), *h;
        int64_t begun = metrics_begin();
        size_t i, layer = 0;
        struct image *image;
        int r = image_get(e->images, name, &image, err);

        if (r < 0) {
                json_decref(list);
                return r;
        }
        history = json_get_array(image->config, "history");
        json_array_foreach(history, i, h) {
                bool newest = i + 1 == json_array_size(history);
                auto_json *tags = newest ? familiar_list(image->tags) : NULL;
                uint64_t size = 0;
                int64_t created = 0;
                const char *when = json_get_str(h, "created", NULL);
                struct tm tm = {};

                if (!json_get_bool(h, "empty_layer", false) && layer < image->n_diff_ids)
                        storage_layer_size(e->storage, image->diff_ids[layer++], &size, NULL);
                if (when && strptime(when, "%Y-%m-%dT%H:%M:%S", &tm))
                        created = timegm(&tm);
                json_array_insert_new(list, 0, json_pack("{s:s, s:I, s:s, s:O?, s:I, s:s}", "Id", newest ? image->id : "<missing>", "Created", (json_int_t) created, "CreatedBy",
                                                         json_get_str(h, "created_by", ""), "Tags", tags, "Size", (json_int_t) size, "Comment", json_get_str(h, "comment", "")));
                if (!tags)
                        json_object_set_new(json_array_get(list, 0), "Tags", json_null());
        }
        image_free(image);
        *ret = list;
        metrics_end(e->metrics, METRICS_IMAGE_HISTORY, begun);
        return 0;
}

static bool is_mounted(struct engine *e, const char *id) {
        struct container **containers;
        bool found = false;
        size_t n;

        if (table_snapshot(&e->table, &containers, &n) < 0)
                return true;
        for (size_t i = 0; i < n; i++) {
                auto_json *body = NULL;
                const char *target;
                json_t *v;

                if (!found && db_spec(e->db, containers[i]->row.id, &body, NULL) == 0)
                        json_object_foreach(json_object_get(body, VOLUMES_IMAGES), target, v)
                                found = found || !strcmp(json_string_value(v), id);
                container_unref(containers[i]);
        }
        free(containers);
        return found;
}

bool engine_image_has_users(struct engine *e, const char *id) {
        return is_used(e, id) || is_mounted(e, id);
}

static bool in_use(const char *id, void *data) {
        return engine_image_has_users(data, id);
}

int engine_image_remove(struct engine *e, const char *name, bool force, json_t **ret, struct err *err) {
        int64_t begun = metrics_begin();
        const char *gone, *id;
        json_t *entry;
        size_t i;
        int r;

        pthread_rwlock_wrlock(&e->images_lock);
        r = image_remove(e->images, name, force, in_use, engine_drop_layer, e, ret, err);
        pthread_rwlock_unlock(&e->images_lock);
        if (r < 0)
                return r;
        json_array_foreach(*ret, i, entry) {
                gone = json_get_str(entry, "Untagged", NULL);
                id = json_get_str(entry, "Deleted", NULL);
                if (gone || id)
                        publish(e, gone ? "untag" : "delete", gone ? gone : id, gone ? gone : id);
        }
        metrics_end(e->metrics, METRICS_IMAGE_DELETE, begun);
        return 0;
}

int engine_image_tag(struct engine *e, const char *name, const char *target, struct err *err) {
        int r = image_tag(e->images, name, target, err);

        if (r == 0)
                publish(e, "tag", name, target);
        return r;
}
