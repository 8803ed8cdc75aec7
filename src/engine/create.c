/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/fault.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "engine/cgroups.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/defaults.h"
#include "engine/endpoints.h"
#include "engine/events.h"
#include "engine/fields.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/links.h"
#include "engine/names.h"
#include "engine/merge.h"
#include "engine/peers.h"
#include "engine/ports.h"
#include "engine/projects.h"
#include "engine/runtimes.h"
#include "engine/sensitive.h"
#include "engine/spec.h"
#include "engine/volumes.h"
#include "storage/storage.h"

enum { NAME_TRIES = 32, SLOT_TRIES = 200 };

bool engine_name_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n < 2 || n >= CONTAINER_NAME_SIZE || !isalnum((unsigned char) *name))
                return false;
        for (; *name; name++)
                if (!isalnum((unsigned char) *name) && !strchr("_.-", *name))
                        return false;
        return true;
}

/* Made-up names: a property and something found in a chest or a workshop. */
static void make_up_name(char ret[CONTAINER_NAME_SIZE], bool numbered) {
        static const char *const adjectives[] = {
                "amber", "bold", "brisk", "calm", "clever", "cosy", "crisp", "dapper", "eager", "fair", "fleet", "fond", "gentle", "glad", "golden", "handy",
                "hearty", "humble", "jolly", "keen", "kind", "lively", "lucid", "mellow", "merry", "mild", "neat", "nimble", "noble", "patient", "plucky", "proud",
                "quick", "quiet", "rapid", "ready", "robust", "rosy", "sage", "serene", "sharp", "silver", "sleek", "snug", "solid", "spry", "steady", "stout",
                "sunny", "sure", "swift", "tidy", "trusty", "upbeat", "vivid", "warm", "wise", "witty", "zesty", "zippy",
        };
        static const char *const nouns[] = {
                "abacus", "anvil", "arrow", "awl", "barrel", "basket", "beacon", "bell", "bobbin", "brush", "buckle", "candle", "chisel", "clasp", "clock", "coin",
                "compass", "crate", "cup", "dial", "drum", "easel", "feather", "flask", "flute", "gear", "gimlet", "globe", "goblet", "hammer", "harp", "hinge",
                "kettle", "key", "ladder", "lantern", "lathe", "lens", "lever", "locket", "loom", "lute", "magnet", "mallet", "map", "mirror", "needle", "oar",
                "pencil", "plane", "prism", "quill", "ribbon", "rudder", "ruler", "saddle", "sextant", "spindle", "spool", "thimble", "trowel", "wheel",
        };
        uint32_t r[3];

        while (getrandom(r, sizeof(r), 0) != sizeof(r))
                ;
        if (numbered)
                snprintf(ret, CONTAINER_NAME_SIZE, "%s_%s%u", adjectives[r[0] % ARRAY_SIZE(adjectives)], nouns[r[1] % ARRAY_SIZE(nouns)], r[2] % 100000);
        else
                snprintf(ret, CONTAINER_NAME_SIZE, "%s_%s", adjectives[r[0] % ARRAY_SIZE(adjectives)], nouns[r[1] % ARRAY_SIZE(nouns)]);
}

/* A container on its way into the world. */
struct birth {
        struct engine *engine;
        struct container_row row;
        char *spec;
        json_t *warnings; /* borrowed */
        json_t *body; /* NULL again when the container is there: until then the volumes that were made for it go with it */
        bool holds_volumes; /* volumes_lock: until the container is in the table */
        uint64_t size_limit; /* 0: none */
};

static void birth_done(struct birth *b) {
        if (b->body && b->holds_volumes)
                volumes_undo(b->engine, b->body);
        if (b->holds_volumes)
                pthread_mutex_unlock(&b->engine->volumes_lock);
        json_decref(b->body);
        container_row_done(&b->row);
        free(b->spec);
}

static char *join_lines(char **lines, size_t n) {
        auto_strbuf b;

        strbuf_init(&b, 1 << 20);
        for (size_t i = 0; i < n; i++)
                strbuf_addf(&b, "%s%s", i ? "\n" : "", lines[i]);
        return strbuf_take(&b, NULL);
}

/* The body as it is kept: with the image's part, and with the words that inspect shows in place of Docker's shorthands. */
static int complete_body(struct engine *e, const json_t *body, const struct image *image, json_t **ret, struct err *err) {
        json_t *copy = json_copy((json_t *) body), *host = json_get_object(body, "HostConfig");
        int r = merge_image(copy, json_get_object(image->config, "config"), err);
        const char *mode;

        if (r < 0) {
                json_decref(copy);
                return r;
        }
        host = host ? json_copy(host) : json_object();
        mode = json_get_str(host, "NetworkMode", "");
        if (!*mode || !strcmp(mode, "default"))
                json_object_set_new(host, "NetworkMode", json_string("bridge"));
        if (!*json_get_str(host, "Runtime", ""))
                json_object_set_new(host, "Runtime", json_string(e->default_runtime));
        r = defaults_apply(e, host, err);
        json_object_set_new(copy, "HostConfig", host);
        json_object_del(copy, VOLUMES_ANONYMOUS); /* ours to say */
        json_object_del(copy, VOLUMES_IMAGES);
        json_object_del(copy, VOLUMES_FROM);
        if (r == 0)
                r = peers_resolve(e, copy, host, err);
        if (r == 0)
                r = links_resolve(e, copy, host, err);
        if (r == 0)
                r = endpoints_resolve(e, copy, host, err);
        if (r == 0)
                r = volumes_from(e, copy, host, err);
        if (r < 0) {
                json_decref(copy);
                return r;
        }
        *ret = copy;
        return 0;
}

/* Images that are mounted are kept by their id: the name may be another's tomorrow, and what is mounted is not removed. */
static int name_images(struct engine *e, const struct spec *s, json_t *body, struct err *err) {
        for (size_t i = 0; i < s->n_mounts; i++) {
                struct image *mounted = NULL;
                int r;

                if (s->mounts[i].type != SPEC_MOUNT_IMAGE)
                        continue;
                r = image_get(e->images, s->mounts[i].source, &mounted, err);
                if (r < 0)
                        return r;
                r = image_check_runs(mounted, s->mounts[i].source, err);
                if (r < 0) {
                        image_free(mounted);
                        return r;
                }
                if (!json_object_get(body, VOLUMES_IMAGES))
                        json_object_set_new(body, VOLUMES_IMAGES, json_object());
                json_object_set_new(json_object_get(body, VOLUMES_IMAGES), s->mounts[i].target, json_string(mounted->id));
                image_free(mounted);
        }
        return 0;
}

/* What is done, and may surprise. */
static void add_warnings(struct engine *e, json_t *warnings, const json_t *body) {
        const json_t *host = json_object_get(body, "HostConfig");
        auto_json *of_ports = ports_warnings(e, body);

        json_array_extend(warnings, of_ports);
        if (json_get_bool(host, "OomKillDisable", false) && json_get_int(host, "Memory", 0) <= 0)
                json_array_append_new(warnings, json_string("OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources."));
}

static int birth_begin(struct engine *e, const json_t *body, const struct image *image, struct birth *b, bool *ret_own_ids, struct err *err) {
        auto_json *complete = NULL;
        const struct runtime *runtime;
        auto_spec s = {};
        int r;

        r = complete_body(e, body, image, &complete, err);
        if (r < 0 || (r = spec_parse(complete, &s, err)) < 0 || (r = spec_check_host(&s, err)) < 0 ||
            (r = spec_check_sources(&s, err)) < 0 || (r = config_check_capabilities(&s, err)) < 0 || (r = runtime_find(e, s.runtime, &runtime, err)) < 0 ||
            (r = runtime_check(runtime, &s, err)) < 0 || (r = sensitive_check(e, &s, b->warnings, err)) < 0)
                return r;
        if (*s.stop_signal && (r = engine_signal_parse(s.stop_signal, &(int) { 0 }, err)) < 0)
                return r;
        b->body = json_incref(complete);
        r = name_images(e, &s, complete, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < s.n_mounts && !b->holds_volumes; i++)
                b->holds_volumes = s.mounts[i].type == SPEC_MOUNT_VOLUME;
        r = volumes_name(complete, &s, err);
        if (r < 0)
                return r;
        if (b->holds_volumes)
                pthread_mutex_lock(&e->volumes_lock);
        r = spec_cgroup_parent(s.cgroup_parent, &b->row.cgroup_parent);
        if (r < 0)
                return err_errno(err, r, "HostConfig.CgroupParent");
        r = cgroups_check_parent(e, b->row.cgroup_parent, err);
        if (r < 0)
                return r;
        b->row.created_ns = time_now_ns();
        b->row.auto_remove = s.auto_remove;
        b->row.image_id = strdup(image->id);
        b->row.image_name = strdup(s.image);
        b->row.diff_ids = join_lines(image->diff_ids, image->n_diff_ids);
        if (json_object_size(s.labels)) {
                b->row.labels = json_text(s.labels);
                if (!b->row.labels)
                        return err_errno(err, -ENOMEM, "labels");
        }
        b->spec = json_text(complete);
        if (!b->row.image_id || !b->row.image_name || !b->row.diff_ids || !b->spec || str_random_hex(b->row.id, 32) < 0)
                return err_errno(err, -ENOMEM, "creating a container");
        *ret_own_ids = !s.host_userns;
        b->size_limit = s.size_limit;
        return 0;
}

/* Into the database: the moment from which on the container exists. Names that were made up and ranges of ids are tried until one is free. */
static int birth_insert(struct engine *e, struct birth *b, const char *name, bool own_ids, struct err *err) {
        char owner[65];
        int r = -EAGAIN, names = 0;

        for (int i = 0; i < SLOT_TRIES; i++) {
                if (name)
                        snprintf(b->row.name, sizeof(b->row.name), "%s", name);
                else
                        make_up_name(b->row.name, names > NAME_TRIES / 2);
                if (own_ids) {
                        r = db_free_slot(e->db, e->n_ids / ENGINE_ID_RANGE, &b->row.id_slot, err);
                        if (r < 0)
                                return r;
                }
                r = db_insert(e->db, &b->row, b->spec, owner, err);
                if (r == -EEXIST && !name && names++ < NAME_TRIES)
                        continue;
                if (r != -EAGAIN)
                        return r;
        }
        return r;
}

static void drop_directory(struct engine *e, const char *id) {
        char owner[PROJECT_OWNER_SIZE];

        project_of_container(id, owner);
        storage_container_remove(e->storage, id, NULL);
        project_release(e, owner);
}

static int birth_directory(const struct birth *b, struct err *err) {
        char owner[PROJECT_OWNER_SIZE];
        struct storage_quota q;
        auto_fd dir = -EBADF;
        int r = 0;

        project_of_container(b->row.id, owner);
        if (b->size_limit)
                r = project_take(b->engine, owner, b->size_limit, &q, err);
        if (r == 0 && b->size_limit)
                fault_point("size", "taken");
        if (r == 0)
                r = storage_container_create(b->engine->storage, b->row.id, b->size_limit ? &q : NULL, &dir, err);
        if (r < 0 && b->size_limit)
                project_release(b->engine, owner);
        return r;
}

/* After the row, which says whose they are. */
static int birth_volumes(struct engine *e, const struct birth *b, struct err *err) {
        auto_spec s = {};
        int r;

        if (!b->holds_volumes)
                return 0;
        r = spec_parse(b->body, &s, err);
        return r < 0 ? r : volumes_make(e, &s, err);
}

static int create_from_image(struct engine *e, const char *name, const json_t *body, const struct image *image, json_t *warnings, struct container **ret, struct err *err) {
        __attribute__((cleanup(birth_done))) struct birth b = { .engine = e, .warnings = warnings };
        auto_container *c = NULL;
        bool own_ids = false;
        int r;

        r = birth_begin(e, body, image, &b, &own_ids, err);
        if (r < 0)
                return r;
        /* The directory first: one without a row is swept up after a crash, a row without a directory could not be started. */
        r = birth_directory(&b, err);
        if (r < 0)
                return r;
        fault_point("create", "directory");
        r = birth_insert(e, &b, name, own_ids, err);
        if (r < 0) {
                drop_directory(e, b.row.id);
                return r;
        }
        fault_point("create", "row");
        r = birth_volumes(e, &b, err);
        fault_point("create", "volumes");
        if (r == 0) {
                c = container_new(e, &b.row);
                r = c ? table_add(&e->table, c) : -ENOMEM;
                if (r < 0)
                        err_errno(err, r, "creating a container");
        }
        if (r < 0) {
                db_delete(e->db, c ? c->row.id : b.row.id, NULL);
                drop_directory(e, c ? c->row.id : b.row.id);
                return r;
        }
        json_decref(b.body);
        b.body = NULL;
        *ret = take_ptr(&c);
        return 0;
}

int engine_create(struct engine *e, const char *name, const json_t *body, json_t **ret, struct err *err) {
        const char *image_name = json_get_str(body, "Image", ""), *platform = json_get_str(body, "Platform", "");
        auto_json *warnings = json_array();
        auto_container *c = NULL;
        struct image *image = NULL;
        int64_t begun = metrics_begin();
        int r;

        if ((r = spec_check_types(body, err)) < 0 || (r = fields_check_container(body, err)) < 0)
                return r;
        if (name && *name == '/')
                name++;
        if (name && !engine_name_is_valid(name))
                return err_set(err, ERR_INVALID, -EINVAL, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
        if (!*image_name)
                return err_set(err, ERR_INVALID, -EINVAL, "no image specified");
        /* From here until the row is there no image may go. */
        pthread_rwlock_rdlock(&e->images_lock);
        r = image_get(e->images, image_name, &image, err);
        if (r == 0)
                r = image_check_runs(image, image_name, err);
        if (r == 0 && *platform)
                r = image_check_platform(image, image_name, platform, err);
        if (r == 0) {
                r = create_from_image(e, name, body, image, warnings, &c, err);
                /* "Not found" is the image only: Docker's command pulls it then, and would do so for a network or a container that is not there. */
                if (r < 0 && err->kind == ERR_NOT_FOUND)
                        err->kind = ERR_INVALID;
        }
        if (image)
                image_free(image);
        pthread_rwlock_unlock(&e->images_lock);
        if (r < 0)
                return r;
        metrics_end(e->metrics, METRICS_CONTAINER_CREATE, begun);
        events_container(c, "create", NULL);
        fault_point("create", "answer");
        add_warnings(e, warnings, body);
        *ret = json_pack("{s:s, s:o}", "Id", c->row.id, "Warnings", take_ptr(&warnings));
        return 0;
}

int engine_rename(struct engine *e, const char *name, const char *new_name, struct err *err) {
        auto_container *c = NULL;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        if (*new_name == '/')
                new_name++;
        if (!engine_name_is_valid(new_name))
                return err_set(err, ERR_INVALID, -EINVAL, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", new_name);
        {
                auto_op *op = container_op_lock(c);
                struct container_row next = c->row;
                json_t *extra = json_pack("{s:s}", "oldName", next.name);

                if (c->gone || !strcmp(next.name, new_name)) {
                        json_decref(extra);
                        return c->gone ? err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name)
                                       : err_set(err, ERR_INVALID, -EINVAL, "Renaming a container with the same name as its current name");
                }
                snprintf(next.name, sizeof(next.name), "%s", new_name);
                r = container_store(c, &next, err);
                fault_point("rename", "row");
                if (r < 0) {
                        json_decref(extra);
                        return r;
                }
                names_rename(e, c);
                events_container(c, "rename", extra);
        }
        return 0;
}
