/* SPDX-License-Identifier: Apache-2.0 */
/* --volumes-from: what another container has mounted at the moment when this one is made, as Mounts in the stored body. */

#include <string.h>

#include "base/str.h"
#include "engine/db.h"
#include "engine/internal.h"
#include "engine/spec.h"
#include "engine/volumes.h"

/* Of its words only ro changes anything; z and Z are for SELinux. */
static int read_mode(const char *mode, bool *ret_read_only, struct err *err) {
        static const char *const known[] = { "", "rw", "z", "Z", "ro" };
        auto_free char *copy = strdup(mode);
        char *save = NULL;

        *ret_read_only = false;
        for (char *word = copy ? strtok_r(copy, ",", &save) : NULL; word; word = strtok_r(NULL, ",", &save)) {
                size_t i = 0;

                while (i < ARRAY_SIZE(known) && strcmp(known[i], word) != 0)
                        i++;
                if (i == ARRAY_SIZE(known))
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid mode: %s", word);
                *ret_read_only |= !strcmp(word, "ro");
        }
        return 0;
}

static json_t *mount_object(const struct spec_mount *m, bool read_only) {
        json_t *o;

        if (m->type == SPEC_MOUNT_VOLUME)
                o = json_pack("{s:s, s:s, s:s, s:{s:b, s:s}}", "Type", "volume", "Source", m->source, "Target", m->target, "VolumeOptions", "NoCopy", 1, "Subpath",
                              m->subpath ? m->subpath : "");
        else
                o = json_pack("{s:s, s:s, s:s, s:{s:s, s:b}}", "Type", "bind", "Source", m->source, "Target", m->target, "BindOptions", "Propagation", m->propagation,
                              "NonRecursive", !m->recursive);
        if (o && m->idmap)
                json_object_set_new(o, "Idmap", json_string(m->idmap));
        if (o)
                json_object_set_new(o, "ReadOnly", json_boolean(read_only || m->read_only));
        return o;
}

static int add_from(struct engine *e, const char *text, json_t *list, struct err *err) {
        const char *colon = strchr(text, ':');
        auto_free char *name = strndup(text, colon ? (size_t) (colon - text) : strlen(text));
        auto_container *c = NULL;
        auto_json *body = NULL;
        auto_spec s = {};
        bool read_only;
        int r;

        if (!name)
                return err_errno(err, -ENOMEM, "HostConfig.VolumesFrom");
        if ((r = read_mode(colon ? colon + 1 : "", &read_only, err)) < 0 || (r = table_find(&e->table, name, &c, err)) < 0 ||
            (r = db_spec(e->db, c->row.id, &body, err)) < 0 || (r = spec_parse(body, &s, err)) < 0)
                return r;
        for (size_t i = 0; i < s.n_mounts; i++)
                if (s.mounts[i].type == SPEC_MOUNT_BIND || s.mounts[i].type == SPEC_MOUNT_VOLUME)
                        json_array_append_new(list, mount_object(&s.mounts[i], read_only));
        return 0;
}

int volumes_from(struct engine *e, json_t *body, json_t *host, struct err *err) {
        auto_json *list = json_array();
        json_t *v;
        size_t i;
        int r;

        json_array_foreach(json_get_array(host, "VolumesFrom"), i, v)
                if (json_is_string(v) && (r = add_from(e, json_string_value(v), list, err)) < 0)
                        return r;
        if (json_array_size(list))
                json_object_set(body, VOLUMES_FROM, list);
        return 0;
}
