/* SPDX-License-Identifier: Apache-2.0 */
/* --mount type=bind,source=/a,target=/b,readonly,…: one row per key. */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/container-body.h"

enum kind { TEXT, TRUTH, BYTES, MODE, PAIR, RECURSION, IGNORED };

/* A key: which kinds of mount know it, and the field that it fills. */
static const struct key {
        const char *name, *types;
        enum kind kind;
        const char *object, *field;
} keys[] = {
        { "type", NULL, TEXT, NULL, "Type" },
        { "source", NULL, TEXT, NULL, "Source" },
        { "src", NULL, TEXT, NULL, "Source" },
        { "target", NULL, TEXT, NULL, "Target" },
        { "dst", NULL, TEXT, NULL, "Target" },
        { "destination", NULL, TEXT, NULL, "Target" },
        { "readonly", NULL, TRUTH, NULL, "ReadOnly" },
        { "ro", NULL, TRUTH, NULL, "ReadOnly" },
        { "consistency", NULL, IGNORED, NULL, NULL }, /* of hosts that are not Linux */
        { "bind-propagation", "bind", TEXT, "BindOptions", "Propagation" },
        { "bind-nonrecursive", "bind", TRUTH, "BindOptions", "NonRecursive" },
        { "bind-recursive", "bind", RECURSION, "BindOptions", NULL },
        { "bind-create-src", "bind", TRUTH, "BindOptions", "CreateMountpoint" },
        { "idmap", "bind volume", TEXT, NULL, "Idmap" }, /* Kist's own: both kinds have it */
        { "volume-nocopy", "volume", TRUTH, "VolumeOptions", "NoCopy" },
        { "volume-subpath", "volume", TEXT, "VolumeOptions", "Subpath" },
        { "volume-label", "volume", PAIR, "VolumeOptions", "Labels" },
        { "volume-driver", "volume", TEXT, "VolumeOptions", "Driver" }, /* moved into DriverConfig below */
        { "volume-opt", "volume", PAIR, "VolumeOptions", "Options" },   /* the same */
        { "image-subpath", "image", TEXT, "ImageOptions", "Subpath" },
        { "tmpfs-size", "tmpfs", BYTES, "TmpfsOptions", "SizeBytes" },
        { "tmpfs-mode", "tmpfs", MODE, "TmpfsOptions", "Mode" },
};

static json_t *inner(json_t *object, const char *name) {
        if (!name)
                return object;
        if (!json_object_get(object, name))
                json_object_set_new(object, name, json_object());
        return json_object_get(object, name);
}

static bool parse_truth(const char *text, bool *ret) {
        *ret = !text || !strcmp(text, "true") || !strcmp(text, "1");
        return *ret || !strcmp(text, "false") || !strcmp(text, "0");
}

/* What is wrong with it, or NULL. */
static const char *take(const struct key *k, const char *value, json_t *mount) {
        json_t *to;
        int64_t bytes;
        bool truth;
        char *end;
        unsigned long mode;

        if (k->kind != TRUTH && !value)
                return "a value is wanted";
        if (k->kind == IGNORED)
                return NULL;
        to = inner(mount, k->object);
        switch (k->kind) {
        case TEXT:
                json_object_set_new(to, k->field, json_string(value));
                return NULL;
        case TRUTH:
                if (!parse_truth(value, &truth))
                        return "true or false is wanted";
                json_object_set_new(to, k->field, json_boolean(truth));
                return NULL;
        case BYTES:
                if (!parse_bytes(value, &bytes) || bytes < 0)
                        return "not a size such as 64m";
                json_object_set_new(to, k->field, json_integer(bytes));
                return NULL;
        case MODE:
                mode = strtoul(value, &end, 8);
                if (*end || end == value || mode > 07777)
                        return "not a mode such as 1770";
                json_object_set_new(to, k->field, json_integer((json_int_t) mode));
                return NULL;
        case PAIR:
                set_pair(inner(to, k->field), value, '=');
                return NULL;
        case RECURSION:
                if (!strcmp(value, "disabled"))
                        json_object_set_new(to, "NonRecursive", json_true());
                else if (!strcmp(value, "writable"))
                        json_object_set_new(to, "ReadOnlyNonRecursive", json_true());
                else if (!strcmp(value, "readonly"))
                        json_object_set_new(to, "ReadOnlyForceRecursive", json_true());
                else if (strcmp(value, "enabled") != 0)
                        return "enabled, disabled, writable or readonly is wanted";
                return NULL;
        case IGNORED:
                break;
        }
        return NULL;
}

static const struct key *find(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (!strcmp(keys[i].name, name))
                        return &keys[i];
        return NULL;
}

/* {Driver, Options} → {DriverConfig: {Name, Options}} */
static void move_driver(json_t *mount) {
        json_t *o = json_object_get(mount, "VolumeOptions"), *name = json_object_get(o, "Driver"), *options = json_object_get(o, "Options");

        if (!name && !options)
                return;
        json_object_set_new(o, "DriverConfig", json_object());
        if (name)
                json_object_set(json_object_get(o, "DriverConfig"), "Name", name);
        if (options)
                json_object_set(json_object_get(o, "DriverConfig"), "Options", options);
        json_object_del(o, "Driver");
        json_object_del(o, "Options");
}

/* A part that has commas itself stands in quotes, as in a CSV file: type=volume,"volume-opt=o=addr=10.0.0.1,rw",target=/x */
static char *next_part(char **at) {
        char *from = *at, *to, *start;
        bool quoted = false;

        if (!from || !*from)
                return NULL;
        for (start = to = from; *from && (quoted || *from != ','); from++) {
                if (*from == '"')
                        quoted = !quoted;
                else
                        *to++ = *from;
        }
        *at = *from ? from + 1 : from;
        *to = '\0';
        return start;
}

static int add_mount(const struct args *a, const char *text, json_t *array) {
        auto_free char *copy = strdup(text), *again = strdup(text);
        json_t *mount = json_pack("{s:s}", "Type", "volume");
        const char *type;
        char *at = copy;

        json_array_append_new(array, mount);
        for (char *p; (p = next_part(&at));) {
                char *value = strchr(p, '=');
                const struct key *k;
                const char *wrong;

                if (value)
                        *value++ = '\0';
                k = find(p);
                wrong = k ? take(k, value, mount) : "unknown key";
                if (wrong) {
                        auto_free char *why = str_format("%s: %s", p, wrong);

                        return option_wrong(a, "mount", text, why);
                }
        }
        type = json_get_str(mount, "Type", "");
        at = again;
        for (char *p; (p = next_part(&at));) {
                const struct key *k;

                p[strcspn(p, "=")] = '\0';
                k = find(p);
                if (k && k->types && !strstr(k->types, type)) {
                        auto_free char *why = str_format("%s is no key of type %s", p, type);

                        return option_wrong(a, "mount", text, why);
                }
        }
        move_driver(mount);
        return json_get_str(mount, "Target", NULL) ? 0 : option_wrong(a, "mount", text, "target is missing");
}

int set_mounts(const struct args *a, json_t *host) {
        const char *const *items;
        size_t n = args_list(a, "mount", &items);
        json_t *array;

        if (n == 0)
                return 0;
        array = json_array();
        json_object_set_new(host, "Mounts", array);
        for (size_t i = 0; i < n; i++)
                if (add_mount(a, items[i], array) < 0)
                        return -1;
        return 0;
}
