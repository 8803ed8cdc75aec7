/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log-driver.h"

#include <regex.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/log-words.h"
#include "engine/spec.h"

enum { MIN_SIZE = 4096, MAX_BUFFER = 256 << 20 };

static const char *const names[] = {
        [LOG_JSON_FILE] = "json-file", [LOG_LOCAL] = "local", [LOG_SYSLOG] = "syslog", [LOG_JOURNALD] = "journald", [LOG_NONE] = "none",
};
_Static_assert(ARRAY_SIZE(names) == _LOG_DRIVER_MAX, "every driver has a name");

const char *log_driver_name(enum log_driver d) {
        return names[d];
}

json_t *log_driver_names(void) {
        json_t *all = json_array();

        for (size_t i = 0; i < _LOG_DRIVER_MAX; i++)
                json_array_append_new(all, json_string(names[i]));
        return all;
}

const char *log_driver_file(const struct spec_log *l) {
        if (l->driver == LOG_JSON_FILE)
                return "json";
        return l->driver == LOG_NONE || l->no_cache ? NULL : "local";
}

/* --- options --- */

static bool read_max_size(const char *text, struct spec_log *l) {
        return spec_parse_bytes(text, &l->max_size) == 0 && l->max_size >= MIN_SIZE;
}

static bool read_max_file(const char *text, struct spec_log *l) {
        uint64_t n;

        if (str_to_u64(text, 1, 1000, &n) < 0)
                return false;
        l->max_files = (uint32_t) n;
        return true;
}

static bool read_cache_disabled(const char *text, struct spec_log *l) {
        l->no_cache = !strcmp(text, "true");
        return l->no_cache || !strcmp(text, "false");
}

static bool read_mode(const char *text, struct spec_log *l) {
        l->drop = !strcmp(text, "non-blocking");
        return l->drop || !strcmp(text, "blocking");
}

/* Files that were rotated are kept as they are. */
static bool read_compress(const char *text, struct spec_log *l) {
        (void) l;
        return !strcmp(text, "false");
}

/* Memory of the monitor's, which no limit of the container's counts. */
static bool read_max_buffer(const char *text, struct spec_log *l) {
        return spec_parse_bytes(text, &l->max_buffer) == 0 && l->max_buffer <= MAX_BUFFER;
}

static bool read_regex(const char *text, struct spec_log *l) {
        regex_t re;

        (void) l;
        if (log_regex_compile(text, &re) < 0)
                return false;
        regfree(&re);
        return true;
}

static bool read_words(const char *text, struct spec_log *l) {
        (void) l;
        return strlen(text) < 4096;
}

static bool read_facility(const char *text, struct spec_log *l) {
        uint32_t n;

        (void) l;
        return log_find_facility(text, &n) == 0;
}

static bool read_format(const char *text, struct spec_log *l) {
        uint32_t n;

        (void) l;
        return log_find_format(text, &n) == 0;
}

static bool read_address(const char *text, struct spec_log *l) {
        struct log_target t;

        (void) l;
        return log_parse_target(text, &t) == 0;
}

static const struct log_tag_word known_words[] = {
        { ".ID", "" }, { ".FullID", "" }, { ".Name", "" }, { ".ImageID", "" }, { ".ImageFullID", "" }, { ".ImageName", "" }, { ".DaemonName", "" },
};

static bool read_tag(const char *text, struct spec_log *l) {
        char ignored[256];

        (void) l;
        return log_expand_tag(text, known_words, ARRAY_SIZE(known_words), ignored, sizeof(ignored)) == 0;
}

#define D(name) (1u << LOG_##name)
#define FILES (D(JSON_FILE) | D(LOCAL))
#define AWAY (D(SYSLOG) | D(JOURNALD))
#define ALL (FILES | AWAY | D(NONE))

static const struct option {
        const char *name;
        unsigned drivers;
        bool (*read)(const char *text, struct spec_log *l);
} options[] = {
        { "max-size", FILES, read_max_size },
        { "max-file", FILES, read_max_file },
        { "compress", FILES, read_compress },
        { "mode", ALL, read_mode },
        { "max-buffer-size", ALL, read_max_buffer },
        { "cache-disabled", AWAY, read_cache_disabled },
        { "cache-max-size", AWAY, read_max_size },
        { "cache-max-file", AWAY, read_max_file },
        { "cache-compress", AWAY, read_compress },
        { "tag", AWAY | D(JSON_FILE), read_tag },
        { "labels", AWAY | D(JSON_FILE), read_words },
        { "labels-regex", AWAY | D(JSON_FILE), read_regex },
        { "env", AWAY | D(JSON_FILE), read_words },
        { "env-regex", AWAY | D(JSON_FILE), read_regex },
        { "syslog-address", D(SYSLOG), read_address },
        { "syslog-facility", D(SYSLOG), read_facility },
        { "syslog-format", D(SYSLOG), read_format },
};

int log_driver_read(const json_t *config, struct spec_log *ret, struct err *err) {
        const char *type = json_get_str(config, "Type", ""), *key;
        struct spec_log l = { .options = json_get_object(config, "Config") };
        json_t *v;

        while (*type && l.driver < _LOG_DRIVER_MAX && strcmp(names[l.driver], type) != 0)
                l.driver++;
        if (l.driver == _LOG_DRIVER_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.LogConfig: logger: no log driver named '%s' is registered; json-file, local, syslog, journald and none are", type);
        json_object_foreach((json_t *) l.options, key, v) {
                const char *text = json_string_value(v);
                size_t i = 0;

                while (i < ARRAY_SIZE(options) && (strcmp(options[i].name, key) != 0 || !(options[i].drivers & 1u << l.driver)))
                        i++;
                if (i == ARRAY_SIZE(options))
                        return err_set(err, ERR_INVALID, -EINVAL, "unknown log opt '%s' for %s log driver", key, names[l.driver]);
                if (text && strlen(text) == json_string_length(v) && options[i].read(text, &l))
                        continue;
                if (strstr(key, "compress"))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "HostConfig.LogConfig: %s: \"false\" only, rotated files are kept as they are", key);
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.LogConfig: invalid %s: \"%s\"", key, text ? text : "");
        }
        /* Of syslog and journald; a file is written at once in both modes (docs/internals/engine-callers.md). */
        if (json_object_get(l.options, "max-buffer-size") && strcmp(json_get_str(l.options, "mode", ""), "non-blocking") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.LogConfig: logger: max-buffer-size option is only supported with 'mode=non-blocking'");
        *ret = l;
        return 0;
}
