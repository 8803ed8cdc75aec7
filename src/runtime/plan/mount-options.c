/* SPDX-License-Identifier: Apache-2.0 */

/* mounts[].options: one row per word (runtime-spec, config.md, "Linux mount options"). A word without a row belongs to the file system. */

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

enum kind {
        ATTRIBUTE,
        PROPAGATION,
        BIND,
        IDMAP,
        SUPERBLOCK, /* a flag of the file system itself */
        COPY_UP,
        NOTHING,    /* says what is so anyway */
        REMOUNT,    /* of a mount that is there already */
};

static const struct row {
        const char *word;
        enum kind kind;
        bool tree;           /* for everything below, too */
        uint64_t set, clear; /* MOUNT_ATTR_*; PROPAGATION: set is MS_* */
} rows[] = {
        { "ro", ATTRIBUTE, false, MOUNT_ATTR_RDONLY, 0 },
        { "rw", ATTRIBUTE, false, 0, MOUNT_ATTR_RDONLY },
        { "nosuid", ATTRIBUTE, false, MOUNT_ATTR_NOSUID, 0 },
        { "suid", ATTRIBUTE, false, 0, MOUNT_ATTR_NOSUID },
        { "nodev", ATTRIBUTE, false, MOUNT_ATTR_NODEV, 0 },
        { "dev", ATTRIBUTE, false, 0, MOUNT_ATTR_NODEV },
        { "noexec", ATTRIBUTE, false, MOUNT_ATTR_NOEXEC, 0 },
        { "exec", ATTRIBUTE, false, 0, MOUNT_ATTR_NOEXEC },
        { "nosymfollow", ATTRIBUTE, false, MOUNT_ATTR_NOSYMFOLLOW, 0 },
        { "symfollow", ATTRIBUTE, false, 0, MOUNT_ATTR_NOSYMFOLLOW },
        { "nodiratime", ATTRIBUTE, false, MOUNT_ATTR_NODIRATIME, 0 },
        { "diratime", ATTRIBUTE, false, 0, MOUNT_ATTR_NODIRATIME },
        { "relatime", ATTRIBUTE, false, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "norelatime", ATTRIBUTE, false, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "noatime", ATTRIBUTE, false, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "atime", ATTRIBUTE, false, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "strictatime", ATTRIBUTE, false, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "nostrictatime", ATTRIBUTE, false, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "rro", ATTRIBUTE, true, MOUNT_ATTR_RDONLY, 0 },
        { "rrw", ATTRIBUTE, true, 0, MOUNT_ATTR_RDONLY },
        { "rnosuid", ATTRIBUTE, true, MOUNT_ATTR_NOSUID, 0 },
        { "rsuid", ATTRIBUTE, true, 0, MOUNT_ATTR_NOSUID },
        { "rnodev", ATTRIBUTE, true, MOUNT_ATTR_NODEV, 0 },
        { "rdev", ATTRIBUTE, true, 0, MOUNT_ATTR_NODEV },
        { "rnoexec", ATTRIBUTE, true, MOUNT_ATTR_NOEXEC, 0 },
        { "rexec", ATTRIBUTE, true, 0, MOUNT_ATTR_NOEXEC },
        { "rnosymfollow", ATTRIBUTE, true, MOUNT_ATTR_NOSYMFOLLOW, 0 },
        { "rsymfollow", ATTRIBUTE, true, 0, MOUNT_ATTR_NOSYMFOLLOW },
        { "rnodiratime", ATTRIBUTE, true, MOUNT_ATTR_NODIRATIME, 0 },
        { "rdiratime", ATTRIBUTE, true, 0, MOUNT_ATTR_NODIRATIME },
        { "rrelatime", ATTRIBUTE, true, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "rnorelatime", ATTRIBUTE, true, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "rnoatime", ATTRIBUTE, true, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "ratime", ATTRIBUTE, true, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "rstrictatime", ATTRIBUTE, true, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "rnostrictatime", ATTRIBUTE, true, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "private", PROPAGATION, false, MS_PRIVATE, 0 },
        { "rprivate", PROPAGATION, true, MS_PRIVATE, 0 },
        { "shared", PROPAGATION, false, MS_SHARED, 0 },
        { "rshared", PROPAGATION, true, MS_SHARED, 0 },
        { "slave", PROPAGATION, false, MS_SLAVE, 0 },
        { "rslave", PROPAGATION, true, MS_SLAVE, 0 },
        { "unbindable", PROPAGATION, false, MS_UNBINDABLE, 0 },
        { "runbindable", PROPAGATION, true, MS_UNBINDABLE, 0 },
        { "bind", BIND, false, 0, 0 },
        { "rbind", BIND, true, 0, 0 },
        { "idmap", IDMAP, false, 0, 0 },
        { "ridmap", IDMAP, true, 0, 0 },
        { "sync", SUPERBLOCK, false, 0, 0 },
        { "dirsync", SUPERBLOCK, false, 0, 0 },
        { "lazytime", SUPERBLOCK, false, 0, 0 },
        { "mand", SUPERBLOCK, false, 0, 0 },
        { "iversion", SUPERBLOCK, false, 0, 0 },
        { "silent", NOTHING, false, 0, 0 },
        { "loud", NOTHING, false, 0, 0 },
        { "defaults", NOTHING, false, 0, 0 },
        { "async", NOTHING, false, 0, 0 },
        { "nolazytime", NOTHING, false, 0, 0 },
        { "nomand", NOTHING, false, 0, 0 },
        { "noiversion", NOTHING, false, 0, 0 },
        { "tmpcopyup", COPY_UP, true, 0, 0 },
        { "notmpcopyup", COPY_UP, false, 0, 0 },
        { "remount", REMOUNT, false, 0, 0 },
};

static const struct row *find(const char *word) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (strcmp(rows[i].word, word) == 0)
                        return &rows[i];
        return NULL;
}

/* A later word wins over an earlier one. */
static void change(uint64_t *set, uint64_t *clear, const struct row *row) {
        *set = (*set & ~row->clear) | row->set;
        *clear = (*clear & ~row->set) | row->clear;
}

static void add_param(struct planner *p, const char *word, struct mount_options *o) {
        const char *equals = strchr(word, '=');
        struct plan_param param = { 0 };

        if (equals) {
                char key[256];

                snprintf(key, sizeof(key), "%.*s", (int) (equals - word), word);
                param = (struct plan_param) { builder_text(&p->builder, key), builder_text(&p->builder, equals + 1) };
        } else {
                param.key = builder_text(&p->builder, word);
        }
        builder_add(&p->builder, BUILD_PARAMS, &param);
        o->n_params++;
        if (!o->first_data)
                o->first_data = word;
}

static void apply(struct planner *p, const char *word, struct mount_options *o) {
        const struct row *row = find(word);

        switch (row ? row->kind : SUPERBLOCK) {
        case ATTRIBUTE:
                change(row->tree ? &o->tree_set : &o->attr_set, row->tree ? &o->tree_clear : &o->attr_clear, row);
                break;
        case PROPAGATION:
                *(row->tree ? &o->tree_propagation : &o->propagation) = row->set;
                break;
        case BIND:
                o->bind = true;
                o->recursive = o->recursive || row->tree;
                break;
        case IDMAP:
                o->idmap = true;
                o->idmap_recursive = o->idmap_recursive || row->tree;
                break;
        case SUPERBLOCK:
                add_param(p, word, o);
                o->has_mode = o->has_mode || strncmp(word, "mode=", 5) == 0;
                break;
        case COPY_UP:
                o->copy_up = row->tree;
                break;
        case NOTHING:
                break;
        case REMOUNT:
                o->remount = true;
                break;
        }
}

int plan_mount_options(struct planner *p, const json_t *mount, const char *at, struct mount_options *ret, struct err *err) {
        struct mount_options o = { .first_param = builder_count(&p->builder, BUILD_PARAMS) };
        const json_t *list = NULL;
        int r = field_array(mount, at, "options", &list, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *word;

                r = field_item(list, i, at, "options", &word, err);
                if (r < 0)
                        return r;
                apply(p, word, &o);
        }
        *ret = o;
        return 0;
}

json_t *plan_mount_option_names(void) {
        json_t *names = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                json_array_append_new(names, json_string(rows[i].word));
        return names;
}
