/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "kistd/config-names.h"
#include "kistd/options.h"

enum { CONFIG_MAX = 1024 * 1024, SUBNETS_MAX = 256, IPV6_PART = 64 };

/* {"base": "172.16.0.0/12", "size": 16}: the first of the networks of that size in it. */
static int add_pool(struct options *o, const struct option *row, const char *where, const json_t *pool, struct err *err) {
        const char *base = json_get_str(pool, "base", "");
        int64_t size = json_get_int(pool, "size", -1);
        char address[INET_ADDRSTRLEN], text[32];
        unsigned prefix;
        uint32_t first;

        if (option_is_network6(base) && size == IPV6_PART)
                return option_set(o, row, where, base, err);
        if (option_is_network6(base))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: size of %s is not %d", where, base, IPV6_PART);
        if (!option_parse_network(base, &first, &prefix))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: base \"%.64s\" is not an IPv4 network (a.b.c.d/n)", where, base);
        if (size < (int64_t) prefix || size > 30)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: size of %s is not from %u to 30", where, base, prefix);
        first &= ~(UINT32_MAX >> prefix);
        for (uint32_t i = 0; i < 1u << (size - prefix) && i < SUBNETS_MAX; i++) {
                struct in_addr net = { htonl(first + (i << (32 - size))) };
                int r;

                snprintf(text, sizeof(text), "%s/%lld", inet_ntop(AF_INET, &net, address, sizeof(address)), (long long) size);
                r = option_set(o, row, where, text, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_list(struct options *o, const struct option *row, const char *where, const json_t *value, struct err *err) {
        const json_t *item;
        size_t i;
        int r;

        if (!json_is_array(value))
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not a list", where);
        json_array_foreach(value, i, item) {
                if (json_is_object(item) && !strcmp(row->name, "address-pool"))
                        r = add_pool(o, row, where, item, err);
                else if (json_is_string(item))
                        r = option_set(o, row, where, json_string_value(item), err);
                else
                        r = err_set(err, ERR_INVALID, -EINVAL, "%s: item %zu is not a text", where, i + 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}: the key is the name. */
static int add_ulimits(struct options *o, const struct option *row, const char *where, const json_t *object, struct err *err) {
        const char *name;
        json_t *v;

        json_object_foreach((json_t *) object, name, v) {
                auto_free char *text = str_format("%s=%lld:%lld", name, (long long) json_get_int(v, "Soft", -2), (long long) json_get_int(v, "Hard", -2));
                int r;

                if (!text)
                        return err_errno(err, -ENOMEM, "options");
                if (json_get_int(v, "Soft", -2) < -1 || json_get_int(v, "Hard", -2) < -1 || strcmp(json_get_str(v, "Name", name), name) != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: \"%.32s\" is not {\"Name\", \"Soft\", \"Hard\"} of that name", where, name);
                r = option_set(o, row, where, text, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* {"crun": {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]}}: as option values, which the engine reads. */
static int set_runtimes(struct options *o, const struct option *row, const char *where, const json_t *value, struct err *err) {
        const char *name, *key;
        json_t *one, *v;
        size_t i;
        int r;

        if (!json_is_object(value))
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not an object", where);
        json_object_foreach((json_t *) value, name, one) {
                auto_strbuf text;

                strbuf_init(&text, 65536);
                json_object_foreach(one, key, v)
                        if (strcmp(key, "path") != 0 && strcmp(key, "runtimeArgs") != 0)
                                return err_set(err, ERR_INVALID, -EINVAL, "%s: %.64s: \"%.64s\" cannot be used: a runtime has a path and runtimeArgs", where, name, key);
                strbuf_addf(&text, "%s=%s", name, json_get_str(one, "path", ""));
                json_array_foreach(json_object_get(one, "runtimeArgs"), i, v) {
                        if (!json_is_string(v) || strchr(json_string_value(v), '\n') || strlen(json_string_value(v)) != json_string_length(v))
                                return err_set(err, ERR_INVALID, -EINVAL, "%s: %.64s: item %zu of runtimeArgs is not a text of one line", where, name, i + 1);
                        strbuf_addf(&text, "\n%s", json_string_value(v));
                }
                r = strbuf_error(&text) ? err_set(err, ERR_INVALID, -E2BIG, "%s: %.64s: too long", where, name) : option_set(o, row, where, text.data, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* {"ghcr.io": ["https://mirror:5000"]}: what the stock daemon's list has no word for. */
static int set_mirrors(struct options *o, const struct option *row, const char *where, const json_t *object, struct err *err) {
        const char *registry;
        const json_t *item;
        json_t *list;
        size_t i;

        json_object_foreach((json_t *) object, registry, list) {
                if (!json_is_array(list))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: %.64s is not a list", where, registry);
                json_array_foreach(list, i, item) {
                        auto_free char *text = json_is_string(item) ? str_format("%s=%s", registry, json_string_value(item)) : NULL;
                        int r = text ? option_set(o, row, where, text, err) : err_set(err, ERR_INVALID, -EINVAL, "%s: %.64s: item %zu is not a text", where, registry, i + 1);

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int add_log_option(struct options *o, const struct option *row, const char *where, const char *name, const json_t *value, struct err *err) {
        auto_free char *text = json_is_string(value) ? str_format("%s=%s", name, json_string_value(value)) : NULL;

        return text ? option_set(o, row, where, text, err) : err_set(err, ERR_INVALID, -EINVAL, "%s is not a text", where);
}

static int set_value(struct options *o, const struct option *row, const char *where, const json_t *value, struct err *err) {
        char number[32];

        if (!strcmp(row->name, "add-runtime"))
                return set_runtimes(o, row, where, value, err);
        if (!strcmp(row->name, "default-ulimit") && json_is_object(value))
                return add_ulimits(o, row, where, value, err);
        if (!strcmp(row->name, "registry-mirror") && json_is_object(value))
                return set_mirrors(o, row, where, value, err);
        if (row->type == OPTION_LIST)
                return set_list(o, row, where, value, err);
        if (row->type == OPTION_FLAG) {
                if (!json_is_boolean(value))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s is neither true nor false", where);
                return option_set(o, row, where, json_is_true(value) ? "true" : "false", err);
        }
        if (json_is_string(value))
                return option_set(o, row, where, json_string_value(value), err);
        if (!json_is_integer(value) || row->type == OPTION_TEXT)
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not a %s", where, row->type == OPTION_TEXT ? "text" : "number");
        snprintf(number, sizeof(number), "%lld", (long long) json_integer_value(value));
        return option_set(o, row, where, number, err);
}

static const struct option *find_key(const char *key) {
        for (size_t i = 0; i < n_options; i++)
                if (option_table[i].key && !strcmp(option_table[i].key, key))
                        return &option_table[i];
        return NULL;
}

/* Keys "a.b" are in an object "a". */
static bool is_group(const char *key) {
        size_t n = strlen(key);

        for (size_t i = 0; i < n_options; i++)
                if (option_table[i].key && !strncmp(option_table[i].key, key, n) && option_table[i].key[n] == '.')
                        return true;
        return false;
}

/* `prefix` is "NAME." inside an object of that name, "" outside. */
static int take_object(struct options *o, const char *path, const char *prefix, const json_t *object, struct err *err) {
        const char *key;
        json_t *value;

        json_object_foreach((json_t *) object, key, value) {
                const struct option *row;
                bool log_option;
                char full[128], inner[64], where[512];
                int r;

                snprintf(full, sizeof(full), "%s%s", prefix, key);
                snprintf(where, sizeof(where), "%.300s: key \"%s\"", path, full);
                row = find_key(full);
                /* Two of the driver's options are the daemon's own; the others are a list. */
                log_option = !row && !strcmp(prefix, "log-opts.");
                if (log_option)
                        row = find_key("log-opts");
                snprintf(inner, sizeof(inner), "%.60s.", key);
                if (!*prefix && is_group(key)) {
                        r = json_is_object(value) ? take_object(o, path, inner, value, err) : err_set(err, ERR_INVALID, -EINVAL, "%s is not an object", where);
                } else if (row && o->from_command_line[row - option_table]) {
                        r = err_set(err, ERR_INVALID, -EINVAL, "%s is given on the command line too, as --%s", where, row->name);
                } else if (row) {
                        o->from_file[row - option_table] = true;
                        r = log_option ? add_log_option(o, row, where, key, value, err) : set_value(o, row, where, value, err);
                } else if (!*prefix && config_name_refusal(key)) {
                        r = err_set(err, ERR_INVALID, -EINVAL, "%s cannot be used: %s", where, config_name_refusal(key));
                } else {
                        r = err_set(err, ERR_INVALID, -EINVAL, "%s is unknown", where);
                }
                if (r < 0 && o->validate)
                        options_note_problem(o, err);
                else if (r < 0)
                        return r;
        }
        return 0;
}

int options_read_file(struct options *o, const char *path, bool must_exist, struct err *err) {
        auto_free char *text = NULL;
        auto_json *object = NULL;
        size_t size;
        int r;

        r = file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &size);
        if (r == -ENOENT && !must_exist)
                return 0;
        if (r < 0)
                return err_errno(err, r, "configuration file %s", path);
        r = json_parse(text, size, CONFIG_MAX, path, &object, err);
        if (r < 0)
                return r;
        if (!json_is_object(object))
                return err_set(err, ERR_INVALID, -EINVAL, "configuration file %s is not a JSON object", path);
        return take_object(o, path, "", object, err);
}
