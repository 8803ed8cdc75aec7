/* SPDX-License-Identifier: Apache-2.0 */

/* New images: of a container's changes and settings, and of the archive of a file system. */

#include <string.h>

#include "engine/changes.h"
#include "engine/commit-changes.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/root-view.h"

struct commit {
        struct engine *engine;
        struct container *container;
};

/* What of a container's settings an image has. */
static const char *const kept[] = {
        "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "StopTimeout", "OnBuild", "Shell", "Healthcheck",
};

static bool is_said(const json_t *v) {
        if (!v || json_is_null(v))
                return false;
        return json_is_string(v) ? json_string_length(v) > 0 : json_is_array(v) ? json_array_size(v) > 0 : !json_is_object(v) || json_object_size(v) > 0;
}

static int make_config(const json_t *body, const struct engine_commit *c, json_t **ret, struct err *err) {
        auto_json *config = json_object();
        int r = 0;

        if (!config)
                return err_errno(err, -ENOMEM, "commit");
        for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
                json_t *own = json_object_get(body, kept[i]), *asked = c->config ? json_object_get(c->config, kept[i]) : NULL;

                if (is_said(asked) || is_said(own))
                        json_object_set(config, kept[i], is_said(asked) ? asked : own);
        }
        /* A single word may stand where an image has a list. */
        if (json_is_string(json_object_get(config, "Cmd")))
                json_object_set_new(config, "Cmd", json_pack("[O]", json_object_get(config, "Cmd")));
        if (json_is_string(json_object_get(config, "Entrypoint")))
                json_object_set_new(config, "Entrypoint", json_pack("[O]", json_object_get(config, "Entrypoint")));
        for (size_t i = 0; i < c->n_changes && r == 0; i++)
                r = commit_change(config, c->changes[i], err);
        if (r == 0)
                *ret = take_ptr(&config);
        return r;
}

static int write_layer(void *data, int fd, struct err *err) {
        struct commit *c = data;

        return changes_pack(c->engine, c->container, "layer", fd, -1, err);
}

static char *command_line(const json_t *body) {
        json_t *cmd = json_object_get(body, "Cmd");
        auto_free char *line = strdup("");
        json_t *v;
        size_t i;

        if (json_is_string(cmd))
                return strdup(json_string_value(cmd));
        json_array_foreach(cmd, i, v) {
                char *longer = str_format("%s%s%s", line, i ? " " : "", json_string_value(v) ? json_string_value(v) : "");

                free(line);
                line = longer;
                if (!line)
                        return NULL;
        }
        return take_ptr(&line);
}

static int commit(struct engine *e, struct container *container, const struct engine_commit *c, char ret_id[72], struct err *err) {
        struct commit data = { .engine = e, .container = container };
        auto_json *body = NULL, *config = NULL;
        auto_free char *line = NULL;
        struct image_commit of = { .base_id = container->row.image_id, .layer = write_layer, .data = &data, .author = c->author, .comment = c->comment, .name = c->reference };
        int r = db_spec(e->db, container->row.id, &body, err);

        if (r == 0)
                r = make_config(body, c, &config, err);
        if (r < 0)
                return r;
        line = command_line(body);
        of.created_by = line;
        of.config = config;
        return image_commit(e->images, &of, ret_id, err);
}

int engine_image_import(struct engine *e, const struct engine_import *i, image_progress_fn progress, void *data, struct err *err) {
        auto_json *config = json_object(), *told = NULL;
        struct image_reference reference;
        struct image_from_archive a = {
                .archive_fd = i->archive_fd, .cancel_fd = i->cancel_fd, .config = config, .name = i->reference, .platform = i->platform,
                .comment = i->comment ? i->comment : "Imported from -", .made_unix_s = i->made_unix_s,
        };
        char id[72];
        int r = config ? 0 : err_errno(err, -ENOMEM, "import");

        if (r == 0 && i->reference)
                r = image_reference_parse(i->reference, &reference, err);
        for (size_t k = 0; k < i->n_changes && r == 0; k++)
                r = commit_change(config, i->changes[k], err);
        if (r == 0)
                r = image_from_archive(e->images, &a, id, err);
        if (r < 0)
                return r;
        events_publish(e->events, "image", "import", id, json_pack("{s:s}", "name", i->reference ? i->reference : id));
        told = json_pack("{s:s}", "status", id);
        /* It is made: whether anybody still listens does not matter. */
        progress(told, data);
        return 0;
}

int engine_commit(struct engine *e, const char *name, const struct engine_commit *c, json_t **ret, struct err *err) {
        auto_container *container = NULL;
        struct image_reference reference;
        char id[72], reference_text[720] = "";
        int64_t begun = metrics_begin();
        struct container_row row;
        bool paused;
        int r = table_find(&e->table, name, &container, err);

        if (r < 0 || (c->reference && (r = image_reference_parse(c->reference, &reference, err)) < 0))
                return r;
        /* So that the files are of one moment. It may end at any time: then it has stopped writing, too. */
        container_peek(container, &row);
        if (c->pause && row.state == CONTAINER_RUNNING)
                atomic_store(&container->paused_for_commit, true); /* before it is: who copies a volume then waits for no unpause of a person */
        paused = c->pause && row.state == CONTAINER_RUNNING && engine_pause(e, row.id, true, NULL) == 0;
        r = commit(e, container, c, id, err);
        if (paused)
                engine_pause(e, row.id, false, NULL);
        atomic_store(&container->paused_for_commit, false);
        if (r < 0)
                return r;
        if (c->reference)
                image_reference_familiar(&reference, reference_text, sizeof(reference_text));
        metrics_end(e->metrics, METRICS_CONTAINER_COMMIT, begun);
        events_container(container, "commit", json_pack("{s:s, s:s, s:s}", "comment", c->comment ? c->comment : "", "imageID", id, "imageRef", reference_text));
        *ret = json_pack("{s:s}", "Id", id);
        return 0;
}
